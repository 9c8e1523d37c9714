//! What is put under load: Livetape, what others use, and the least that a recorder has to do.

mod ffmpeg;
mod livetape;
mod nginx;
mod node;
mod program;
mod sink;
mod tally;
mod xiu;

use std::net::SocketAddr;
use std::path::Path;

use livetape_testkit::Film;

use crate::crowd::Outcome;

pub(crate) use livetape::LivetapeUnder;
pub(crate) use program::first_words;

/// Something that records, or could.
pub(crate) trait Recorder {
    /// What it is called in the table.
    fn name(&self) -> String;

    /// Which one it is, how it is set, and what of its recordings is held against what was sent.
    fn about(&self) -> String;

    /// Why it cannot be measured here, as when it is not installed.
    fn missing(&self) -> Option<String> {
        None
    }

    /// Whether it is Livetape, which is not left out when it fails.
    fn is_ours(&self) -> bool {
        false
    }

    /// Whether it can record all of these at once.
    fn records(&self, formats: &[&str]) -> bool;

    /// Starts it, with everything it writes below `directory`.
    ///
    /// # Errors
    /// When it does not start, as when it is not installed.
    fn start(&self, directory: &Path, formats: &[&str], streams: u32) -> anyhow::Result<Box<dyn Running>>;
}

/// One that runs. It ends when it is dropped.
pub(crate) trait Running {
    /// Where it takes streams: one place for all, or one for each.
    fn rtmp(&self) -> Vec<SocketAddr>;

    /// Its processes, without their descendants.
    fn processes(&self) -> Vec<u32>;

    /// Waits until everything is written and finished. The publishers have left.
    ///
    /// # Errors
    /// When that takes too long.
    fn settle(&mut self) -> anyhow::Result<()>;

    /// Holds what it recorded against what was sent.
    fn judge(&self, film: &Film, sent: &Outcome) -> Verdict;
}

/// What became of the recordings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// Frames found in recordings, over all formats.
    pub(crate) frames: usize,
    /// Frames that were sent and are not in a recording, over all formats; `None`: nobody looked.
    pub(crate) lost: Option<usize>,
    /// What is not as it must be.
    pub(crate) problems: Vec<String>,
    /// From the common goodbye to ready in the store, in milliseconds, for each recording that was open then.
    pub(crate) finish_ms: Vec<i64>,
    /// From ready to the arrival of its event, in milliseconds.
    pub(crate) webhook_ms: Vec<i64>,
}

/// The names that [`named`] knows.
pub(crate) const NAMES: &str =
    "livetape, livetape-over, nginx-rtmp, xiu, node-media-server, ffmpeg, sink, gathering-sink";

/// The recorder of this name; Livetape with or without a receiver of webhooks.
///
/// # Errors
/// When there is none.
pub(crate) fn named(name: &str, webhooks: bool) -> anyhow::Result<Box<dyn Recorder>> {
    Ok(match name {
        "livetape" => Box::new(LivetapeUnder { webhooks, over: false }),
        "livetape-over" => Box::new(LivetapeUnder { webhooks, over: true }),
        "nginx-rtmp" => Box::new(nginx::Nginx),
        "xiu" => Box::new(xiu::Xiu),
        "node-media-server" => Box::new(node::NodeMediaServer),
        "ffmpeg" => Box::new(ffmpeg::Ffmpeg),
        "sink" => Box::new(sink::Sink { gathers: false }),
        "gathering-sink" => Box::new(sink::Sink { gathers: true }),
        _ => anyhow::bail!("there is no recorder '{name}'; there are {NAMES}"),
    })
}
