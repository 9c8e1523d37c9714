//! `GET /common_access`: the older calls of Tencent's live service, for programs that make them.
//!
//! Contract: `sign` is the MD5 of the key and `t`, and `t` is not past; nothing else is asked for, and no token.
//! Times are in China's time (UTC+8). Every answer is 200; what went wrong is in `ret` and `message`.

mod demand;

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
    Task = 5,
    Fault = 6,
}

#[derive(Serialize)]
struct Answer {
    ret: i32,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Output>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Output {
    Files { all_count: u64, file_list: Vec<File> },
    Task { task_id: u64 },
    None,
}

impl Output {
    fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }
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

/// The recordings of a stream, as `Live_Tape_GetFilelist` lists them; a task, as `Live_Tape_Start` makes it and
/// `Live_Tape_Stop` ends it. There are such calls only when `http.tencent_key` is set.
#[utoipa::path(
    get,
    path = "/common_access",
    tag = "tencent",
    params(
        ("interface" = String, Query, description = "`Live_Tape_GetFilelist`, `Live_Tape_Start` or `Live_Tape_Stop`"),
        ("t" = i64, Query, description = "Until when the call is good, in seconds since 1970"),
        ("sign" = String, Query, description = "MD5 of the key and `t`, in lower-case hexadecimal digits"),
        ("appid" = Option<String>, Query, description = "Not looked at; nor is `cmd`"),
        ("Param.s.channel_id" = String, Query, description = "The stream's name"),
        ("Param.n.page_no" = Option<i64>, Query, description = "Which page, from 1"),
        ("Param.n.page_size" = Option<i64>, Query, description = "Files of a page, 1 to 100; 10 unless given"),
        ("Param.s.sort_type" = Option<String>, Query, description = "`asc`: the oldest first, unless it is `desc`"),
        ("Param.s.start_time" = Option<String>, Query, description = "Files begun then or later: `2017-01-01 10:10:01`, UTC+8; when the task begins"),
        ("Param.s.end_time" = Option<String>, Query, description = "Files begun then or before; when the task ends"),
        ("Param.n.task_sub_type" = Option<i64>, Query, description = "A task: 1, it begins at once and ends within half an hour; 0, both times are needed"),
        ("Param.s.file_format" = Option<String>, Query, description = "A task: `flv` unless it is `mp4` or `hls`"),
        ("Param.s.record_type" = Option<String>, Query, description = "A task: `video`"),
        ("Param.s.task_id" = Option<String>, Query, description = "Which task ends; `Param.n.task_id` is the same"),
        ("Param.n.task_id" = Option<i64>, Query, description = "Which task ends"),
    ),
    responses(
        (status = 200, description = "The list, the task, nothing more, or what is wrong: `ret` is 0, or it is not", body = schema::TapeAnswer),
        (status = 404, description = "There are no such calls without `http.tencent_key`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn common_access(State(tape): State<Tape>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let answer = match answer(&tape, query.as_deref()).await? {
        Ok(output) => Answer { ret: 0, message: "ok".to_owned(), output: Some(output).filter(Output::is_some) },
        Err((refusal, message)) => Answer { ret: refusal as i32, message, output: None },
    };
    json(&answer)
}

/// The parameters of a call.
struct Parameters(Query);

impl Parameters {
    fn take(&mut self, name: &'static str) -> Option<String> {
        self.0.take(name)
    }

    fn needed(&mut self, name: &'static str) -> Result<String, (Refusal, String)> {
        self.take(name).ok_or_else(|| (Refusal::Parameter, format!("{name} is missing")))
    }
}

/// Answers a call of somebody who may call.
async fn answer(tape: &Tape, query: Option<&str>) -> Result<Result<Output, (Refusal, String)>, Problem> {
    let mut parameters = Parameters(Query::parse(query));
    if let Err(refusal) = admit(tape, &mut parameters) {
        return Ok(Err(refusal));
    }
    Ok(match parameters.take("interface").as_deref() {
        Some("Live_Tape_GetFilelist") => match filter(&mut parameters) {
            Ok(filter) => {
                let catalog = tape.api.catalog.clone();
                let (all_count, files) = blocking("listing files", move || catalog.tape(&filter)).await?;
                Ok(Output::Files { all_count, file_list: files.into_iter().map(File::from).collect() })
            }
            Err(refusal) => Err(refusal),
        },
        Some("Live_Tape_Start") => {
            demand::start(&tape.api, &mut parameters).await.map(|task_id| Output::Task { task_id })
        }
        Some("Live_Tape_Stop") => demand::stop(&tape.api, &mut parameters).await.map(|()| Output::None),
        _ => {
            let known = "Live_Tape_GetFilelist, Live_Tape_Start and Live_Tape_Stop are";
            Err((Refusal::Interface, format!("the interface is not known; {known}")))
        }
    })
}

/// Whether the call is signed, and good still.
fn admit(tape: &Tape, parameters: &mut Parameters) -> Result<(), (Refusal, String)> {
    let t = parameters.take("t").unwrap_or_default();
    let sign = parameters.take("sign").unwrap_or_default().to_ascii_lowercase();
    let expected = tencent_signature(tape.key.reveal(), &t);
    if !bool::from(expected.as_bytes().ct_eq(sign.as_bytes())) {
        return Err((Refusal::Signature, "sign is wrong: it is the MD5 of the key and t".to_owned()));
    }
    let now = (tape.api.wall)().as_unix_millis().div_euclid(1000);
    if t.parse::<i64>().ok().is_none_or(|t| t < now) {
        return Err((Refusal::Expired, "t is past: it says until when the call is good, in seconds".to_owned()));
    }
    Ok(())
}

/// Which files are asked for.
fn filter(parameters: &mut Parameters) -> Result<TapeFilter, (Refusal, String)> {
    let wrong = |what: &str| (Refusal::Parameter, what.to_owned());
    let stream = parameters.needed("Param.s.channel_id")?;
    let number = |value: Option<String>, max: i64, otherwise: i64, what: &str| match value {
        None => Ok(otherwise),
        Some(value) => value
            .parse()
            .ok()
            .filter(|number| (1..=max).contains(number))
            .ok_or_else(|| wrong(&format!("{what} is not a number between 1 and {max}"))),
    };
    let page = number(parameters.take("Param.n.page_no"), i64::from(u32::MAX), 1, "Param.n.page_no")?;
    let limit = number(parameters.take("Param.n.page_size"), PAGE_MAX, 10, "Param.n.page_size")?;
    let oldest_first = match parameters.take("Param.s.sort_type").as_deref() {
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
    let from = time(parameters.take("Param.s.start_time"), "Param.s.start_time")?;
    // The whole second counts.
    let to = time(parameters.take("Param.s.end_time"), "Param.s.end_time")?.map(|to| to.plus_millis(1000));
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
