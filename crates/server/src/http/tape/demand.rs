//! `Live_Tape_Start` and `Live_Tape_Stop`: tasks, in the words of these calls.

use livetape_media::{Format, WallTime};
use livetape_record::TaskId;

use super::{Api, Parameters, Refusal, from_china};
use crate::config::{FormatName, TemplateSettings};
use crate::plans::{PlanError, TaskRequest, TaskSettings};

/// The longest a task that begins at once lasts.
const AT_ONCE_MS: i64 = 30 * 60 * 1000;
/// The application of a stream that is not live, as pushes to that service call theirs.
const USUAL_APP: &str = "live";

/// Makes the task that is asked for; its number.
pub(super) async fn start(api: &Api, parameters: &mut Parameters) -> Result<u64, (Refusal, String)> {
    let now = (api.wall)();
    let request = request(api, parameters, now)?;
    let id = api.plans.create_task(request, now).await.map_err(|error| refused(&error))?;
    tracing::info!(task = %id, number = id.number(), "a task was made by Live_Tape_Start");
    Ok(id.number())
}

/// Ends the task that is named.
pub(super) async fn stop(api: &Api, parameters: &mut Parameters) -> Result<(), (Refusal, String)> {
    let stream = parameters.needed("Param.s.channel_id")?;
    let number = match parameters.take("Param.s.task_id") {
        Some(number) => number,
        None => parameters.needed("Param.n.task_id")?,
    };
    let id: Option<TaskId> = number.parse().ok().and_then(|number| api.plans.tasks.numbered(&stream, number));
    let Some(id) = id else {
        let message = "there is no task of this channel with this task_id that is not over".to_owned();
        return Err((Refusal::Task, message));
    };
    api.plans.tasks.stop(id, (api.wall)(), "stopped").await.map_err(|error| refused(&error))
}

fn request(api: &Api, parameters: &mut Parameters, now: WallTime) -> Result<TaskRequest, (Refusal, String)> {
    let wrong = |what: &str| (Refusal::Parameter, what.to_owned());
    let stream = parameters.needed("Param.s.channel_id")?;
    let mut time = |name: &'static str| match parameters.take(name) {
        None => Ok(None),
        Some(text) => {
            from_china(&text).map(Some).ok_or_else(|| wrong(&format!("{name} is not like 2017-01-01 10:10:01")))
        }
    };
    let (start_at, stop_at) = (time("Param.s.start_time")?, time("Param.s.end_time")?);
    let (start_at, stop_at) = match parameters.take("Param.n.task_sub_type").as_deref() {
        Some("1") => {
            let latest = now.plus_millis(AT_ONCE_MS);
            (None, Some(stop_at.unwrap_or(latest).min(latest)))
        }
        None | Some("0") => match (start_at, stop_at) {
            (Some(_), Some(_)) => (start_at, stop_at),
            _ => return Err(wrong("Param.s.start_time and Param.s.end_time are needed, or Param.n.task_sub_type=1")),
        },
        Some(_) => return Err(wrong("Param.n.task_sub_type is neither 0 nor 1")),
    };
    let format = match parameters.take("Param.s.file_format") {
        None => Format::Flv,
        Some(name) => name.parse().map_err(|_| wrong("Param.s.file_format is none of flv, hls and mp4"))?,
    };
    if parameters.take("Param.s.record_type").as_deref() == Some("audio") {
        return Err(wrong("Param.s.record_type: sound is not recorded alone"));
    }
    let live = api.live.streams().into_iter().find(|view| view.stream == stream);
    let recording = TemplateSettings { formats: vec![FormatName(format)], ..TemplateSettings::default() };
    Ok(TaskRequest {
        app: live.map_or_else(|| USUAL_APP.to_owned(), |view| view.app),
        stream,
        // Whoever calls this waits for files that name the task.
        settings: TaskSettings { recording, beside: true, ..TaskSettings::default() },
        start_at,
        stop_at,
        stop_after: None,
    })
}

fn refused(error: &PlanError) -> (Refusal, String) {
    match error {
        PlanError::Settings(problems) => {
            let each: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            (Refusal::Parameter, each.join("; "))
        }
        PlanError::TooMany(_) => (Refusal::Task, error.to_string()),
        _ => {
            tracing::error!(%error, "a task could not be changed");
            (Refusal::Fault, "the call failed by a fault of the server; its log says more".to_owned())
        }
    }
}
