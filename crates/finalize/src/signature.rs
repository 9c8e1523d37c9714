//! The signature of Standard Webhooks 1.0: what a receiver checks to know that an event is ours,
//! unaltered and fresh.
//!
//! ```text
//! webhook-id: evt_0192..._ready                 the event's id, the same on every attempt
//! webhook-timestamp: 1795381620                 seconds since 1970, of this attempt
//! webhook-signature: v1,BASE64 v1,BASE64        HMAC-SHA256(secret, "ID.TIMESTAMP.BODY"), one per secret
//! ```
//!
//! Several secrets let a receiver change over: the sender signs with all, the receiver accepts any.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use livetape_media::WallTime;
use ring::hmac;

/// Header that carries the event's id.
pub const ID_HEADER: &str = "webhook-id";
/// Header that carries the time of the attempt.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Header that carries the signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far a receiver lets the sender's clock differ from its own.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Signatures of one message that are looked at; a sender has two while it changes secrets.
const SIGNATURES_MAX: usize = 16;

/// A secret shared with a receiver. Never printed.
#[derive(Clone)]
pub struct Secret(hmac::Key);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The text is no secret. Says why without repeating it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// What follows `whsec_` is not base64.
    #[error("a secret that begins with whsec_ goes on in base64 (RFC 4648, with padding); this one does not")]
    NotBase64,
    /// `whsec_` with too few or too many bytes.
    #[error("a whsec_ secret is base64 of 24 to 64 bytes; this one holds {0}")]
    Length(usize),
    /// A plain secret that is too short to be one, or far too long.
    #[error("a secret is 'whsec_' and base64 of 24 to 64 bytes, or 16 to 256 bytes of text; this one has {0} bytes")]
    TextLength(usize),
}

impl FromStr for Secret {
    type Err = SecretError;

    /// `whsec_` and base64 of 24 to 64 bytes, as the specification has it; or any other text of 16
    /// to 256 bytes, whose bytes are the secret.
    fn from_str(text: &str) -> Result<Self, SecretError> {
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => {
                let bytes = STANDARD.decode(encoded).map_err(|_| SecretError::NotBase64)?;
                if !(24..=64).contains(&bytes.len()) {
                    return Err(SecretError::Length(bytes.len()));
                }
                bytes
            }
            None if (16..=256).contains(&text.len()) => text.as_bytes().to_vec(),
            None => return Err(SecretError::TextLength(text.len())),
        };
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

impl Secret {
    /// `v1,BASE64` of one message.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, &signed_bytes(id, timestamp, body))))
    }
}

/// The value of `webhook-signature` for an attempt at `timestamp` seconds since 1970: one signature
/// for each secret, none for none.
pub fn sign(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let all: Vec<String> = secrets.iter().map(|secret| secret.sign(id, timestamp, body)).collect();
    all.join(" ")
}

/// What a receiver reads from the headers of a request.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// `webhook-id`
    pub id: &'a str,
    /// `webhook-timestamp`
    pub timestamp: &'a str,
    /// `webhook-signature`
    pub signature: &'a str,
}

/// Why a message is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// `webhook-timestamp` is not a whole number of seconds.
    #[error("webhook-timestamp is not a number of seconds since 1970")]
    Timestamp,
    /// The message is too old: a replay, or a wrong clock.
    #[error("webhook-timestamp is {0} s ago; the message may be a replay, or a clock is wrong")]
    TooOld(u64),
    /// The message is from the future: a wrong clock.
    #[error("webhook-timestamp is {0} s ahead; a clock is wrong")]
    TooNew(u64),
    /// None of the signatures fits any of the secrets.
    #[error("no signature fits: the secret differs, or the message was altered on its way")]
    Signature,
}

/// Checks a message as a receiver does, in constant time for each signature. `now` is the
/// receiver's clock.
///
/// # Errors
/// When the message is stale, or no signature fits any of `secrets`.
pub fn verify(
    secrets: &[Secret],
    message: Signed<'_>,
    body: &[u8],
    now: WallTime,
    tolerance: Duration,
) -> Result<(), VerifyError> {
    let timestamp: i64 = message.timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
    let age = now.as_unix_millis().div_euclid(1000).saturating_sub(timestamp);
    if age.unsigned_abs() > tolerance.as_secs() {
        let distance = age.unsigned_abs();
        return Err(if age > 0 { VerifyError::TooOld(distance) } else { VerifyError::TooNew(distance) });
    }
    // The text of the header is what was signed; "+5" and "05" parse as 5 but are other messages.
    if timestamp.to_string() != message.timestamp {
        return Err(VerifyError::Timestamp);
    }
    let bytes = signed_bytes(message.id, timestamp, body);
    let fits = |signature: &str| {
        let tag = signature.strip_prefix("v1,").and_then(|encoded| STANDARD.decode(encoded).ok());
        tag.is_some_and(|tag| secrets.iter().any(|secret| hmac::verify(&secret.0, &bytes, &tag).is_ok()))
    };
    if message.signature.split(' ').take(SIGNATURES_MAX).any(fits) { Ok(()) } else { Err(VerifyError::Signature) }
}

