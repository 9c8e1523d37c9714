//! The least that a recorder has to do: read the sockets, and write the bytes as often as there are formats.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use livetape_testkit::Film;

use super::program::{self, Program};
use super::{Recorder, Running, Verdict};
use crate::crowd::Outcome;

/// `bin/sink.rs`: reads a socket as soon as there is something, or lets the sockets gather.
pub(crate) struct Sink {
    /// Whether it lets them gather.
    pub(crate) gathers: bool,
}

struct Under {
    program: Program,
    directory: PathBuf,
    copies: usize,
}

impl Recorder for Sink {
    fn name(&self) -> String {
        if self.gathers { "gathering-sink" } else { "sink" }.to_owned()
    }

    fn records(&self, _: &[&str]) -> bool {
        true
    }

    fn start(&self, directory: &Path, formats: &[&str], _: u32) -> anyhow::Result<Box<dyn Running>> {
        let rtmp = program::free_address()?;
        let this = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(this.with_file_name("sink"));
        command.arg(rtmp.to_string()).arg(directory).arg(formats.len().to_string());
        command.arg(if self.gathers { "200" } else { "0" });
        let program = Program::start(command, directory, rtmp)?;
        Ok(Box::new(Under { program, directory: directory.to_owned(), copies: formats.len() }))
    }
}

impl Running for Under {
    fn rtmp(&self) -> SocketAddr {
        self.program.rtmp
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.program.id()]
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        program::settle(&self.directory)
    }

    fn judge(&self, _: &Film, sent: &Outcome) -> Verdict {
        let files = livetape_testkit::livetape::files_below(&self.directory);
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
