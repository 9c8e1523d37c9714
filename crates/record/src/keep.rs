//! How long recordings are kept.

use std::time::Duration;

/// How long a recording is kept once it is whole in the store, as its template says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// It does not say: what is configured for all holds, at any moment as it is then.
    #[default]
    AsOthers,
    /// So long, in whole milliseconds.
    For(Duration),
    /// For ever.
    Ever,
}

impl Keep {
    /// As rows and labels have it: nothing, 0 for ever, or so many milliseconds.
    pub fn as_millis(self) -> Option<u64> {
        match self {
            Self::AsOthers => None,
            Self::For(length) => Some(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)),
            Self::Ever => Some(0),
        }
    }

    /// The reverse of [`Keep::as_millis`].
    pub fn from_millis(millis: Option<u64>) -> Self {
        match millis {
            None => Self::AsOthers,
            Some(0) => Self::Ever,
            Some(millis) => Self::For(Duration::from_millis(millis)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_has_comes_back() {
        for (keep, millis) in
            [(Keep::AsOthers, None), (Keep::Ever, Some(0)), (Keep::For(Duration::from_secs(7)), Some(7_000))]
        {
            assert_eq!((keep.as_millis(), Keep::from_millis(millis)), (millis, keep));
        }
    }
}
