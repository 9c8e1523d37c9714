//! Of those who were not let in.

use ::metrics::counter;

use super::ready;

/// A push was not allowed. `reason` is a word of the code: `wrong`, `expired`, `address` ...
pub fn push_denied(reason: &'static str) {
    ready();
    counter!("livetape_pushes_denied_total", "reason" => reason).increment(1);
}

/// A request was not answered with what it asked for. `reason` is a word of the code: `unauthorized`, `forbidden`,
/// `too_many_requests`, `too_many_failures`.
pub fn http_denied(reason: &'static str) {
    ready();
    counter!("livetape_http_denied_total", "reason" => reason).increment(1);
}
