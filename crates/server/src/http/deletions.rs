//! `/v1/deletions`: recordings deleted by the filters of their list. First a dry run, which shows what would go and
//! gives a token; then, with the token and the same filters, the deletion of exactly that.

mod ticket;

use axum::Extension;
use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use livetape_catalog::{Change, DeletionPlan, DeletionRow, Found, NewDeletion, RecordingFilter};
use livetape_media::WallTime;
use serde::Serialize;
use serde_json::Value;

use self::ticket::Ticket;
use super::keyring::Holder;
use super::query::{Query, named};
use super::recordings::conditions;
use super::{Api, Problem, bad_parameter, blocking, json, schema};

/// How long a dry run's token is good for.
const GOOD_FOR_MS: i64 = 10 * 60 * 1000;

#[derive(Serialize)]
struct Part {
    recordings: u64,
    size_bytes: u64,
    first: Vec<String>,
}

#[derive(Serialize)]
struct DryRun {
    as_of: String,
    recordings: u64,
    size_bytes: u64,
    first: Vec<String>,
    held: Part,
    being_deleted: Part,
    not_ready: Part,
    token: String,
    expires_at: String,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    state: &'static str,
    filter: Value,
    as_of: String,
    asked_at: String,
    asked_by: String,
    recordings: u64,
    size_bytes: u64,
    begun: u64,
    deleted: u64,
    ended_at: Option<String>,
}

#[derive(Serialize)]
struct DeletionList {
    items: Vec<Shown>,
    next_cursor: Option<String>,
}

impl From<Found> for Part {
    fn from(found: Found) -> Self {
        let first = found.first.iter().map(ToString::to_string).collect();
        Self { recordings: found.recordings, size_bytes: found.size_bytes, first }
    }
}

impl From<DeletionRow> for Shown {
    fn from(row: DeletionRow) -> Self {
        Self {
            id: format!("del_{}", row.id),
            state: match (row.chosen, row.ended_at) {
                (_, Some(_)) => "done",
                (true, None) => "deleting",
                (false, None) => "choosing",
            },
            filter: row.filter.conditions(),
            as_of: row.as_of.to_string(),
            asked_at: row.asked_at.to_string(),
            asked_by: row.asked_by,
            recordings: row.recordings,
            size_bytes: row.size_bytes,
            begun: row.begun,
            deleted: row.deleted,
            ended_at: row.ended_at.map(|time| time.to_string()),
        }
    }
}

