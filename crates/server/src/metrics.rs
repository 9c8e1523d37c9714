//! What is counted, for `GET /metrics` (Prometheus text format).
//!
//! Contract: every name and every label value is written in this file or is one of a fixed set
//! (formats, reasons, kinds, configured webhooks); no stream, address or id is ever a label. The
//! four stages of a recording have the same shape, so that what is under way is the difference of
//! two: received, written (on the disk), stored (whole in the store, its event durable), announced (a
//! webhook took the event); each in bytes and in milliseconds of media.

mod access;
mod condition;
mod names;
mod stored;

use std::sync::LazyLock;
use std::time::Duration;

use ::metrics::{Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use livetape_media::{Format, TrackKind, WarningKind};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub use access::{http_denied, push_denied};
pub use condition::{Condition, Raised};
use names::{COUNTERS, GAUGES, HISTOGRAMS};
pub use stored::{recordings_deleted, store_limit, stored};

/// The process's one registry. Made at the first use of anything here, so that no count is lost.
static REGISTRY: LazyLock<Option<PrometheusHandle>> = LazyLock::new(|| {
    let mut builder = PrometheusBuilder::new();
    for (name, _, buckets) in HISTOGRAMS {
        // Only an empty list of buckets is refused.
        builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets).ok()?;
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    ::metrics::set_global_recorder(recorder).ok()?;
    for (name, help) in COUNTERS {
        describe_counter!(*name, *help);
    }
    for (name, help) in GAUGES {
        describe_gauge!(*name, *help);
    }
    for (name, help, _) in HISTOGRAMS {
        describe_histogram!(*name, *help);
    }
    gauge!("livetape_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Some(handle)
});

/// Handles of what is counted often.
struct Hot {
    received_bytes: Counter,
    received_ms: Counter,
    video_frames: Counter,
    audio_frames: Counter,
    fragment_write: Histogram,
    formats: [HotFormat; 3],
}

struct HotFormat {
    written_bytes: Counter,
    written_ms: Counter,
}

static HOT: LazyLock<Hot> = LazyLock::new(|| {
    LazyLock::force(&REGISTRY);
    Hot {
        received_bytes: counter!("livetape_received_bytes_total"),
        received_ms: counter!("livetape_received_milliseconds_total"),
        video_frames: counter!("livetape_received_frames_total", "kind" => "video"),
        audio_frames: counter!("livetape_received_frames_total", "kind" => "audio"),
        fragment_write: histogram!("livetape_fragment_write_seconds"),
        formats: Format::ALL.map(|format| HotFormat {
            written_bytes: counter!("livetape_written_bytes_total", "format" => format.name()),
            written_ms: counter!("livetape_written_milliseconds_total", "format" => format.name()),
        }),
    }
});

/// The registry as Prometheus reads it.
pub fn render() -> String {
    match &*REGISTRY {
        Some(handle) => {
            handle.run_upkeep();
            handle.render()
        }
        // Another recorder was installed in this process; what it counts is not ours to show.
        None => String::new(),
    }
}

/// Makes the registry, with zeros for what alerts are made of. Every counting function below makes
/// it by itself.
pub fn init() {
    LazyLock::force(&HOT);
    for format in Format::ALL.map(Format::name) {
        counter!("livetape_recordings_ready_total", "format" => format).increment(0);
        counter!("livetape_recordings_failed_total", "format" => format).increment(0);
        counter!("livetape_recordings_recovered_total", "format" => format).increment(0);
        counter!("livetape_stored_bytes_total", "format" => format).increment(0);
        counter!("livetape_stored_milliseconds_total", "format" => format).increment(0);
    }
    gauge!("livetape_rtmp_connections").set(0.0);
    gauge!("livetape_sessions").set(0.0);
    gauge!("livetape_draining").set(0.0);
    for condition in Condition::ALL {
        condition.gauge().set(0.0);
    }
    frames_dropped("disk_slow", 0);
    livetape_catalog::DeletionReason::ALL.into_iter().for_each(|reason| recordings_deleted(reason, 0, 0));
}

/// A length of time in whole milliseconds.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn ready() {
    LazyLock::force(&REGISTRY);
}

// --- RTMP ---

/// A connection was accepted.
pub fn connection_opened() {
    ready();
    counter!("livetape_rtmp_connections_total", "result" => "accepted").increment(1);
    gauge!("livetape_rtmp_connections").increment(1.0);
}

/// A connection that was accepted is closed.
pub fn connection_closed() {
    ready();
    gauge!("livetape_rtmp_connections").decrement(1.0);
}

/// A connection was closed because it held too much memory.
pub fn connection_overloaded() {
    ready();
    counter!("livetape_rtmp_overloaded_total").increment(1);
}

/// A connection could not be accepted, as when there are no file descriptors left.
pub fn accept_failed() {
    ready();
    counter!("livetape_accept_failures_total").increment(1);
}

/// A connection was closed at once. `reason` is a word of the code: `too_many`,
/// `too_many_from_address`, `draining`.
pub fn connection_refused(reason: &'static str) {
    ready();
    counter!("livetape_rtmp_connections_total", "result" => reason).increment(1);
}

/// A publish request was answered. `result` is a word of the code: `accepted`, `conflict`,
/// `disk_low`, `draining`, `bad_name` ...
pub fn publish_answered(result: &'static str) {
    ready();
    counter!("livetape_rtmp_publishes_total", "result" => result).increment(1);
}

/// A session began.
pub fn session_started() {
    ready();
    gauge!("livetape_sessions").increment(1.0);
}

/// A session ended, for `reason` ([`livetape_media::EndReason::name`]).
pub fn session_ended(reason: &'static str) {
    ready();
    gauge!("livetape_sessions").decrement(1.0);
    counter!("livetape_sessions_ended_total", "reason" => reason).increment(1);
}

// --- Stage 1: received ---

/// So many frames of one kind were received.
pub fn frames_received(kind: TrackKind, frames: u64) {
    match kind {
        TrackKind::Video => HOT.video_frames.increment(frames),
        TrackKind::Audio => HOT.audio_frames.increment(frames),
    }
}

/// So many bytes of media, and so much media time, were received.
pub fn media_received(bytes: u64, duration: Duration) {
    HOT.received_bytes.increment(bytes);
    HOT.received_ms.increment(millis(duration));
}

/// Frames that will be in no recording. `reason` is a word of the code: `before_key_frame`,
/// `unsupported_codec`, `disk_slow` ...
pub fn frames_dropped(reason: &'static str, frames: u64) {
    ready();
    counter!("livetape_dropped_frames_total", "reason" => reason).increment(frames);
}

/// Frames whose times were moved. `kind` is a word of the code: `timestamp`, `composition_time` ...
pub fn frames_repaired(kind: &'static str, frames: u64) {
    ready();
    counter!("livetape_repaired_frames_total", "kind" => kind).increment(frames);
}

/// A warning was raised.
pub fn warned(kind: WarningKind) {
    ready();
    counter!("livetape_warnings_total", "kind" => kind.name()).increment(1);
}

// --- Stage 2: on the disk ---

/// A recording began, for `reason` ([`livetape_record::StartReason::name`]).
pub fn recording_opened(format: Format, reason: &'static str) {
    ready();
    counter!("livetape_recordings_opened_total", "format" => format.name(), "reason" => reason).increment(1);
}

/// A recording was not begun. `reason` is a word of the code: `disk_low`, `disk_trouble` ...
pub fn recording_refused(reason: &'static str) {
    ready();
    counter!("livetape_recordings_refused_total", "reason" => reason).increment(1);
}

/// One batch of a recording's operations was written in `took`: so many more bytes, and so much
/// more media time.
pub fn batch_written(format: Format, bytes: u64, duration: Duration, took: Duration) {
    if let Some(at) = Format::ALL.iter().position(|known| *known == format)
        && let Some(hot) = HOT.formats.get(at)
    {
        hot.written_bytes.increment(bytes);
        hot.written_ms.increment(millis(duration));
    }
    HOT.fragment_write.record(took.as_secs_f64());
}

/// A recording is finished on the disk, for `reason` ([`livetape_record::StopReason::name`]).
pub fn recording_finished(format: Format, reason: &'static str, index_at_end: bool) {
    ready();
    counter!("livetape_recordings_finished_total", "format" => format.name(), "reason" => reason).increment(1);
    if index_at_end {
        counter!("livetape_mp4_index_at_end_total").increment(1);
    }
}

/// A recording was discarded.
pub fn recording_discarded(format: Format) {
    ready();
    counter!("livetape_recordings_discarded_total", "format" => format.name()).increment(1);
}

/// A recording that a crash left was completed.
pub fn recording_recovered(format: Format) {
    ready();
    counter!("livetape_recordings_recovered_total", "format" => format.name()).increment(1);
}

/// A recording could not be completed.
pub fn recording_failed(format: Format) {
    ready();
    counter!("livetape_recordings_failed_total", "format" => format.name()).increment(1);
}

// --- Stage 3: in the store ---

/// A recording is whole in the store and its event durable, `took` after its end.
pub fn recording_stored(format: Format, bytes: u64, duration: Duration, took: Option<Duration>) {
    ready();
    counter!("livetape_recordings_ready_total", "format" => format.name()).increment(1);
    counter!("livetape_stored_bytes_total", "format" => format.name()).increment(bytes);
    counter!("livetape_stored_milliseconds_total", "format" => format.name()).increment(millis(duration));
    if let Some(took) = took {
        histogram!("livetape_finish_seconds").record(took.as_secs_f64());
    }
}

/// Attempts to put a recording into the store that had to be repeated since the start, by where the
/// trouble was.
pub fn upload_retries(trouble: &'static str, count: u64) {
    ready();
    counter!("livetape_upload_retries_total", "trouble" => trouble).absolute(count);
}

// --- Stage 4: announced ---

/// A webhook took the event of a recording that is ready.
pub fn recording_announced(webhook: &str, bytes: u64, duration: Duration) {
    ready();
    counter!("livetape_announced_bytes_total", "webhook" => webhook.to_owned()).increment(bytes);
    counter!("livetape_announced_milliseconds_total", "webhook" => webhook.to_owned()).increment(millis(duration));
}

/// A webhook was tried. `result` is a word of the code: `delivered`, `failed`, `given_up`.
pub fn delivery_tried(webhook: &str, result: &'static str) {
    ready();
    counter!("livetape_deliveries_total", "webhook" => webhook.to_owned(), "result" => result).increment(1);
}

/// So many events wait for a webhook, the oldest for so long; whether it asked for no more.
pub fn deliveries_pending(webhook: &str, pending: u64, oldest: Duration, disabled: bool) {
    ready();
    gauge!("livetape_webhook_disabled", "webhook" => webhook.to_owned()).set(f64::from(u8::from(disabled)));
    gauge!("livetape_events_pending", "webhook" => webhook.to_owned()).set(as_f64(pending));
    gauge!("livetape_events_oldest_seconds", "webhook" => webhook.to_owned()).set(oldest.as_secs_f64());
}

// --- The process ---

/// So many recordings are in a state ([`livetape_catalog::RecordingState`]).
pub fn recordings_in_state(state: &'static str, count: u64) {
    ready();
    gauge!("livetape_recordings", "state" => state).set(as_f64(count));
}

/// The recording that has been finished longest and is not yet whole in the store, for so long.
pub fn oldest_not_ready(age: Duration) {
    ready();
    gauge!("livetape_oldest_not_ready_seconds").set(age.as_secs_f64());
}

/// The oldest media has been here for so long that a power cut would cost.
pub fn oldest_unsynced(age: Duration) {
    ready();
    gauge!("livetape_oldest_unsynced_seconds").set(age.as_secs_f64());
}

/// The oldest media has been here for so long that is not yet in the store; so many bytes of finished
/// recordings are not.
pub fn unstored(age: Duration, bytes: u64) {
    ready();
    gauge!("livetape_unstored_bytes").set(as_f64(bytes));
    gauge!("livetape_oldest_unstored_seconds").set(age.as_secs_f64());
}

/// Bytes held in memory. `stage` is a word of the code: `waiting` for the disk, `assembling` messages
/// and fragments, `preroll` of what is held for tasks.
#[derive(Clone)]
pub struct HeldBytes(::metrics::Gauge);

impl HeldBytes {
    /// Of one stage.
    pub fn of(stage: &'static str) -> Self {
        ready();
        Self(gauge!("livetape_held_bytes", "stage" => stage))
    }

    /// So many now.
    pub fn set(&self, bytes: usize) {
        self.0.set(as_f64(bytes as u64));
    }
}

/// So many parts and objects are on their way into stores that take parts.
pub fn uploads(count: u64) {
    ready();
    gauge!("livetape_uploads").set(as_f64(count));
}

/// Space on the data directory's disk, and the bytes a second by which recordings grow.
pub fn disk_space(free_bytes: u64, total_bytes: u64, growth: f64) {
    ready();
    let lasts = if growth > 0.0 { as_f64(free_bytes) / growth } else { f64::INFINITY };
    gauge!("livetape_spool_lasts_seconds").set(lasts);
    gauge!("livetape_disk_free_bytes").set(as_f64(free_bytes));
    gauge!("livetape_disk_total_bytes").set(as_f64(total_bytes));
}

/// The process is stopping.
pub fn draining() {
    ready();
    gauge!("livetape_draining").set(1.0);
}

/// A task ended by a fault of the program.
pub fn task_panicked(task: &'static str) {
    ready();
    counter!("livetape_task_panics_total", "task" => task).increment(1);
}

/// An HTTP connection was accepted.
pub(crate) fn http_connection_opened() {
    ready();
    gauge!("livetape_http_connections").increment(1.0);
}

/// An HTTP connection was closed.
pub(crate) fn http_connection_closed() {
    ready();
    gauge!("livetape_http_connections").decrement(1.0);
}

/// An HTTP connection was closed at once because there were too many.
pub(crate) fn http_connection_refused() {
    ready();
    counter!("livetape_http_refused_connections_total").increment(1);
}

/// An HTTP request was answered. `route` is a pattern, never a path.
pub(crate) fn http_answered(route: &str, method: &'static str, status: u16, took: Duration) {
    ready();
    let class = match status {
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    let route = route.to_owned();
    counter!("livetape_http_requests_total", "route" => route.clone(), "method" => method, "status" => class)
        .increment(1);
    histogram!("livetape_http_request_seconds", "route" => route).record(took.as_secs_f64());
}

/// Exact below 2^53, which no number here reaches.
#[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
fn as_f64(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown_with_its_help() {
        frames_received(TrackKind::Video, 2);
        batch_written(Format::Hls, 1_000, Duration::from_millis(400), Duration::from_micros(300));
        recording_stored(Format::Mp4, 5, Duration::from_secs(1), Some(Duration::from_millis(3)));
        let text = render();
        for expected in [
            "# HELP livetape_received_frames_total Frames received, by kind",
            "livetape_received_frames_total{kind=\"video\"} 2",
            "livetape_written_milliseconds_total{format=\"hls\"} 400",
            "livetape_fragment_write_seconds_bucket{le=\"0.0005\"} 1",
            "livetape_stored_bytes_total{format=\"mp4\"} 5",
            "livetape_build_info{version=\"",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
    }

    #[test]
    fn every_name_that_is_counted_has_a_help_text() {
        let source =
            concat!(include_str!("metrics.rs"), include_str!("metrics/access.rs"), include_str!("metrics/stored.rs"));
        let described: Vec<&str> = COUNTERS
            .iter()
            .chain(GAUGES)
            .map(|(name, _)| *name)
            .chain(HISTOGRAMS.iter().map(|(name, _, _)| *name))
            .collect();
        let mut used = 0;
        for call in ["counter!(\"", "gauge!(\"", "histogram!(\""] {
            for piece in source.split(call).skip(1) {
                let name = piece.split('"').next().unwrap();
                assert!(described.contains(&name), "{name} has no help text");
                used += 1;
            }
        }
        assert!(used > described.len() / 2, "the search for uses finds none");
    }
}
