//! Showing, as it happens, what becomes of the demonstration's stream.

use std::time::Duration;

use anyhow::{Context, bail};
use livetape_catalog::{Catalog, EventRow};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{APP, LENGTH, STREAM};
use crate::live::Live;

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(250);
/// How often growth is shown.
const SHOW_GROWTH: Duration = Duration::from_secs(2);
/// How long everything may take beyond the pushing itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// Follows the events of the demonstration's stream.
pub(super) struct Watch {
    catalog: Catalog,
    live: Live,
    sequence: i64,
    started: usize,
    settled: usize,
    ready: usize,
    ended: bool,
}

impl Watch {
    /// Looks at what happens from now on.
    pub(super) async fn begin(catalog: Catalog, live: Live) -> Result<Self, anyhow::Error> {
        let counting = catalog.clone();
        let events = tokio::task::spawn_blocking(move || counting.counts()).await??.events;
        let sequence = i64::try_from(events).unwrap_or(i64::MAX);
        Ok(Self { catalog, live, sequence, started: 0, settled: 0, ready: 0, ended: false })
    }

    /// Shows what happens until every recording of the stream is ready.
    pub(super) async fn until_ready(
        &mut self,
        mut publishing: JoinHandle<Result<(), anyhow::Error>>,
    ) -> Result<(), anyhow::Error> {
        let start = Instant::now();
        let deadline = start + LENGTH + PATIENCE;
        let mut shown = start;
        let mut published = false;
        while !(self.ended && self.settled >= self.started) {
            if !published && publishing.is_finished() {
                (&mut publishing).await.context("the publisher")?.context("pushing the sample")?;
                published = true;
            }
            if Instant::now() > deadline {
                bail!("the recordings are not ready after {:?}; the log says more", start.elapsed());
            }
            for event in self.new_events().await? {
                self.show(&event)?;
            }
            if shown.elapsed() >= SHOW_GROWTH {
                shown = Instant::now();
                self.show_growth();
            }
            tokio::time::sleep(EVERY).await;
        }
        if self.ready == 0 {
            bail!("the stream has ended and no recording is ready; the log says more");
        }
        Ok(())
    }

    async fn new_events(&self) -> Result<Vec<EventRow>, anyhow::Error> {
        let (catalog, after) = (self.catalog.clone(), self.sequence);
        Ok(tokio::task::spawn_blocking(move || catalog.events_after(after, 100)).await??)
    }

    fn show(&mut self, event: &EventRow) -> Result<(), anyhow::Error> {
        self.sequence = event.sequence;
        if event.subject != format!("{APP}/{STREAM}") {
            return Ok(());
        }
        let body: Value = serde_json::from_str(&event.body)?;
        let data = &body["data"];
        let text = |key: &str| data[key].as_str().unwrap_or_default();
        match event.kind.as_str() {
            "stream.started" => println!("session    {}  from {}", text("session_id"), text("remote_addr")),
            "recording.started" => {
                self.started += 1;
                println!("recording  {:<4} {}", text("format"), text("id"));
            }
            "recording.ready" => {
                self.settled += 1;
                self.ready += 1;
                println!(
                    "ready      {:<4} {:.1} s, {}\n           {}\n           {}",
                    text("format"),
                    Duration::from_millis(data["duration_ms"].as_u64().unwrap_or(0)).as_secs_f64(),
                    size(data["size_bytes"].as_u64().unwrap_or(0)),
                    text("key"),
                    text("url"),
                );
                println!("           webhooks get: {}", event.body);
            }
            "recording.failed" | "recording.discarded" => {
                self.settled += 1;
                println!("{}  {:<4} {}{}", event.kind, text("format"), text("end_reason"), text("error"));
            }
            "recording.warning" => println!("warning    {}: {}", text("kind"), text("detail")),
            "stream.ended" => {
                self.ended = true;
                println!("ended      {}", text("end_reason"));
            }
            _ => {}
        }
        Ok(())
    }

    fn show_growth(&self) {
        let streams = self.live.streams();
        let Some(stream) = streams.iter().find(|stream| stream.app == APP && stream.stream == STREAM) else { return };
        let mut line = String::from("growing   ");
        for recording in &stream.recordings {
            let seconds = Duration::from_millis(recording.duration_ms).as_secs_f64();
            line.push_str(&format!("  {} {seconds:.1} s {}", recording.format, size(recording.size_bytes)));
        }
        println!("{line}");
    }
}

/// A size for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_for_people() {
        assert_eq!(size(700), "700 B");
        assert_eq!(size(460_800), "450 KiB");
        assert_eq!(size(52_428_800), "50 MiB");
    }
}
