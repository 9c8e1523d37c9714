//! The compact index of one track of a growing file: what the tables of the finished file are written
//! from. One to two megabytes an hour for picture and sound together.

use super::log::{NumberLog, RunLog};
use super::{Run, Sample};

/// More gaps count as frames like others.
const MAX_GAPS: usize = 1_000;

/// What is known of every frame and chunk of one track.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrackIndex {
    pub(super) sizes: NumberLog,
    pub(super) durations: RunLog,
    pub(super) compositions: RunLog,
    /// From each sync sample to the next, counting from 0.
    pub(super) syncs: NumberLog,
    /// From each chunk's place in the file to the next one's.
    pub(super) chunks: NumberLog,
    pub(super) chunk_lengths: RunLog,
    pub(super) chunk_count: u64,
    pub(super) sync_count: u64,
    /// Bytes of every frame, when all have the same.
    pub(super) same_size: Option<u32>,
    pub(super) last_chunk: u64,
    samples: u64,
    last_sync: u64,
    media_bytes: u64,
    first_dts: u64,
    first_composition: i32,
    lowest_composition: i32,
    duration: u64,
    /// Of the last frame.
    last_duration: u64,
    /// How long frames last between which and the next their publisher was gone, the first few.
    gaps: Vec<u64>,
    /// Where the last picture shown stops being shown, in ticks since the first decoding time.
    shown_until: i64,
}

impl TrackIndex {
    /// Adds a run of consecutive frames that stand in the file from byte `offset` on.
    pub(crate) fn push(&mut self, offset: u64, run: &Run) {
        self.push_samples(offset, run.dts, &run.samples);
    }

    /// Adds consecutive frames, the first decoded at `dts`, that stand in the file from byte `offset` on.
    /// Offsets grow from call to call. The frame before lasts until `dts`, whatever it was said to.
    pub(crate) fn push_samples(&mut self, offset: u64, dts: u64, samples: &[Sample]) {
        let Some(first) = samples.first() else { return };
        if self.samples == 0 {
            self.first_dts = dts;
            self.first_composition = first.composition;
            self.lowest_composition = first.composition;
            self.same_size = Some(first.size);
        }
        self.follow_at(dts);
        self.chunks.push(offset.saturating_sub(self.last_chunk));
        self.last_chunk = offset;
        self.chunk_count += 1;
        self.chunk_lengths.push(samples.len() as i64);
        for sample in samples {
            self.push_sample(sample);
        }
    }

    /// The next frame is decoded at `dts`: after a gap, or a little before the last one was expected to end.
    fn follow_at(&mut self, dts: u64) {
        let last_begins = self.first_dts.saturating_add(self.duration - self.last_duration);
        let lasts = dts.saturating_sub(last_begins).min(u64::from(u32::MAX));
        if self.samples == 0 || lasts == 0 || lasts == self.last_duration {
            return;
        }
        if lasts > 2 * self.last_duration && self.gaps.len() < MAX_GAPS {
            self.gaps.push(lasts);
        }
        self.durations.amend(i64::try_from(lasts).unwrap_or(i64::MAX));
        self.duration = self.duration - self.last_duration + lasts;
        self.last_duration = lasts;
    }

    fn push_sample(&mut self, sample: &Sample) {
        self.sizes.push(u64::from(sample.size));
        self.durations.push(i64::from(sample.duration));
        self.compositions.push(i64::from(sample.composition));
        if sample.sync {
            self.syncs.push(self.samples - self.last_sync);
            self.last_sync = self.samples;
            self.sync_count += 1;
        }
        if self.same_size != Some(sample.size) {
            self.same_size = None;
        }
        let decoded = i64::try_from(self.duration).unwrap_or(i64::MAX);
        let shown = decoded.saturating_add(i64::from(sample.composition));
        self.shown_until = self.shown_until.max(shown.saturating_add(i64::from(sample.duration)));
        self.lowest_composition = self.lowest_composition.min(sample.composition);
        self.last_duration = u64::from(sample.duration).min(u64::MAX - self.duration);
        self.duration += self.last_duration;
        self.media_bytes = self.media_bytes.saturating_add(u64::from(sample.size));
        self.samples += 1;
    }

    /// Frames.
    pub(crate) fn samples(&self) -> u64 {
        self.samples
    }

    /// Their durations together, in ticks.
    pub(super) fn duration(&self) -> u64 {
        self.duration
    }

    /// The decoding time of the first, in ticks since the origin.
    pub(super) fn first_dts(&self) -> u64 {
        self.first_dts
    }