fn signed_bytes(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{id}.{timestamp}.").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_381_620;
    const BODY: &[u8] = br#"{"type":"recording.ready"}"#;

    fn secret(text: &str) -> Secret {
        text.parse().unwrap()
    }

    fn whsec(byte: u8) -> String {
        format!("whsec_{}", STANDARD.encode([byte; 32]))
    }

    fn check(secrets: &[Secret], id: &str, timestamp: &str, signature: &str, body: &[u8]) -> Result<(), VerifyError> {
        let now = WallTime::from_unix_millis(NOW * 1000);
        verify(secrets, Signed { id, timestamp, signature }, body, now, TOLERANCE)
    }

    #[test]
    fn the_example_of_the_specification_is_reproduced() {
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signature = sign(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn another_implementation_accepts_what_we_sign() {
        let (old, new) = (whsec(1), whsec(2));
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
        let signature = sign(&[secret(&old), secret(&new)], "evt_1", now, BODY);
        let mut headers = hyper::HeaderMap::new();
        headers.insert("webhook-id", "evt_1".parse().unwrap());
        headers.insert("webhook-timestamp", now.to_string().parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        for one in [old, new] {
            standardwebhooks::Webhook::new(&one).unwrap().verify(BODY, &headers).unwrap();
        }
        assert!(standardwebhooks::Webhook::new(&whsec(3)).unwrap().verify(BODY, &headers).is_err());
    }

    #[test]
    fn we_accept_what_another_implementation_signs() {
        let signature = standardwebhooks::Webhook::new(&whsec(1)).unwrap().sign("evt_1", NOW, BODY).unwrap();
        assert_eq!(check(&[secret(&whsec(1))], "evt_1", &NOW.to_string(), &signature, BODY), Ok(()));
        assert_eq!(
            check(&[secret(&whsec(2))], "evt_1", &NOW.to_string(), &signature, BODY),
            Err(VerifyError::Signature)
        );
    }

    #[test]
    fn a_message_altered_anywhere_is_refused() {
        let secrets = [secret(&whsec(1))];
        let signature = sign(&secrets, "evt_1", NOW, BODY);
        let time = NOW.to_string();
        assert_eq!(check(&secrets, "evt_1", &time, &signature, BODY), Ok(()));
        for (id, timestamp, signature, body) in [
            ("evt_2", &*time, &*signature, BODY),
            ("evt_1", "1795381621", &signature, BODY),
            ("evt_1", &time, &signature, b"{}"),
            ("evt_1", &time, &signature.replacen("v1,", "v2,", 1), BODY),
            ("evt_1", &time, &signature[3..], BODY),
            ("evt_1", &time, "v1,", BODY),
            ("evt_1", &time, "", BODY),
            ("evt_1", &time, "v1,!!!", BODY),
        ] {
            assert_eq!(check(&secrets, id, timestamp, signature, body), Err(VerifyError::Signature));
        }
        for timestamp in ["", "+1795381620", "01795381620", "1795381620.0", "99999999999999999999"] {
            assert_eq!(
                check(&secrets, "evt_1", timestamp, &signature, BODY),
                Err(VerifyError::Timestamp),
                "{timestamp}"
            );
        }
        assert_eq!(check(&[], "evt_1", &time, &signature, BODY), Err(VerifyError::Signature));
    }

    #[test]
    fn any_of_several_signatures_and_secrets_fits_but_not_after_a_thousand_others() {
        let (old, new) = (secret(&whsec(1)), secret("a raw secret of enough bytes"));
        let signature = sign(&[old.clone(), new.clone()], "evt_1", NOW, BODY);
        assert_eq!(signature.split(' ').count(), 2);
        for secrets in [&[old.clone()][..], std::slice::from_ref(&new), &[secret(&whsec(9)), new.clone()]] {
            assert_eq!(check(secrets, "evt_1", &NOW.to_string(), &signature, BODY), Ok(()));
        }
        let padded = format!("{}{signature}", "v1,AAAA ".repeat(1000));
        assert_eq!(check(&[old], "evt_1", &NOW.to_string(), &padded, BODY), Err(VerifyError::Signature));
    }

    #[test]
    fn stale_messages_are_refused_both_ways() {
        let secrets = [secret(&whsec(1))];
        for (offset, expected) in [
            (-300, Ok(())),
            (300, Ok(())),
            (-301, Err(VerifyError::TooOld(301))),
            (301, Err(VerifyError::TooNew(301))),
            (i64::MIN, Err(VerifyError::TooOld(i64::MAX.unsigned_abs()))),
        ] {
            let at = NOW.saturating_add(offset);
            let signature = sign(&secrets, "evt_1", at, BODY);
            assert_eq!(check(&secrets, "evt_1", &at.to_string(), &signature, BODY), expected, "{offset}");
        }
    }

    #[test]
    fn secrets_of_the_wrong_size_are_refused_without_being_repeated() {
        let encode = |n: usize| format!("whsec_{}", STANDARD.encode(vec![7; n]));
        for (text, expected) in [
            (encode(23), SecretError::Length(23)),
            (encode(65), SecretError::Length(65)),
            ("whsec_not base64!".into(), SecretError::NotBase64),
            ("short".into(), SecretError::TextLength(5)),
            ("x".repeat(257), SecretError::TextLength(257)),
        ] {
            assert_eq!(text.parse::<Secret>().unwrap_err(), expected);
            assert!(!expected.to_string().contains(&text));
        }
        assert!(encode(24).parse::<Secret>().is_ok() && encode(64).parse::<Secret>().is_ok());
        assert_eq!(format!("{:?}", secret(&encode(24))), "Secret(..)");
    }
}
