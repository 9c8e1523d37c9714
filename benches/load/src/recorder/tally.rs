//! Holds the frames of recordings against those that were sent.

use std::collections::BTreeSet;
use std::path::Path;

use livetape_testkit::container;
use livetape_testkit::film::{Film, Mark};
use livetape_testkit::livetape::files_below;

use super::Verdict;
use crate::crowd::Outcome;

/// A format, and how the names of its recordings end.
pub(crate) type Ending = (&'static str, &'static str);

/// Reads every recording below `directory`. A frame that was not sent, or is there twice, is a problem; one that is
/// missing is counted, since not every recorder claims to have all.
pub(crate) fn tally(directory: &Path, endings: &[Ending], film: &Film, sent: &Outcome) -> Verdict {
    let mut verdict = Verdict { lost: Some(0), ..Verdict::default() };
    let wanted: usize = sent.sessions.iter().map(|session| session.frames.len()).sum();
    let files = files_below(directory);
    for (format, ending) in endings {
        let mut found = BTreeSet::new();
        for file in files.iter().filter(|file| file.to_string_lossy().ends_with(ending)) {
            let samples = container::read_foreign(file).unwrap_or_else(|problem| {
                verdict.problems.push(problem);
                Vec::new()
            });
            for sample in samples {
                let problem = match Mark::read(sample.kind, &sample.data) {
                    Some(mark) if film.payload(mark) != sample.data => format!("{mark:?} is not as it was sent"),
                    Some(mark) if !found.insert(mark) => format!("{mark:?} is there twice"),
                    Some(_) => continue,
                    None => format!("a frame of {} bytes was not sent", sample.data.len()),
                };
                verdict.problems.push(format!("{format}: {}: {problem}", file.display()));
            }
        }
        verdict.frames += found.len();
        verdict.lost = verdict.lost.map(|lost| lost + wanted.saturating_sub(found.len()));
    }
    verdict
}
