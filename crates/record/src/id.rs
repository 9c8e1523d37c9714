//! Names of things, globally unique.

use std::fmt;
use std::str::FromStr;

use livetape_media::Format;
use uuid::Uuid;

/// A stream: what an encoder pushes to, `APP/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamPath {
    /// The application.
    pub app: String,
    /// The stream's name within it, without its query.
    pub name: String,
}

impl fmt::Display for StreamPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.name)
    }
}

/// One accepted publish. A version 7 UUID, written `ses_` and 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub Uuid);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ses_{}", self.0.simple())
    }
}

/// One task: a stream that is recorded on demand. A version 7 UUID, written `task_` and 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub Uuid);

impl TaskId {
    /// The same for those who know tasks by numbers: what of it was drawn by lot, as far as every reader of
    /// JSON can count.
    pub fn number(self) -> u64 {
        self.0.as_u64_pair().1 & ((1 << 53) - 1)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task_{}", self.0.simple())
    }
}

/// One recording: (session, format, sequence), written `rec_UUID_FORMAT_SEQUENCE`. The same
/// recording has the same id after any crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordingId {
    /// Its session.
    pub session: SessionId,
    /// Its format.
    pub format: Format,
    /// Which of the session's recordings in this format, from 1.
    pub sequence: u32,
}

impl RecordingId {
    /// The recording of the HLS playlists over this MP4, where it has some.
    #[must_use]
    pub fn playlists(self) -> Self {
        Self { format: Format::Hls, ..self }
    }
}

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rec_{}_{}_{}", self.session.0.simple(), self.format, self.sequence)
    }
}

/// The text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an id of this kind")]
pub struct IdError(String);

impl IdError {
    fn new(text: &str) -> Self {
        Self(text.chars().take(80).collect())
    }
}

impl FromStr for SessionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.strip_prefix("ses_").and_then(simple_uuid).map(Self).ok_or_else(|| IdError::new(text))
    }
}

impl FromStr for TaskId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.strip_prefix("task_").and_then(simple_uuid).map(Self).ok_or_else(|| IdError::new(text))
    }
}

impl FromStr for RecordingId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let parse = || {
            let mut parts = text.strip_prefix("rec_")?.split('_');
            let (uuid, format, digits) = (parts.next()?, parts.next()?, parts.next()?);
            let id = Self {
                session: SessionId(simple_uuid(uuid)?),
                format: format.parse().ok()?,
                sequence: digits.parse().ok()?,
            };
            (parts.next().is_none() && id.to_string() == text).then_some(id)
        };
        parse().ok_or_else(|| IdError::new(text))
    }
}

/// A UUID written as exactly 32 lower-case hexadecimal digits.
fn simple_uuid(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    (uuid.simple().to_string() == text).then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_nothing_else_parses() {
        let session = SessionId(Uuid::from_u128(0x0192_f0c1_0000_7000_8000_0000_0000_0001));
        let id = RecordingId { session, format: Format::Mp4, sequence: 12 };
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(session.to_string().parse(), Ok(session));
        let task = TaskId(session.0);
        assert_eq!((task.to_string().parse(), task.number()), (Ok(task), 1));
        assert!(task.to_string().parse::<SessionId>().is_err());
        for bad in [
            "",
            "rec_",
            "rec_../../etc_mp4_1",
            &id.to_string().to_uppercase(),
            &format!("{id}_1"),
            &id.to_string().replace("_12", "_012"),
        ] {
            assert!(bad.parse::<RecordingId>().is_err(), "{bad}");
        }
    }
}
