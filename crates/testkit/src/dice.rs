//! Chance that can be repeated.

use std::time::Duration;

/// A sequence of numbers that looks random and is the same for the same seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// From this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From `$LIVETAPE_SEED`, or from the time, and prints which.
    pub fn thrown() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("LIVETAPE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(now);
        println!("seed {seed} (LIVETAPE_SEED={seed} repeats it)");
        Self::new(seed)
    }

    /// The next number.
    pub fn throw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.throw() % end
    }

    /// A length of time between two others.
    pub fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let span = (longest - shortest).as_micros() as u64;
        shortest + Duration::from_micros(self.below(span.max(1)))
    }

    /// So many bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length.div_ceil(8)).flat_map(|_| self.throw().to_le_bytes()).take(length).collect()
    }
}
