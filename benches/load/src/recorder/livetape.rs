//! Livetape, as it is built for release.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use livetape_testkit::livetape::Settings;
use livetape_testkit::{Census, Film, Launch, Livetape, Receiver, census, index};

use super::{Recorder, Running, Verdict};
use crate::crowd::Outcome;

/// How long it may take until nothing is on its way.
const SETTLE_MAX: Duration = Duration::from_secs(120);

/// How it is started as a service.
const UNIT: &str = include_str!("../../../../docs/livetape.service");

/// The program at `$LIVETAPE_BIN`, or beside this one.
pub(crate) struct LivetapeUnder {
    /// Whether somebody is told of events.
    pub(crate) webhooks: bool,
    /// Whether HLS is playlists over the MP4's own fragments.
    pub(crate) over: bool,
}

struct Under {
    livetape: Livetape,
    /// How many are recorded at once.
    formats: usize,
    receiver: Option<Receiver>,
}

impl Recorder for LivetapeUnder {
    fn name(&self) -> String {
        if self.over { "livetape-over" } else { "livetape" }.to_owned()
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn about(&self) -> String {
        let told = if self.webhooks { "a receiver is told of every event" } else { "nobody is told of events" };
        let media = if self.over { " but for record.hls_source = \"mp4\"" } else { "" };
        format!(
            "this repository's release build, with its defaults{media}, and the C library's memory set as by \
             docs/livetape.service; {told}. Every frame is compared, bit for bit, as are \
             the index and the store"
        )
    }

    fn records(&self, formats: &[&str]) -> bool {
        let known = formats.iter().all(|format| ["mp4", "hls", "flv"].contains(format));
        known && (!self.over || (formats.contains(&"mp4") && formats.contains(&"hls")))
    }

    fn start(&self, directory: &Path, formats: &[&str], streams: u32) -> anyhow::Result<Box<dyn Running>> {
        let receiver = self.webhooks.then(Receiver::start);
        let connections = (streams + 16).to_string();
        let settings = Settings::new()
            .formats(formats)
            .set("log.level", "\"warn,livetape_server::serve=info\"")
            .set("rtmp.max_connections", &connections)
            .set("rtmp.max_connections_per_address", &connections);
        let settings = if self.over { settings.set("record.hls_source", "\"mp4\"") } else { settings };
        let settings = receiver.iter().fold(settings, Settings::webhook);
        let launch = memory().fold(Launch::default(), |launch, (name, value)| launch.with(name, value));
        let livetape = Livetape::start_as(&settings, launch.data(&directory.join("data")));
        Ok(Box::new(Under { livetape, formats: formats.len(), receiver }))
    }
}

/// What the unit says to the C library.
fn memory() -> impl Iterator<Item = (&'static str, &'static str)> {
    let settings = UNIT.lines().filter_map(|line| line.strip_prefix("Environment="));
    let settings = settings.flat_map(|line| line.split(' ')).filter_map(|setting| setting.split_once('='));
    settings.filter(|(name, _)| name.starts_with("MALLOC_"))
}

impl Running for Under {
    fn rtmp(&self) -> Vec<SocketAddr> {
        vec![self.livetape.rtmp]
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.livetape.pid()]
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        census::wait_settled(&self.livetape, SETTLE_MAX);
        Ok(())
    }

    fn judge(&self, film: &Film, sent: &Outcome) -> Verdict {
        let census = match &self.receiver {
            Some(receiver) => Census::take(&self.livetape, film, &sent.sessions, receiver),
            None => Census::take_unheard(&self.livetape, film, &sent.sessions),
        };
        let mut ready_ms = HashMap::new();
        let mut verdict = Verdict { frames: census.frames, problems: census.problems, ..Verdict::default() };
        // Of a connection that broke it is not known here how much arrived; the census looks at that.
        if sent.sessions.iter().all(|session| session.reached.is_some()) {
            let wanted = sent.sessions.iter().map(|session| session.frames.len()).sum::<usize>() * self.formats;
            verdict.lost = Some(wanted.saturating_sub(census.frames));
        }
        for row in index::query(&self.livetape, "select id, ended_ms, ready_ms from recordings where state = 'ready'") {
            let (Some(ended), Some(ready)) = (row["ended_ms"].as_i64(), row["ready_ms"].as_i64()) else { continue };
            if ended >= sent.ended_ms {
                verdict.finish_ms.push(ready - sent.ended_ms);
            }
            ready_ms.insert(row["id"].as_str().unwrap_or_default().to_owned(), ready);
        }
        let (now, wall) = (Instant::now(), SystemTime::now());
        let Some(receiver) = &self.receiver else { return verdict };
        receiver.each(|delivery| {
            let Some(ready) = ready_ms.get(delivery.body["data"]["id"].as_str().unwrap_or_default()) else { return };
            if delivery.kind() == "recording.ready" {
                let at = wall - now.saturating_duration_since(delivery.at);
                let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                verdict.webhook_ms.push(i64::try_from(at).unwrap_or(i64::MAX) - ready);
            }
        });
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_sets_the_c_librarys_memory() {
        let names: Vec<&str> = memory().map(|(name, _)| name).collect();
        assert_eq!(names, ["MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"]);
        assert!(memory().all(|(_, value)| value.parse::<u32>().is_ok()));
    }
}
