//! How streams are recorded.

use std::time::Duration;

use livetape_media::Format;

use crate::Policy;

/// A way of recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// What it is called.
    pub name: String,
    /// The formats it records to, each once.
    pub formats: Vec<Format>,
    /// How each format there is would be recorded by itself.
    pub each: Vec<Policy>,
    /// HLS is playlists over the MP4, where both are recorded.
    pub over: bool,
    /// How long recordings wait for a publisher that went without an end.
    pub resume_window: Duration,
    /// What the stores want of files.
    pub buckets: Vec<Bucket>,
}

/// What a store that takes objects in parts wants of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Bytes of a part.
    pub part_bytes: u64,
    /// Parts of an object.
    pub max_parts: u32,
    /// All parts but the last have one size.
    pub equal_parts: bool,
}

impl Template {
    /// One policy for each recorder of a stream that is recorded to these formats.
    pub fn policies(&self, formats: &[Format]) -> Vec<Policy> {
        let over = self.over && [Format::Mp4, Format::Hls].iter().all(|format| formats.contains(format));
        let chosen = formats.iter().filter(|format| **format != Format::Hls || !over);
        let policies = chosen.filter_map(|format| self.each.iter().find(|policy| policy.format == *format).cloned());
        let mut policies: Vec<Policy> = policies.collect();
        for policy in &mut policies {
            policy.playlists = over && policy.format == Format::Mp4;
            self.buckets.iter().for_each(|bucket| bucket.bound(policy));
        }
        policies
    }
}

impl Bucket {
    fn bound(&self, policy: &mut Policy) {
        if policy.format == Format::Hls {
            return;
        }
        // What comes up to the next key frame must fit too.
        let most = self.part_bytes.saturating_mul(u64::from(self.max_parts)) / 10 * 9;
        policy.max_bytes = Some(policy.max_bytes.map_or(most, |bytes| bytes.min(most)));
        // The object of an MP4 with playlists over it is the file, with that room in its first part.
        if self.equal_parts || policy.playlists {
            let room = &mut policy.layout.mp4_reserve_max_bytes;
            *room = (*room).min(self.part_bytes / 2);
        }
    }
}
