//! Push URLs that bring a token: `?token=TOKEN`.

use livetape_rtmp::Query;
use ring::digest::{SHA256, digest};
use subtle::{Choice, ConstantTimeEq};

use super::{Reason, Verdict, parameter};
use crate::config::Secret;

/// The tokens that are good, each by its hash.
pub(super) struct Tokens(Vec<Vec<u8>>);

impl Tokens {
    /// Any of `tokens` is good.
    pub(super) fn new(tokens: &[Secret]) -> Self {
        let good = tokens.iter().filter(|token| !token.is_empty());
        Self(good.map(|token| hashed(token.reveal())).collect())
    }

    /// Whether the URL brings one of them. Takes the same time for every one that is wrong.
    pub(super) fn check(&self, query: &Query) -> Verdict {
        let given = hashed(&parameter(query, "token")?);
        let mut good = Choice::from(0);
        for token in &self.0 {
            good |= token.ct_eq(&given);
        }
        if good.into() { Ok(()) } else { Err(Reason::Wrong.into()) }
    }
}

fn hashed(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}
