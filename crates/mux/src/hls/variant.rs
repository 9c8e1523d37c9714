//! The multivariant playlist: what a player must know before it loads anything (RFC 8216, 4.3.4.2).

use livetape_media::{CodecConfig, VideoFormat};
use m3u8_rs::{MasterPlaylist, Resolution, VariantStream};

/// The configurations a recording has had so far: what all its segments together need.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Variant {
    /// RFC 6381 strings, each once, in order of appearance, video first.
    codecs: Vec<String>,
    /// The largest picture.
    resolution: Option<(u32, u32)>,
}

/// The figures of a multivariant playlist.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    /// Of the segment with the most bits a second.
    pub(super) peak_bit_rate: u64,
    /// Of the whole.
    pub(super) average_bit_rate: u64,
    /// Frames a second; 0 when it is not known.
    pub(super) frame_rate: f64,
}

impl Variant {
    /// Segments with this configuration follow.
    pub(super) fn add<'a>(&mut self, configs: impl Iterator<Item = &'a CodecConfig>) {
        for config in configs {
            let codec = config.rfc6381();
            if !self.codecs.contains(&codec) {
                self.codecs.push(codec);
            }
            if let Some(VideoFormat { width, height, .. }) = config.video() {
                let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
                let size = (width, height);
                self.resolution = self.resolution.filter(|known| pixels(*known) >= pixels(size)).or(Some(size));
            }
        }
    }

    /// The playlist that sends players to `uri`.
    pub(super) fn playlist(&self, uri: &str, independent: bool, rates: Rates) -> String {
        let Rates { peak_bit_rate, average_bit_rate, frame_rate } = rates;
        let resolution = self.resolution.filter(|(width, height)| *width > 0 && *height > 0);
        let playlist = MasterPlaylist {
            version: Some(7),
            independent_segments: independent,
            variants: vec![VariantStream {
                uri: uri.to_owned(),
                bandwidth: peak_bit_rate.max(average_bit_rate).max(1),
                average_bandwidth: Some(average_bit_rate.max(1)),
                codecs: (!self.codecs.is_empty()).then(|| self.codecs.join(",")),
                resolution: resolution
                    .map(|(width, height)| Resolution { width: u64::from(width), height: u64::from(height) }),
                frame_rate: (resolution.is_some() && frame_rate > 0.0).then(|| (frame_rate * 1000.0).round() / 1000.0),
                ..VariantStream::default()
            }],
            ..MasterPlaylist::default()
        };
        let mut text = Vec::new();
        // Writing to memory cannot fail, and nothing in it is the publisher's own text.
        let _ = playlist.write_to(&mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}