    /// From the first frame's decoding to its presentation, in ticks.
    pub(crate) fn first_composition(&self) -> i32 {
        self.first_composition
    }

    /// Where the last picture shown stops being shown, in ticks since the first decoding time.
    pub(super) fn shown_until(&self) -> i64 {
        self.shown_until
    }

    /// The decoding time of the last frame, in ticks since the origin; `None` without one.
    pub(crate) fn last_dts(&self) -> Option<u64> {
        (self.samples > 0).then(|| self.first_dts.saturating_add(self.duration - self.last_duration))
    }

    /// Where the last frame has been decoded and shown, in ticks since the origin; `None` without one.
    pub(crate) fn ends(&self) -> Option<i64> {
        let after = i64::try_from(self.duration).unwrap_or(i64::MAX).max(self.shown_until);
        (self.samples > 0).then(|| i64::try_from(self.first_dts).unwrap_or(i64::MAX).saturating_add(after))
    }

    /// Added to every composition offset so that none is negative.
    pub(super) fn raise(&self) -> i64 {
        i64::from(self.lowest_composition.min(0)).abs()
    }

    /// How many times from one frame's decoding to the next there are, and their sum in ticks; those
    /// longer than `pause`, or while the publisher was gone, do not count.
    pub(crate) fn intervals(&self, pause: u64) -> (u64, u64) {
        let (mut count, mut sum) = (0, 0u64);
        let mut left = self.samples.saturating_sub(1);
        for (run, duration) in self.durations.runs() {
            let run = run.min(left);
            left -= run;
            let duration = u64::try_from(duration).unwrap_or(0);
            if duration <= pause {
                count += run;
                sum = sum.saturating_add(run.saturating_mul(duration));
            }
        }
        for gap in self.gaps.iter().filter(|gap| **gap <= pause) {
            count = count.saturating_sub(1);
            sum = sum.saturating_sub(*gap);
        }
        (count, sum)
    }

    /// Bytes of memory in use.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        let runs = [&self.durations, &self.compositions, &self.chunk_lengths];
        let numbers = [&self.sizes, &self.syncs, &self.chunks];
        runs.iter().map(|log| log.memory()).sum::<usize>() + numbers.iter().map(|log| log.memory()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour of 30 pictures a second with B-frames whose times jitter, in fragments of 400 ms, and of
    /// sound: the worst that ordinary publishers send.
    #[test]
    fn an_hour_takes_less_than_two_megabytes() {
        let (mut video, mut audio) = (TrackIndex::default(), TrackIndex::default());
        let mut offset = 0;
        for fragment in 0..9_000u32 {
            let (pictures_at, sounds_at) = (video.duration, audio.duration);
            let pictures: Vec<_> = (fragment * 12..fragment * 12 + 12)
                .map(|n| Sample {
                    duration: [2970, 2970, 3060][n as usize % 3],
                    size: 8_000 + n * 7919 % 6_000,
                    composition: [6030, 12_060, 2970, 3060][n as usize % 4],
                    sync: n % 60 == 0,
                })
                .collect();
            video.push_samples(offset, pictures_at, &pictures);
            let sounds: Vec<_> = (0..19 - fragment % 2)
                .map(|n| Sample { duration: 1024, size: 300 + n * 31 % 120, composition: 0, sync: true })
                .collect();
            audio.push_samples(offset + 130_000, sounds_at, &sounds);
            offset += 140_000;
        }
        let bytes = video.memory() + audio.memory();
        assert!(bytes < 2_000_000, "{bytes} bytes");
        assert_eq!(audio.durations.len(), 1, "sound on a grid has one run");
    }

    #[test]
    fn a_gap_between_fragments_is_the_last_frames_time() {
        let sample = |duration| Sample { duration, size: 1, composition: 0, sync: true };
        let mut index = TrackIndex::default();
        index.push_samples(0, 100, &[sample(40); 3]);
        index.push_samples(10, 1_000, &[sample(40); 2]);
        // One that was expected to last a tick longer.
        index.push_samples(20, 1_079, &[sample(40)]);
        assert_eq!(index.durations.runs().collect::<Vec<_>>(), [(2, 40), (1, 820), (1, 40), (1, 39), (1, 40)]);
        assert_eq!((index.duration(), index.samples()), (1_019, 6));
        assert_eq!(index.intervals(10_000), (4, 40 + 40 + 40 + 39));
        // A time before the last frame says nothing.
        index.push_samples(30, 5, &[sample(40)]);
        assert_eq!(index.duration(), 1_059);
    }
}
