//! Every call that changes the disk: the program dies before it, or it fails.

use std::time::Instant;

use super::number;
use crate::faults::call::{CALLS, Outcome, try_fault};

#[test]
#[ignore = "takes half an hour; run by `cargo xtask soak crash`"]
fn no_call_is_one_too_many_to_die_at_or_to_fail() {
    let (step, most) = (number("LIVETAPE_SOAK_STEP", 1), number("LIVETAPE_SOAK_MOST", 1000));
    let begun = Instant::now();
    let mut total = 0;
    for (what, fault) in [("killed at", "signal=KILL"), ("EIO from", "error=EIO"), ("ENOSPC from", "error=ENOSPC")] {
        // A `write` that fails is no disk's fault: files are written by the other calls.
        let calls = CALLS.iter().filter(|call| what == "killed at" || **call != "write");
        for call in calls {
            let mut gaps = Vec::new();
            let mut survived = 0;
            let mut unreached = 0;
            // Threads take turns: a number that is not reached once may be reached by another the next time.
            for nth in (1..=most).step_by(step as usize) {
                match try_fault(&format!("{call}:{fault}:when={nth}")) {
                    Outcome::Survived(these) => {
                        survived += 1;
                        unreached = 0;
                        gaps.extend(these);
                    }
                    Outcome::Unreached => unreached += 1,
                }
                if unreached == 3 {
                    break;
                }
            }
            total += survived;
            let longest = gaps.iter().max().copied().unwrap_or(0);
            println!("{what} {call}: {survived} times; longest gap {longest} ms; {:?} so far", begun.elapsed());
        }
    }
    println!("{total} faults, each followed by whole recordings, no stray file, no event missing or doubled");
}
