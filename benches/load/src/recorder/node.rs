//! node-media-server, from the npm registry.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use livetape_testkit::{Film, place};

use super::program::{self, Foreign, Judge, Rest};
use super::tally::{Ending, tally};
use super::{Recorder, Running, Verdict};
use crate::crowd::Outcome;

const QUIET: Duration = Duration::from_millis(1000);
const ENDING: Ending = ("flv", ".flv");

/// node-media-server as `cargo xtask bench peers` installs it.
pub(crate) struct NodeMediaServer;

struct Judged;

fn package() -> PathBuf {
    place::tools().join("peers/node_modules/node-media-server")
}

impl Recorder for NodeMediaServer {
    fn name(&self) -> String {
        "node-media-server".to_owned()
    }

    fn about(&self) -> String {
        let text = std::fs::read_to_string(package().join("package.json")).unwrap_or_default();
        let described: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let node = program::first_words(Command::new("node").arg("--version")).unwrap_or_default();
        format!(
            "node-media-server {}, Node.js {node}. Every frame is compared, bit for bit",
            described["version"].as_str().unwrap_or_default()
        )
    }

    fn missing(&self) -> Option<String> {
        let package = package();
        if !package.exists() {
            return Some(format!("{} is missing: `cargo xtask bench peers` installs it", package.display()));
        }
        let node = program::first_words(Command::new("node").arg("--version"));
        node.is_none().then(|| "install what Debian calls nodejs".to_owned())
    }

    fn records(&self, formats: &[&str]) -> bool {
        formats == ["flv"]
    }

    fn start(&self, directory: &Path, _: &[&str], _: u32) -> anyhow::Result<Box<dyn Running>> {
        let rtmp = program::free_address()?;
        let configuration = directory.join("node.json");
        let settings = serde_json::json!({
            "bind": "127.0.0.1",
            "rtmp": { "port": rtmp.port() },
            "store": { "path": directory.join("store") },
            "record": { "auto": true, "path": directory.join("record") },
        });
        std::fs::write(&configuration, settings.to_string())?;
        let mut command = Command::new("node");
        command.arg(package().join("bin/app.js")).arg("--config").arg(&configuration).current_dir(directory);
        Ok(Box::new(Foreign::start(vec![command], vec![rtmp], directory, Rest::Quiet(QUIET), Judged)?))
    }
}

impl Judge for Judged {
    fn judge(&self, directory: &Path, film: &Film, sent: &Outcome) -> Verdict {
        tally(directory, &[ENDING], film, sent)
    }
}
