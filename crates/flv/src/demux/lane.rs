//! One track as it comes in: its configuration, and what of its frames can be handed on.

use bytes::Bytes;
use livetape_media::codec::{
    AacConfig, Ac3Config, Av1Config, AvcConfig, FlacConfig, HevcConfig, Mp3Config, OpusConfig, Vp9Config,
};
use livetape_media::{Codec, CodecConfig, CodecError, Item, MediaTime, Track, TrackId, WarningKind};

use super::warning;
use crate::annexb;

/// Real records have 2 to some 300 bytes; x265 tells its settings in them and comes to 2,500.
const MAX_RECORD_BYTES: usize = 64 << 10;

/// After this many frames without a configuration a warning does not wait for it any longer.
const PATIENCE: u64 = 250;

/// One track as it comes in.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// What the last frame handed on was coded with.
    current: Option<CodecConfig>,
    /// What the next frame will be coded with, when that is another.
    next: Option<CodecConfig>,
    /// Frames that came before their configuration.
    waiting: u64,
    /// Whether a warning has told of them.
    told: bool,
    last: Option<MediaTime>,
}

/// The data of a frame.
pub(super) struct Accepted {
    pub(super) data: Bytes,
    /// Whether start codes became length prefixes.
    pub(super) converted: bool,
}

impl Lane {
    /// A configuration came. The first is introduced at once, another one with its first frame.
    pub(super) fn configure(
        &mut self,
        id: TrackId,
        codec: Codec,
        record: Bytes,
        items: &mut Vec<Item>,
    ) -> Result<(), String> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(format!("{codec} sequence header: it has {} bytes", record.len()));
        }
        let record = match codec {
            // They say all in their frames.
            Codec::Mp3 | Codec::Ac3 | Codec::Eac3 => return Ok(()),
            Codec::Avc if annexb::begins(&record) => annexb::to_avc_record(&record)
                .ok_or("an H.264 sequence header with start codes lacks a parameter set")?,
            _ => record,
        };
        let same = |config: &CodecConfig| config.codec() == codec && *config.record() == record;
        if self.current.as_ref().is_some_and(same) {
            self.next = None;
            return Ok(());
        }
        if self.next.as_ref().is_some_and(same) {
            return Ok(());
        }
        // A copy of its own: a view would keep the whole message, and what else its buffer holds.
        let record = Bytes::copy_from_slice(&record);
        let config = parse(codec, record).map_err(|error| format!("{codec} sequence header: {error}"))?;
        if self.current.is_some() {
            self.next = Some(config);
        } else {
            self.introduce(id, config, items);
        }
        Ok(())
    }

    /// A frame came: its data if it can be handed on, `None` if its configuration has not come.
    pub(super) fn accept(
        &mut self,
        id: TrackId,
        codec: Codec,
        data: Bytes,
        items: &mut Vec<Item>,
    ) -> Result<Option<Accepted>, String> {
        self.read_configuration_of_frame(codec, &data)?;
        if let Some(config) = self.next.take_if(|config| config.codec() == codec) {
            self.introduce(id, config, items);
        }
        let Some(config) = self.current.as_ref().filter(|config| config.codec() == codec) else {
            self.wait(id, items);
            return Ok(None);
        };
        let length_size = match config {
            CodecConfig::Avc(config) => config.nal_length_size,
            CodecConfig::Hevc(config) => config.nal_length_size,
            _ => return Ok(Some(Accepted { data, converted: false })),
        };
        if !annexb::begins(&data) || annexb::is_length_prefixed(&data, length_size) {
            return Ok(Some(Accepted { data, converted: false }));
        }
        match annexb::to_length_prefixed(&data, length_size) {
            Some(data) => Ok(Some(Accepted { data, converted: true })),
            None => Err(format!("{codec} frame with start codes that has no usable units")),
        }
    }

    /// Warns of the frames that came without a configuration, unless a warning has told of them.
    pub(super) fn end_of_waiting(&mut self, id: TrackId, addition: &str, items: &mut Vec<Item>) {
        let waiting = std::mem::take(&mut self.waiting);
        let told = std::mem::take(&mut self.told);
        if waiting > 0 && !told {
            let kind = id.kind.name();
            let detail = format!("{waiting} {kind} frames without a codec configuration were left out{addition}");
            items.push(warning(WarningKind::FramesSkipped, Some(id), detail));
        }
    }

    /// `time`, or just behind the last one.
    pub(super) fn after_last(&mut self, time: MediaTime) -> MediaTime {
        /// One tick of the slowest audio clock (8 kHz).
        const STEP: MediaTime = MediaTime::from_nanos(125_000);
        let time = self.last.map_or(time, |last| time.max(last + STEP));
        self.last = Some(time);
        time
    }

    fn introduce(&mut self, id: TrackId, config: CodecConfig, items: &mut Vec<Item>) {
        self.end_of_waiting(id, "", items);
        self.current = Some(config.clone());
        items.push(Item::Track(Track { id, config }));
    }

    fn wait(&mut self, id: TrackId, items: &mut Vec<Item>) {
        self.waiting += 1;
        if self.waiting == PATIENCE && !self.told {
            self.end_of_waiting(id, ", and more may follow", items);
            (self.waiting, self.told) = (PATIENCE, true);
        }
    }

    /// MP3 and AC-3 frames begin with their configuration.
    fn read_configuration_of_frame(&mut self, codec: Codec, frame: &[u8]) -> Result<(), String> {
        let read = match codec {
            Codec::Mp3 => Mp3Config::parse_frame(frame).map(CodecConfig::Mp3),
            Codec::Ac3 | Codec::Eac3 => Ac3Config::parse_frame(frame).map(CodecConfig::Ac3),
            _ => return Ok(()),
        };
        match (read, &self.current) {
            (Ok(config), Some(current)) if is_alike(&config, current) => {}
            (Ok(config), _) if config.codec() == codec => self.next = Some(config),
            // A frame cut in two, say: the configuration still holds.
            (_, Some(current)) if current.codec() == codec => {}
            (Ok(config), _) => return Err(format!("{codec} frame: it is one of {}", config.codec())),
            (Err(error), _) => return Err(format!("{codec} frame: {error}")),
        }
        Ok(())
    }
}

