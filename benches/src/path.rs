//! The path of a frame without sockets and files: what one look at a publisher's socket brings goes to its session, what
//! comes out to its recorders, and what is due before the next look becomes operations.

use std::hint::black_box;
use std::time::Duration;

use livetape_media::{EndReason, Format, Item};
use livetape_record::{Effect, Quality, QualityLimits, Recorder, SessionId, StreamPath};
use livetape_rtmp::{Output, Session};

use crate::{Wire, now_at, policy, session_of};

const BITS_PER_SECOND: u64 = 2_500_000;
/// Bytes that one look brings; at that rate, what comes in the time of one.
const LOOK_BYTES: usize = 64 << 10;
const LOOK: Duration = Duration::from_millis(200);

/// Which part of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From chunks of so many bytes to items.
    Read(usize),
    /// From items to the operations of these formats.
    Record(Vec<Format>),
    /// From chunks of 4096 bytes to the operations of these formats, with the watch over the quality of what comes.
    Whole(Vec<Format>),
}

/// A part of the path, and what goes in.
pub struct Path {
    wire: Wire,
    /// What each look brings, for a stage that begins with items.
    items: Vec<Vec<Item>>,
    formats: Vec<Format>,
}

impl Stage {
    /// Those that are held to figures.
    pub fn all() -> Vec<Self> {
        let mut stages = vec![Self::Read(128), Self::Read(4096), Self::Read(60_000)];
        stages.extend(Format::ALL.map(|format| Self::Record(vec![format])));
        stages.push(Self::Whole(Format::ALL.to_vec()));
        stages
    }

    /// The stage in words, as in `read 128`, `record mp4`, `whole mp4 hls flv`.
    pub fn name(&self) -> String {
        let all = |formats: &[Format]| formats.iter().map(|format| format!(" {format}")).collect::<String>();
        match self {
            Self::Read(chunk_bytes) => format!("read {chunk_bytes}"),
            Self::Record(formats) => format!("record{}", all(formats)),
            Self::Whole(formats) => format!("whole{}", all(formats)),
        }
    }
}

impl Path {
    /// The stage, fed with `seconds` of a stream of 2.5 Mbit/s.
    pub fn new(stage: &Stage, seconds: u64) -> Self {
        let chunk_bytes = if let Stage::Read(chunk_bytes) = stage { *chunk_bytes } else { 4096 };
        let wire = Wire::new(seconds, BITS_PER_SECOND, chunk_bytes);
        let mut path = Self { wire, items: Vec::new(), formats: Vec::new() };
        match stage {
            Stage::Read(_) => {}
            Stage::Whole(formats) => path.formats.clone_from(formats),
            Stage::Record(formats) => {
                path.formats.clone_from(formats);
                let mut session = session_of(&path.wire);
                for (look, bytes) in path.wire.media.chunks(LOOK_BYTES).enumerate() {
                    let mut items = Vec::new();
                    read(&mut session, bytes, look, &mut items);
                    path.items.push(items);
                }
            }
        }
        path
    }

    /// How many frames go in.
    pub fn frames(&self) -> usize {
        self.wire.frames
    }

    /// Goes the path once, from the accepted publish to the end of the session; how many items and operations came out.
    pub fn walk(&self) -> usize {
        let stream = StreamPath { app: "live".into(), name: "bench".into() };
        let new = |format: &Format| Recorder::new(policy(*format), SessionId(uuid::Uuid::nil()), stream.clone());
        let mut recorders: Vec<Recorder> = self.formats.iter().map(new).collect();
        // As in the server, what is handed over is handed over in memory that is there.
        let (mut items, mut effects) = (Vec::new(), Vec::new());
        let mut out = 0;
        if self.items.is_empty() {
            let mut session = session_of(&self.wire);
            let mut quality = (!self.formats.is_empty()).then(|| Quality::new(QualityLimits::default()));
            let mut findings = Vec::new();
            for (look, bytes) in self.wire.media.chunks(LOOK_BYTES).enumerate() {
                read(&mut session, bytes, look, &mut items);
                if let Some(quality) = &mut quality {
                    items.iter().for_each(|item| quality.push(item, now_at(LOOK * look as u32), &mut findings));
                    out += findings.len();
                }
                out += items.len() + record(&mut recorders, &items, look, &mut effects);
                items.clear();
            }
        } else {
            for (look, items) in self.items.iter().enumerate() {
                out += record(&mut recorders, items, look, &mut effects);
            }
        }
        let looks = self.wire.media.len().div_ceil(LOOK_BYTES);
        out + record(&mut recorders, &[Item::End(EndReason::Unpublish)], looks, &mut effects)
    }
}

fn read(session: &mut Session, bytes: &[u8], look: usize, items: &mut Vec<Item>) {
    session.handle_input(bytes, now_at(LOOK * look as u32));
    while let Some(output) = session.poll_output() {
        if let Output::Item { item, .. } = output {
            items.push(item);
        }
    }
}

fn record(recorders: &mut [Recorder], items: &[Item], look: usize, effects: &mut Vec<Effect>) -> usize {
    let at = LOOK * look as u32;
    let mut out = 0;
    for recorder in recorders {
        for item in items {
            recorder.push(item, now_at(at), effects);
        }
        recorder.flush_before(at + LOOK, now_at(at), effects);
        out += black_box(effects.drain(..)).count();
    }
    out
}