/// Deletes recordings by filter: those that are ready and held by nobody. Without `token` nothing is deleted: the answer
/// shows what would be, and has a token that is good for ten minutes. With it, and the same filters, exactly that is
/// deleted, in the background; if some of it is gone by then, or held, the answer is 409 and nothing is. What became
/// ready since the dry run stays.
#[utoipa::path(
    post,
    path = "/v1/deletions",
    tag = "recordings",
    params(
        ("app" = Option<String>, Query, description = "Exactly this application"),
        ("stream" = Option<String>, Query, description = "Exactly this stream name"),
        ("prefix" = Option<String>, Query, description = "`APP/STREAM` begins with this"),
        ("format" = Option<schema::Format>, Query, description = "This format"),
        ("state" = Option<schema::State>, Query, description = "This state; none but `ready` can be deleted"),
        ("held" = Option<bool>, Query, description = "Held by somebody, or by nobody"),
        ("from" = Option<String>, Query, description = "Still running at or after this time (RFC 3339)"),
        ("to" = Option<String>, Query, description = "Begun before this time (RFC 3339)"),
        ("token" = Option<String>, Query, description = "`token` of the dry run: they are deleted"),
    ),
    responses(
        (status = 200, description = "A dry run: what would be deleted", body = schema::DryRun),
        (status = 202, description = "They are being deleted; `Location` says where to look how far it has come", body = schema::Deletion),
        (status = 400, description = "A parameter is wrong, or none says which recordings", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The token is of other filters, or too old, or what it showed is not the same any more", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(
    State(api): State<Api>,
    holder: Option<Extension<Holder>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref());
    let filter = conditions(&mut query);
    let token: Option<String> = query.take("token");
    query.finish()?;
    let RecordingFilter { app, stream, prefix, from, to, .. } = &filter;
    if app.is_none() && stream.is_none() && prefix.is_none() && from.is_none() && to.is_none() {
        return Err(bad_parameter("app", "say which recordings: by app, stream, prefix, from or to at least"));
    }
    let now = (api.wall)();
    let Some(token) = token else {
        let plan = plan(&api, &filter, now).await?;
        let ticket = Ticket::new(now, now.plus_millis(GOOD_FOR_MS));
        let token = ticket.sealed(&content(&filter, &plan))?;
        return json(&DryRun {
            as_of: plan.as_of.to_string(),
            recordings: plan.deletable.recordings,
            size_bytes: plan.deletable.size_bytes,
            first: plan.deletable.first.iter().map(ToString::to_string).collect(),
            held: plan.held.into(),
            being_deleted: plan.going.into(),
            not_ready: plan.not_ready.into(),
            token,
            expires_at: ticket.expires_at.to_string(),
        });
    };
    let (catalog, known) = (api.catalog.clone(), token.clone());
    if let Some(before) = blocking("looking a deletion up", move || catalog.deletion_of(&known)).await? {
        return accepted(before);
    }
    let conflict = |code, detail: &str| Err(Problem::new(StatusCode::CONFLICT, code, detail));
    let Some(ticket) = Ticket::of(&token) else {
        return Err(bad_parameter("token", "must be the token of a dry run"));
    };
    if ticket.expires_at < now {
        return conflict("expired", "the dry run was too long ago; look again what would be deleted");
    }
    let plan = plan(&api, &filter, ticket.as_of).await?;
    if !ticket.is_sealed(&token, &content(&filter, &plan))? {
        let detail = "the token is not of a dry run with these filters, or what would be deleted has changed since; look \
                      again";
        return conflict("changed", detail);
    }
    let new = NewDeletion {
        token: token.clone(),
        asked_by: holder.map_or("unknown".to_owned(), |Extension(holder)| holder.name.to_string()),
        as_of: plan.as_of,
        asked_at: now,
        recordings: plan.deletable.recordings,
        size_bytes: plan.deletable.size_bytes,
        filter,
    };
    let (by, conditions, recordings) = (new.asked_by.clone(), new.filter.conditions(), new.recordings);
    let catalog = api.catalog.clone();
    let row = blocking("asking for a deletion", move || {
        catalog.apply(Change::DeletionAsked(new))?;
        catalog.deletion_of(&token)
    });
    let row = row.await?.ok_or_else(Problem::internal)?;
    tracing::info!(target: "audit", deletion = row.id, by, recordings, filter = %conditions, "recordings are deleted by filter");
    api.retention.wake();
    accepted(row)
}

/// Deletions by filter, newest first, and how far each has come.
#[utoipa::path(
    get,
    path = "/v1/deletions",
    tag = "recordings",
    params(
        ("limit" = Option<u16>, Query, description = "Items of a page, 1 to 500; 50 unless given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "One page of deletions", body = schema::DeletionList),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref());
    let before = query.take_number("cursor", 1, i64::MAX).unwrap_or(i64::MAX);
    let limit = query.take_limit();
    query.finish()?;
    let catalog = api.catalog.clone();
    let mut rows = blocking("listing deletions", move || catalog.deletions(before, limit + 1)).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| row.id.to_string());
    json(&DeletionList { items: rows.into_iter().map(Shown::from).collect(), next_cursor })
}

/// One deletion by filter, and how far it has come.
#[utoipa::path(
    get,
    path = "/v1/deletions/{id}",
    tag = "recordings",
    params(("id" = String, Path, description = "Its id: `del_...`")),
    responses(
        (status = 200, description = "The deletion", body = schema::Deletion),
        (status = 404, description = "There is no such deletion", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(api): State<Api>,
    path: RawPathParams,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let text = named(&path, query.as_deref())?;
    let missing = || {
        let shown: String = text.chars().take(80).collect();
        Problem::not_found(format!("there is no deletion {shown:?}"))
    };
    let id: i64 = text.strip_prefix("del_").and_then(|id| id.parse().ok()).ok_or_else(missing)?;
    let catalog = api.catalog.clone();
    let row = blocking("looking a deletion up", move || catalog.deletion(id)).await?;
    json(&Shown::from(row.ok_or_else(missing)?))
}

async fn plan(api: &Api, filter: &RecordingFilter, as_of: WallTime) -> Result<DeletionPlan, Problem> {
    let (catalog, filter) = (api.catalog.clone(), filter.clone());
    blocking("looking what would be deleted", move || catalog.deletion_plan(&filter, as_of)).await
}

/// What a token stands for.
fn content(filter: &RecordingFilter, plan: &DeletionPlan) -> String {
    let Found { recordings, size_bytes, .. } = plan.deletable;
    format!("{} {recordings} {size_bytes} {}", filter.conditions(), plan.digest)
}

fn accepted(row: DeletionRow) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(format!("/v1/deletions/del_{}", row.id)).map_err(|_| Problem::internal())?;
    let answer = json(&Shown::from(row))?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], answer).into_response())
}
