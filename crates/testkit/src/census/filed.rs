//! Rows and files: each has the other.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::{Census, words};
use crate::livetape::{Livetape, files_below};

impl Census {
    pub(super) fn check_files(&mut self, livetape: &Livetape, rows: &[Value]) {
        let media = livetape.media();
        let mut unknown: BTreeSet<PathBuf> = files_below(&media).into_iter().collect();
        for row in rows.iter().filter(|row| row["state"] == "ready") {
            let file = media.join(words(row, "key"));
            let these: Vec<PathBuf> = match row["format"].as_str() {
                Some("hls") => files_below(file.parent().unwrap()),
                _ => vec![file.clone()],
            };
            let mut found = 0;
            for path in &these {
                found += path.metadata().map_or(0, |metadata| metadata.len());
                unknown.remove(path);
            }
            if !file.exists() {
                self.problems.push(format!("{} has no file: {}", row["id"], file.display()));
            } else if Some(found) != row["size_bytes"].as_u64() {
                self.problems.push(format!("{} has {found} bytes, its row says {}", row["id"], row["size_bytes"]));
            }
        }
        for path in unknown {
            self.problems.push(format!("no row knows {}", path.display()));
        }
        for place in ["spool", "quarantine"] {
            for path in files_below(&livetape.data().join(place)) {
                self.problems.push(format!("left in the {place}: {}", path.display()));
            }
        }
    }
}
