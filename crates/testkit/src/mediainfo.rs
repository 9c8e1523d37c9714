//! What mediainfo, which reads the container's index and not the frames, says of a file.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::succeed;

/// mediainfo's view of one file.
pub struct MediaInfo(Value);

impl MediaInfo {
    /// Of this file.
    pub fn read(file: &Path) -> Self {
        let output = succeed(Command::new("mediainfo").arg("--Output=JSON").arg(file));
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    /// A field of the track of this kind: `General`, `Video` or `Audio`.
    pub fn field(&self, track: &str, name: &str) -> Option<&str> {
        let tracks = self.0["media"]["track"].as_array()?;
        tracks.iter().find(|candidate| candidate["@type"] == track)?[name].as_str()
    }

    /// A field that is a number.
    pub fn number(&self, track: &str, name: &str) -> f64 {
        let field = self.field(track, name).unwrap_or_else(|| panic!("no {track} {name} in {:#}", self.0));
        field.parse().unwrap_or_else(|_| panic!("{track} {name} is {field}"))
    }
}
