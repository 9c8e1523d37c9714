//! What a bad network or a bad server does to requests.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::operation::Operation;

/// What happens to one request. Only with the last three the server gets it whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its body is not read and nothing is answered for this long; then the connection is reset.
    Hang(Duration),
    /// It is taken whole and never answered; the connection stays until the client closes it. The server
    /// does not see it.
    Swallow,
    /// After this many bytes of the body, or all of it, the connection is reset, towards the server too.
    Reset {
        /// The server gets at most so many bytes.
        after_bytes: u64,
    },
    /// It is taken whole and answered here. The server does not see it.
    Reply(Answer),
    /// The server does it, and the connection is reset in place of the answer.
    LoseAnswer,
    /// The body and its answer go through this slowly.
    Throttle {
        /// In either direction.
        bytes_per_second: u64,
    },
    /// The server does it, and the answer begins only after this long.
    Late(Duration),
}

/// What is answered in the server's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 500 `InternalError`.
    InternalError,
    /// 503 `SlowDown`.
    SlowDown,
    /// 403 `AccessDenied`.
    AccessDenied,
    /// 200 and an `InternalError` in the body, as a completion ends that fails after the head was sent.
    ErrorIn200,
}

impl Answer {
    pub(crate) fn response(self) -> String {
        let (status, code) = match self {
            Self::InternalError => ("500 Internal Server Error", "InternalError"),
            Self::SlowDown => ("503 Slow Down", "SlowDown"),
            Self::AccessDenied => ("403 Forbidden", "AccessDenied"),
            Self::ErrorIn200 => ("200 OK", "InternalError"),
        };
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>Made to fail.</Message>\
             <RequestId>fault</RequestId></Error>"
        );
        format!("HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }
}

type Predicate = Arc<dyn Fn(&Operation) -> bool + Send + Sync>;

/// A fault, and which requests it strikes: all, unless one of the methods here says fewer.
#[derive(Clone)]
pub struct Rule {
    pub(crate) fault: Fault,
    which: Predicate,
    nth: RangeInclusive<u64>,
    /// How many requests have matched since the faults were set.
    seen: u64,
}

/// What the proxy does. The first rule that strikes a request is the one that counts.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Nothing listens any more, and every connection is reset.
    pub refuse: bool,
    /// Rules, the first first.
    pub rules: Vec<Rule>,
}

impl Fault {
    /// Strikes requests of this operation, `UploadPart` for example.
    pub fn on(self, operation: &'static str) -> Rule {
        self.when(move |request| request.name == operation)
    }

    /// Strikes requests for which this is true.
    pub fn when(self, which: impl Fn(&Operation) -> bool + Send + Sync + 'static) -> Rule {
        Rule { fault: self, which: Arc::new(which), nth: 1..=u64::MAX, seen: 0 }
    }
}

impl Rule {
    /// Strikes only these of the requests that match, counted from 1 since the faults were set.
    pub fn nth(self, nth: RangeInclusive<u64>) -> Self {
        assert!(*nth.start() >= 1 && !nth.is_empty(), "{nth:?} is never: requests are counted from 1");
        Self { nth, ..self }
    }

    /// Strikes only the first that matches.
    pub fn once(self) -> Self {
        self.nth(1..=1)
    }

    /// Counts a request; whether it is struck.
    pub(crate) fn strikes(&mut self, operation: &Operation) -> bool {
        let matches = (self.which)(operation);
        self.seen += u64::from(matches);
        matches && self.nth.contains(&self.seen)
    }
}

impl Faults {
    /// Connections are refused.
    pub fn refused() -> Self {
        Self { refuse: true, rules: Vec::new() }
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        fault.when(|_| true).into()
    }
}

impl From<Rule> for Faults {
    fn from(rule: Rule) -> Self {
        vec![rule].into()
    }
}

impl From<Vec<Rule>> for Faults {
    fn from(rules: Vec<Rule>) -> Self {
        Self { refuse: false, rules }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("fault", &self.fault).field("nth", &self.nth).field("seen", &self.seen).finish()
    }
}
