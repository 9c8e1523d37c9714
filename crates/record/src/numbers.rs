//! Which number each recording of a session gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use livetape_media::Format;

/// Numbers the recordings of one session, in each format from 1. Recorders that share it never give a number of a
/// format twice. It is theirs alone, and they are called one after the other.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Arc<[AtomicU32; 3]>);

impl Numbers {
    /// The next number that no recording in any of these formats has.
    pub(crate) fn next(&self, formats: &[Format]) -> u32 {
        let counters = || formats.iter().map(|format| self.of(*format));
        let number = counters().map(|counter| counter.load(Ordering::Relaxed)).max().unwrap_or(0).saturating_add(1);
        counters().for_each(|counter| counter.store(number, Ordering::Relaxed));
        number
    }

    fn of(&self, format: Format) -> &AtomicU32 {
        let [mp4, hls, flv] = &*self.0;
        match format {
            Format::Mp4 => mp4,
            Format::Hls => hls,
            Format::Flv => flv,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_counted_by_itself_and_a_pair_gets_a_number_free_in_both() {
        let numbers = Numbers::default();
        let other = numbers.clone();
        assert_eq!((numbers.next(&[Format::Mp4]), other.next(&[Format::Mp4])), (1, 2));
        assert_eq!(other.next(&[Format::Hls]), 1);
        assert_eq!(numbers.next(&[Format::Mp4, Format::Hls]), 3);
        assert_eq!((numbers.next(&[Format::Hls]), numbers.next(&[Format::Flv])), (4, 1));
    }
}
