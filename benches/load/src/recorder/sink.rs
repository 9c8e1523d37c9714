//! The least that a recorder has to do: read the sockets, and write the bytes as often as there are formats.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use livetape_testkit::Film;

use super::program::{self, Foreign, Judge, Rest};
use super::{Recorder, Running, Verdict};
use crate::crowd::Outcome;

/// `bin/sink.rs`: reads a socket as soon as there is something, or lets the sockets gather.
pub(crate) struct Sink {
    /// Whether it lets them gather.
    pub(crate) gathers: bool,
}

struct Judged {
    copies: usize,
}

impl Recorder for Sink {
    fn name(&self) -> String {
        if self.gathers { "gathering-sink" } else { "sink" }.to_owned()
    }

    fn about(&self) -> String {
        let reads = if self.gathers { "looks at each socket every 200 ms" } else { "reads a socket as soon as it can" };
        format!(
            "a program of this repository that {reads} and writes the bytes once for each format, understanding \
             nothing. Bytes are counted"
        )
    }

    fn records(&self, formats: &[&str]) -> bool {
        // It knows none: one of each number will do.
        formats == ["flv"] || formats.len() > 1
    }

    fn start(&self, directory: &Path, formats: &[&str], _: u32) -> anyhow::Result<Box<dyn Running>> {
        let rtmp = program::free_address()?;
        let this = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(this.with_file_name("sink"));
        command.arg(rtmp.to_string()).arg(directory).arg(formats.len().to_string());
        command.arg(if self.gathers { "200" } else { "0" });
        let (rest, judged) = (Rest::Quiet(Duration::from_millis(500)), Judged { copies: formats.len() });
        Ok(Box::new(Foreign::start(vec![command], vec![rtmp], directory, rest, judged)?))
    }
}

impl Judge for Judged {
    fn judge(&self, directory: &Path, _: &Film, sent: &Outcome) -> Verdict {
        let files = livetape_testkit::livetape::files_below(directory);
        let written: u64 = files
            .iter()
            .filter(|file| file.extension().is_some_and(|extension| extension == "bytes"))
            .map(|file| file.metadata().map_or(0, |metadata| metadata.len()))
            .sum();
        // The goodbyes come on top.
        let wanted = sent.bytes() * self.copies as u64;
        let mut verdict = Verdict::default();
        if written < wanted {
            verdict.problems.push(format!("of {wanted} bytes {written} were written"));
        }
        verdict
    }
}
