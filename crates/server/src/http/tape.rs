//! `GET /common_access`: the older calls of Tencent's live service, for programs that make them.
//!
//! Contract: `sign` is the MD5 of the key and `t`, and `t` is not past; nothing else is asked for, and no token.
//! Times are in China's time (UTC+8). Every answer is 200; what went wrong is in `ret` and `message`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use livetape_catalog::{RecordingView, TapeFilter};
use livetape_finalize::dialect::tencent_signature;
use livetape_media::WallTime;
use serde::Serialize;
use subtle::ConstantTimeEq as _;

use super::query::Query;
use super::{Api, Problem, blocking, json, schema};
use crate::config::Secret;

/// What is needed to answer.
#[derive(Clone)]
pub(super) struct Tape {
    pub(super) api: Api,
    pub(super) key: Secret,
}

/// Why a call is not answered with what it asked for.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Signature = 1,
    Expired = 2,
    Interface = 3,
    Parameter = 4,
}

#[derive(Serialize)]
struct Answer {
    ret: i32,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Output>,
}

#[derive(Serialize)]
struct Output {
    all_count: u64,
    file_list: Vec<File>,
}

#[derive(Serialize)]
struct File {
    vid: String,
    start_time: String,
    end_time: String,
    file_id: String,
    record_file_url: String,
}

/// China is so far ahead of UTC.
const CHINA_MS: i64 = 8 * 3600 * 1000;
/// The most files of a page.
const PAGE_MAX: i64 = 100;

/// The recordings of a stream, as `Live_Tape_GetFilelist` lists them. There is such a call only when
/// `http.tencent_key` is set.
#[utoipa::path(
    get,
    path = "/common_access",
    tag = "tencent",
    params(
        ("interface" = String, Query, description = "`Live_Tape_GetFilelist`"),
        ("t" = i64, Query, description = "Until when the call is good, in seconds since 1970"),
        ("sign" = String, Query, description = "MD5 of the key and `t`, in lower-case hexadecimal digits"),
        ("appid" = Option<String>, Query, description = "Not looked at; nor is `cmd`"),
        ("Param.s.channel_id" = String, Query, description = "The stream's name"),
        ("Param.n.page_no" = Option<i64>, Query, description = "Which page, from 1"),
        ("Param.n.page_size" = Option<i64>, Query, description = "Files of a page, 1 to 100; 10 unless given"),
        ("Param.s.sort_type" = Option<String>, Query, description = "`asc`: the oldest first, unless it is `desc`"),
        ("Param.s.start_time" = Option<String>, Query, description = "Begun then or later: `2017-01-01 10:10:01`, UTC+8"),
        ("Param.s.end_time" = Option<String>, Query, description = "Begun then or before"),
    ),
    responses(
        (status = 200, description = "The list, or what is wrong: `ret` is 0, or it is not", body = schema::TapeAnswer),
        (status = 404, description = "There are no such calls without `http.tencent_key`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn common_access(State(tape): State<Tape>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let answer = match asked(&tape, query.as_deref()) {
        Ok(filter) => {
            let catalog = tape.api.catalog.clone();
            let (all_count, files) = blocking("listing files", move || catalog.tape(&filter)).await?;
            let file_list = files.into_iter().map(File::from).collect();
            Answer { ret: 0, message: "ok".to_owned(), output: Some(Output { all_count, file_list }) }
        }
        Err((refusal, message)) => Answer { ret: refusal as i32, message, output: None },
    };
    json(&answer)
}

