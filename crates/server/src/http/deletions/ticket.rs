//! The token of a dry run: when it was, until when it is good, and a seal over both and over what it showed.
//!
//! ```text
//! as_of_ms 16 | expires_ms 16 | HMAC-SHA-256 64      hexadecimal digits
//! ```
//!
//! The key is made with the process: after a restart one looks again.

use std::sync::LazyLock;

use livetape_media::WallTime;
use ring::{hmac, rand};

use super::super::Problem;

/// `None`: the system has no random numbers.
static KEY: LazyLock<Option<hmac::Key>> =
    LazyLock::new(|| hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok());

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// When the dry run was.
    pub(super) as_of: WallTime,
    /// Until when it is good.
    pub(super) expires_at: WallTime,
}

impl Ticket {
    pub(super) fn new(as_of: WallTime, expires_at: WallTime) -> Self {
        Self { as_of, expires_at }
    }

    /// What `token` says, whoever made it.
    pub(super) fn of(token: &str) -> Option<Self> {
        if token.len() != 96 || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let time = |from: usize, to: usize| {
            let millis = i64::from_str_radix(token.get(from..to)?, 16).ok()?;
            Some(WallTime::from_unix_millis(millis))
        };
        Some(Self { as_of: time(0, 16)?, expires_at: time(16, 32)? })
    }

    /// The token of what showed `content`.
    pub(super) fn sealed(&self, content: &str) -> Result<String, Problem> {
        let key = KEY.as_ref().ok_or_else(Problem::internal)?;
        let seal = hmac::sign(key, format!("{} {content}", self.times()).as_bytes());
        let seal: String = seal.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{}{seal}", self.times()))
    }

    /// Whether `token` is that of what showed `content`.
    pub(super) fn is_sealed(&self, token: &str, content: &str) -> Result<bool, Problem> {
        use subtle::ConstantTimeEq as _;
        Ok(self.sealed(content)?.as_bytes().ct_eq(token.to_ascii_lowercase().as_bytes()).into())
    }

    fn times(&self) -> String {
        format!("{:016x}{:016x}", self.as_of.as_unix_millis(), self.expires_at.as_unix_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_what_it_was_made_for_and_nothing_else() {
        let time = WallTime::from_unix_millis;
        let ticket = Ticket::new(time(1_795_381_620_000), time(1_795_382_220_000));
        let token = ticket.sealed("three recordings").unwrap();
        assert_eq!(Ticket::of(&token), Some(ticket));
        assert!(ticket.is_sealed(&token, "three recordings").unwrap());
        assert!(!ticket.is_sealed(&token, "four recordings").unwrap());
        let later = Ticket { expires_at: time(1_795_382_220_001), ..ticket };
        assert!(!later.is_sealed(&later.sealed("").unwrap(), "three recordings").unwrap());
        let forged = format!("{}{}", later.times(), &token[32..]);
        assert!(!later.is_sealed(&forged, "three recordings").unwrap());
        for bad in ["", "00", &"g".repeat(96), &"0".repeat(97), &"ä".repeat(48)] {
            assert_eq!(Ticket::of(bad), None, "{bad}");
        }
    }
}
