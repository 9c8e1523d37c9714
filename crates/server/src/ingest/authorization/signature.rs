//! Push URLs that are signed, and good for a while: `?txSecret=HASH&txTime=EXPIRY`.
//!
//! ```text
//! txTime    until when: seconds since 1970 as 8 hexadecimal digits
//! txSecret  hash(key + stream's name + txTime), in hexadecimal digits
//! ```
//! What is hashed is txTime as it stands in the URL, in upper or lower case. Nothing separates the three, so 8 digits
//! it must be: with fewer or more, the end of a stream's name could pass for the beginning of a time, and a URL for one
//! stream would be good for another, until any time. The name cannot hold the zeros by which the hash of a longer text
//! could be computed without the key.

use livetape_media::WallTime;
use livetape_rtmp::Query;
use md5::{Digest as _, Md5};
use subtle::{Choice, ConstantTimeEq};

use super::{Reason, Verdict, parameter};
use crate::config::{PushHash, Secret};

/// Digits of a time.
const TIME_DIGITS: usize = 8;

/// Checks signatures.
pub(super) struct Signature {
    keys: Vec<Secret>,
    hash: PushHash,
}

impl Signature {
    /// A signature by any of `keys` is good; one that is empty is none.
    pub(super) fn new<'a>(keys: impl IntoIterator<Item = &'a Secret>, hash: PushHash) -> Self {
        Self { keys: keys.into_iter().filter(|key| !key.is_empty()).cloned().collect(), hash }
    }

    /// Whether the URL of `stream` is signed and has not expired at `now`.
    pub(super) fn check(&self, stream: &str, query: &Query, now: WallTime) -> Verdict {
        let given = parameter(query, "txSecret")?;
        let time = parameter(query, "txTime")?;
        if time.len() != TIME_DIGITS || !is_hexadecimal(&time) || !is_hexadecimal(&given) {
            return Err(Reason::Malformed.into());
        }
        let expiry = u32::from_str_radix(&time, 16).map_err(|_| Reason::Malformed)?;
        let given = given.to_ascii_lowercase();
        let mut good = Choice::from(0);
        for key in &self.keys {
            good |= self.sign(key, stream, &time).as_bytes().ct_eq(given.as_bytes());
        }
        if !bool::from(good) {
            return Err(Reason::Wrong.into());
        }
        if now.as_unix_millis() > i64::from(expiry) * 1_000 {
            return Err(Reason::Expired.into());
        }
        Ok(())
    }

    fn sign(&self, key: &Secret, stream: &str, time: &str) -> String {
        let text = [key.reveal(), stream, time].concat();
        match self.hash {
            PushHash::Md5 => hexadecimal(&Md5::digest(text.as_bytes())),
            PushHash::Sha256 => hexadecimal(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref()),
        }
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