/// What is asked for, by somebody who may.
fn asked(tape: &Tape, query: Option<&str>) -> Result<TapeFilter, (Refusal, String)> {
    let mut query = Query::parse(query);
    let mut text = |name: &'static str| query.take::<String>(name);
    let t = text("t").unwrap_or_default();
    let sign = text("sign").unwrap_or_default().to_ascii_lowercase();
    let expected = tencent_signature(tape.key.reveal(), &t);
    if !bool::from(expected.as_bytes().ct_eq(sign.as_bytes())) {
        return Err((Refusal::Signature, "sign is wrong: it is the MD5 of the key and t".to_owned()));
    }
    let now = (tape.api.wall)().as_unix_millis().div_euclid(1000);
    if t.parse::<i64>().ok().is_none_or(|t| t < now) {
        return Err((Refusal::Expired, "t is past: it says until when the call is good, in seconds".to_owned()));
    }
    match text("interface").as_deref() {
        Some("Live_Tape_GetFilelist") => {}
        _ => return Err((Refusal::Interface, "the interface is not known; Live_Tape_GetFilelist is".to_owned())),
    }
    let wrong = |what: &str| (Refusal::Parameter, what.to_owned());
    let stream = text("Param.s.channel_id").ok_or_else(|| wrong("Param.s.channel_id is missing"))?;
    let number = |value: Option<String>, max: i64, otherwise: i64, what: &str| match value {
        None => Ok(otherwise),
        Some(value) => value
            .parse()
            .ok()
            .filter(|number| (1..=max).contains(number))
            .ok_or_else(|| wrong(&format!("{what} is not a number between 1 and {max}"))),
    };
    let page = number(text("Param.n.page_no"), i64::from(u32::MAX), 1, "Param.n.page_no")?;
    let limit = number(text("Param.n.page_size"), PAGE_MAX, 10, "Param.n.page_size")?;
    let oldest_first = match text("Param.s.sort_type").as_deref() {
        None | Some("asc") => true,
        Some("desc") => false,
        Some(_) => return Err(wrong("Param.s.sort_type is neither asc nor desc")),
    };
    let time = |value: Option<String>, what: &str| match value {
        None => Ok(None),
        Some(value) => {
            from_china(&value).map(Some).ok_or_else(|| wrong(&format!("{what} is not like 2017-01-01 10:10:01")))
        }
    };
    let from = time(text("Param.s.start_time"), "Param.s.start_time")?;
    // The whole second counts.
    let to = time(text("Param.s.end_time"), "Param.s.end_time")?.map(|to| to.plus_millis(1000));
    Ok(TapeFilter { stream, from, to, oldest_first, offset: (page - 1) * limit, limit })
}

impl From<RecordingView> for File {
    fn from(view: RecordingView) -> Self {
        let id = view.id.to_string();
        Self {
            vid: id.clone(),
            start_time: in_china(view.started_at),
            end_time: view.ended_at.map(in_china).unwrap_or_default(),
            file_id: id,
            record_file_url: view.url.unwrap_or_default(),
        }
    }
}

/// `2017-01-01 10:10:01` there.
fn in_china(time: WallTime) -> String {
    let text = time.plus_millis(CHINA_MS).to_string();
    text.get(..19).unwrap_or_default().replace('T', " ")
}

/// When the clocks there show this.
fn from_china(text: &str) -> Option<WallTime> {
    let (day, clock) = text.split_once(' ')?;
    let time: WallTime = format!("{day}T{clock}Z").parse().ok()?;
    // Fractions of seconds are not part of it.
    (clock.len() == 8).then(|| time.plus_millis(-CHINA_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_china() {
        let time: WallTime = "2017-01-01T02:10:01.500Z".parse().unwrap();
        assert_eq!(in_china(time), "2017-01-01 10:10:01");
        assert_eq!(from_china("2017-01-01 10:10:01").unwrap().to_string(), "2017-01-01T02:10:01.000Z");
        assert_eq!(in_china("2016-12-31T16:00:00Z".parse().unwrap()), "2017-01-01 00:00:00");
        for bad in ["", "2017-01-01", "2017-01-01T10:10:01", "2017-01-01 10:10:01Z", "2017-13-01 10:10:01", "a b"] {
            assert_eq!(from_china(bad), None, "{bad}");
        }
    }
}
