//! What must not be believed, and what must not be told: signatures of webhooks, secrets in push URLs.
//!
//! ```text
//! input  kind u8 | id, timestamp, signature: length u16, text each | body
//! ```

use std::time::Duration;

use livetape_finalize::signature::{Secret, Signed, TOLERANCE, sign, verify};
use livetape_media::WallTime;
use livetape_server::ingest::query::redact;

use crate::input::Input;

const NOW_S: i64 = 1_800_000_000;

/// Reads the input as a message, or as a query.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.u8() % 3 {
        0 => message(input),
        1 => secret(&String::from_utf8_lossy(input.rest())),
        _ => query(&String::from_utf8_lossy(input.rest())),
    }
}

/// Nobody without the secret is believed; who has it is, whatever the message.
fn message(mut input: Input<'_>) {
    let ours: Secret = "a secret of sixteen bytes or more".parse().unwrap();
    let mut text = || String::from_utf8_lossy(input.counted()).into_owned();
    let (id, timestamp, signature) = (text(), text(), text());
    let body = input.rest();
    let now = WallTime::from_unix_millis(NOW_S * 1_000);
    let check = |timestamp: &str, signature: &str, tolerance: Duration| {
        verify(std::slice::from_ref(&ours), Signed { id: &id, timestamp, signature }, body, now, tolerance)
    };
    assert!(check(&timestamp, &signature, TOLERANCE).is_err(), "a forged signature is believed");
    let _ = check(&timestamp, &signature, Duration::MAX);
    let honest = sign(std::slice::from_ref(&ours), &id, NOW_S, body);
    let time = NOW_S.to_string();
    assert_eq!(check(&time, &honest, TOLERANCE), Ok(()));
    assert_eq!(check(&time, &format!("{honest} {signature}"), TOLERANCE), Ok(()), "what follows does not matter");
    assert!(check(&timestamp, &honest, TOLERANCE).is_err() || timestamp == time, "another time is believed");
}

fn secret(text: &str) {
    match text.parse::<Secret>() {
        Ok(secret) => assert_eq!(format!("{secret:?}"), "Secret(..)"),
        Err(error) => assert!(text.len() < 8 || !error.to_string().contains(text), "a secret is told: {error}"),
    }
}

/// Values under names that mark secrets, and bare words, are gone; the rest is in order.
fn query(text: &str) {
    let kept = redact(text);
    assert!(kept.len() <= 2_000, "{} bytes are kept", kept.len());
    let secret = "hunter2hunter2";
    for parameter in
        [format!("{text}&token={secret}"), format!("my_SECRET_x={secret}&{text}"), format!("{secret}&{text}")]
    {
        assert!(text.contains(secret) || !redact(&parameter).contains(secret), "{parameter}");
    }
    // Near the bound the length of what was taken out counts.
    assert!(kept.len() > 1_900 || redact(&kept) == kept, "what is kept is taken apart again");
}
