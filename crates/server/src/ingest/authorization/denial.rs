//! Why a push may not begin.

/// A push is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ingest) struct Denial {
    /// Why.
    pub(in crate::ingest) reason: Reason,
    /// More of it, for the log; empty when there is no more. No secret.
    pub(in crate::ingest) detail: String,
}

/// Why a push is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ingest) enum Reason {
    /// Its address is not one of those that may.
    Address,
    /// The push URL lacks what allows it.
    Missing,
    /// The push URL has it twice, differently.
    Ambiguous,
    /// It is not of the right form.
    Malformed,
    /// It is wrong.
    Wrong,
    /// It was good until a while ago.
    Expired,
    /// Who was asked said no.
    Refused,
    /// Who was to be asked has not answered in time.
    Timeout,
    /// Who was to be asked cannot be.
    Unreachable,
    /// There were too many questions for this one to be asked in time.
    Busy,
}

impl Reason {
    /// A word for metrics and logs.
    pub(in crate::ingest) const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Missing => "missing",
            Self::Ambiguous => "ambiguous",
            Self::Malformed => "malformed",
            Self::Wrong => "wrong",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
        }
    }

    /// What the client is told. Whether a signature has expired is only said of one that was good.
    pub(in crate::ingest) const fn description(self) -> &'static str {
        match self {
            Self::Address => "this address may not publish",
            Self::Missing => "the URL lacks its authorization",
            Self::Ambiguous => "the URL has two different authorizations",
            Self::Malformed | Self::Wrong => "the URL's authorization is wrong",
            Self::Expired => "the URL has expired",
            Self::Refused => "publishing this stream is not allowed",
            Self::Timeout | Self::Unreachable | Self::Busy => {
                "whether publishing is allowed cannot be found out now; try again"
            }
        }
    }
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: String::new() }
    }
}