/// Whether a frame's header goes on with what came before. The number of channels is not looked at: encoders
/// change it from frame to frame, and decoders follow.
fn is_alike(a: &CodecConfig, b: &CodecConfig) -> bool {
    let facts = |config: &CodecConfig| {
        (config.codec(), config.audio().map(|audio| (audio.sample_rate, audio.samples_per_frame)))
    };
    facts(a) == facts(b)
}

/// The configuration of `codec` in its record, or at the start of a frame for codecs that say it there.
pub(crate) fn parse(codec: Codec, record: Bytes) -> Result<CodecConfig, CodecError> {
    Ok(match codec {
        Codec::Avc => CodecConfig::Avc(AvcConfig::parse(record)?),
        Codec::Hevc => CodecConfig::Hevc(HevcConfig::parse(record)?),
        Codec::Av1 => CodecConfig::Av1(Av1Config::parse(record)?),
        Codec::Vp9 => CodecConfig::Vp9(Vp9Config::parse(record)?),
        Codec::Aac => CodecConfig::Aac(AacConfig::parse(record)?),
        Codec::Opus => CodecConfig::Opus(OpusConfig::parse(record)?),
        Codec::Flac => CodecConfig::Flac(FlacConfig::parse(record)?),
        Codec::Mp3 => CodecConfig::Mp3(Mp3Config::parse_frame(&record)?),
        Codec::Ac3 | Codec::Eac3 => CodecConfig::Ac3(Ac3Config::parse_frame(&record)?),
    })
}
