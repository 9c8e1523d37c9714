//! Who may push: whether what is set fits together.

use livetape_finalize::webhook::ReceiverUrl;

use super::{Findings, MINUTE};
use crate::config::{Period, PushAuthorization, PushSettings};

/// A key or a token that is shorter can be guessed.
const SHORT: usize = 16;

pub(super) fn push(push: &PushSettings, findings: &mut Findings<'_>) {
    let secret = |secret: &super::Secret, key: &'static str| if secret.is_empty() { None } else { Some(key) };
    match push.authorization {
        PushAuthorization::Open => {}
        PushAuthorization::Signed if push.key.is_empty() => {
            findings.problem("push.key", "signed pushes need a key; set push.key or push.key_file");
        }
        PushAuthorization::Token if push.tokens.is_empty() => {
            findings.problem("push.token", "pushes with a token need one; set push.token or push.token_file");
        }
        PushAuthorization::Http if push.url.is_empty() => {
            findings.problem("push.url", "there must be somebody to ask; set push.url");
        }
        PushAuthorization::Signed | PushAuthorization::Token | PushAuthorization::Http => {}
    }
    // Who set one of these thinks that not everybody may push.
    let idle = [
        (PushAuthorization::Signed, secret(&push.key, "push.key")),
        (PushAuthorization::Signed, secret(&push.backup_key, "push.backup_key")),
        (PushAuthorization::Token, (!push.tokens.is_empty()).then_some("push.token")),
        (PushAuthorization::Http, (!push.url.is_empty()).then_some("push.url")),
    ];
    for (needed, setting) in idle {
        if let Some(setting) = setting
            && needed != push.authorization
        {
            let (needed, found) = (needed.name(), push.authorization.name());
            let message = format!("it is set and does nothing: push.authorization is \"{found}\", not \"{needed}\"");
            findings.warning(setting, message);
        }
    }
    if !push.url.is_empty()
        && let Err(error) = push.url.reveal().parse::<ReceiverUrl>()
    {
        findings.problem("push.url", error.to_string());
    }
    for (key, setting) in [(&push.key, "push.key"), (&push.backup_key, "push.backup_key")] {
        if !key.is_empty() && key.reveal().len() < SHORT {
            findings.warning(setting, format!("a key of less than {SHORT} characters can be guessed"));
        }
    }
    if push.tokens.iter().any(|token| token.reveal().len() < SHORT) {
        findings.warning("push.token", format!("a token of less than {SHORT} characters can be guessed"));
    }
    findings.period("push.timeout", push.timeout, Period::from_millis(100)..=MINUTE);
    findings.period("push.cache", push.cache, Period::from_millis(0)..=Period::from_mins(5));
    findings.count("push.max_requests", push.max_requests, 1..=1_000);
}
