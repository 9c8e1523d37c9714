//! `application/x-www-form-urlencoded`.

use std::fmt::Write as _;

/// Appends `name=value` with everything escaped that is not unreserved (RFC 3986, 2.3).
pub(super) fn push(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.push_str(name);
    form.push('=');
    for byte in value.bytes() {
        escape(form, byte, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'));
    }
}

/// Appends the parameters of `query` as they are, but for what no query may hold, and for those whose names are
/// among `reserved`: a publisher must not be able to speak for the server.
pub(super) fn push_query(form: &mut String, query: &str, reserved: &[&str]) {
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let name = parameter.split('=').next().unwrap_or_default();
        let name = String::from_utf8_lossy(&decoded(name)).into_owned();
        if reserved.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            continue;
        }
        form.push('&');
        let bytes = parameter.as_bytes();
        for (at, byte) in bytes.iter().copied().enumerate() {
            let is_escape = byte == b'%'
                && bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
            escape(form, byte, |byte| {
                is_escape || byte.is_ascii_alphanumeric() || b"-._~!$'()*,;:@/?+=".contains(&byte)
            });
        }
    }
}

fn escape(form: &mut String, byte: u8, stays: impl Fn(u8) -> bool) {
    if stays(byte) {
        form.push(char::from(byte));
    } else {
        // Writing to a string cannot fail.
        let _ = write!(form, "%{byte:02X}");
    }
}

/// `%XX` and `+` taken back.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (byte, ahead.next().and_then(digit), ahead.next().and_then(digit)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                bytes = ahead;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
    }
    out
}
