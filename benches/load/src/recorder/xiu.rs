//! xiu, from the crate registry.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use livetape_testkit::{Film, place};

use super::program::{self, Foreign, Judge, Rest};
use super::tally::{Ending, tally};
use super::{Recorder, Running, Verdict};
use crate::crowd::Outcome;

/// After the end of a stream it looks ten times, every 100 ms, whether something comes, and then writes the last segment.
const QUIET: Duration = Duration::from_millis(2500);
const ENDING: Ending = ("hls", ".m3u8");

/// xiu as `cargo xtask bench peers` compiles it.
pub(crate) struct Xiu;

struct Judged;

fn program() -> PathBuf {
    place::tools().join("bin/xiu")
}

impl Recorder for Xiu {
    fn name(&self) -> String {
        "xiu".to_owned()
    }

    fn about(&self) -> String {
        "xiu 0.14.0, compiled in release mode; HLS as MPEG-TS in segments of 6 s, each kept in memory until it is \
         whole. Every frame is compared, bit for bit, apart from delimiters and parameter sets"
            .to_owned()
    }

    fn missing(&self) -> Option<String> {
        let program = program();
        (!program.exists()).then(|| format!("{} is missing: `cargo xtask bench peers` compiles it", program.display()))
    }

    fn records(&self, formats: &[&str]) -> bool {
        formats == ["hls"]
    }

    fn start(&self, directory: &Path, _: &[&str], _: u32) -> anyhow::Result<Box<dyn Running>> {
        let [rtmp, http] = program::free_addresses(2)?[..] else { anyhow::bail!("no two ports are free") };
        let configuration = directory.join("xiu.toml");
        // Without a bucket that is not used it panics when a stream begins.
        std::fs::write(
            &configuration,
            format!(
                "\
[rtmp]
enabled = true
port = {}
[hls]
enabled = true
port = {}
need_record = true
fragment = 6
path = \"{}/hls/\"
[hls.s3]
enabled = false
bucket = \"\"
prefix = \"\"
region = \"\"
[authsecret]
key = \"\"
password = \"\"
[log]
level = \"error\"
",
                rtmp.port(),
                http.port(),
                directory.display(),
            ),
        )?;
        let mut command = Command::new(program());
        command.arg("--config").arg(&configuration).current_dir(directory);
        Ok(Box::new(Foreign::start(vec![command], vec![rtmp], directory, Rest::Quiet(QUIET), Judged)?))
    }
}

impl Judge for Judged {
    fn judge(&self, directory: &Path, film: &Film, sent: &Outcome) -> Verdict {
        tally(directory, &[ENDING], film, sent)
    }
}
