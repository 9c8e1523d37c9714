use super::*;
use crate::config::{PushHash, Secret};

/// When the vectors' URLs expire, and a second before.
const EXPIRY: i64 = 0x658D_3AEE;

fn push(settings: &PushSettings, stream: &str, query: &str, remote: &str, seconds: i64) -> Option<Reason> {
    let query = Query::new(query.to_owned());
    let (remote, session) = (remote.parse().unwrap(), SessionId(uuid::Uuid::from_u128(7)));
    let push = Push { app: "live", stream, query: &query, tc_url: None, encoder: None, remote, session };
    let authorization = Authorization::new(settings).unwrap();
    match authorization.find(push, WallTime::from_unix_millis(seconds * 1_000)) {
        Finding::Now(verdict) => verdict.err().map(|denial| denial.reason),
        Finding::Later(_) => panic!("nobody is to be asked"),
    }
}

fn signed(key: &str, backup_key: &str, hash: PushHash) -> PushSettings {
    let (key, backup_key) = (Secret::new(key), Secret::new(backup_key));
    PushSettings { authorization: PushAuthorization::Signed, key, backup_key, hash, ..PushSettings::default() }
}

fn check(settings: &PushSettings, query: &str) -> Option<Reason> {
    push(settings, "test_stream", query, "192.0.2.1:4000", EXPIRY - 1)
}

const MD5_UPPER: &str = "txSecret=fbe05bf4ff86dd2dc1069c4bc2b6ee2b&txTime=658D3AEE";
const MD5_LOWER: &str = "txSecret=7776353a043e323463152c638dfab23d&txTime=658d3aee";
const SHA256: &str = "txSecret=70e92a3fb258d17f70416866e50350f75a290f918a7ad8daedca37e5e1c78d2f&txTime=658D3AEE";

#[test]
fn the_known_signatures_are_good_until_they_expire() {
    let md5 = signed("pushkey456", "", PushHash::Md5);
    let sha256 = signed("pushkey456", "", PushHash::Sha256);
    for (settings, query) in [(&md5, MD5_UPPER), (&md5, MD5_LOWER), (&sha256, SHA256)] {
        let at = |seconds| push(settings, "test_stream", query, "192.0.2.1:4000", seconds);
        assert_eq!((at(0), at(EXPIRY - 1), at(EXPIRY)), (None, None, None), "{query}");
        assert_eq!((at(EXPIRY + 1), at(i64::from(u32::MAX))), (Some(Reason::Expired), Some(Reason::Expired)));
        assert_eq!(push(settings, "other_stream", query, "192.0.2.1:4000", 0), Some(Reason::Wrong), "{query}");
    }
    // Each by its hash only.
    assert_eq!((check(&md5, SHA256), check(&sha256, MD5_UPPER)), (Some(Reason::Wrong), Some(Reason::Wrong)));
}

#[test]
fn a_signature_by_either_key_is_good_and_by_no_other() {
    assert_eq!(check(&signed("another-key", "pushkey456", PushHash::Md5), MD5_UPPER), None);
    assert_eq!(check(&signed("pushkey456", "another-key", PushHash::Md5), MD5_UPPER), None);
    assert_eq!(check(&signed("another-key", "a-third-key", PushHash::Md5), MD5_UPPER), Some(Reason::Wrong));
    // An empty key signs nothing; printf test_stream658D3AEE | md5sum
    let by_nothing = "txSecret=e3b280d2856376c14d52f69652148f03&txTime=658D3AEE";
    assert_eq!(check(&signed("pushkey456", "", PushHash::Md5), by_nothing), Some(Reason::Wrong));
    assert_eq!(check(&signed("", "", PushHash::Md5), by_nothing), Some(Reason::Wrong));
}

#[test]
fn hostile_signatures_are_refused_each_for_its_reason() {
    let settings = signed("pushkey456", "", PushHash::Md5);
    let good = "fbe05bf4ff86dd2dc1069c4bc2b6ee2b";
    let long = "f".repeat(100_000);
    for (query, expected) in [
        (String::new(), Some(Reason::Missing)),
        (format!("txSecret={good}"), Some(Reason::Missing)),
        ("txTime=658D3AEE".to_owned(), Some(Reason::Missing)),
        ("txSecret=&txTime=658D3AEE".to_owned(), Some(Reason::Missing)),
        (format!("txSecret={good}&txTime="), Some(Reason::Missing)),
        (format!("TXSECRET={good}&TXTIME=658D3AEE"), Some(Reason::Missing)),
        // The hash is over the digits as they stand there.
        (format!("txSecret={good}&txTime=658d3aee"), Some(Reason::Wrong)),
        (format!("txSecret={good}&txTime=658D3aEE"), Some(Reason::Wrong)),
        (format!("txSecret={}&txTime=658D3AEE", good.to_uppercase()), None),
        (format!("txSecret={good}&txTime=658D3AEF"), Some(Reason::Wrong)),
        (format!("txSecret={good}&txTime=0658D3AEE"), Some(Reason::Malformed)),
        (format!("txSecret={good}&txTime=658D3AE"), Some(Reason::Malformed)),
        (format!("txSecret={good}&txTime=FFFFFFFFFFFFFFFFFFFFFFFF"), Some(Reason::Malformed)),
        (format!("txSecret={good}&txTime=+58D3AEE"), Some(Reason::Malformed)),
        (format!("txSecret={good}&txTime=0x658D3A"), Some(Reason::Malformed)),
        (format!("txSecret={good}&txTime=658D3AEG"), Some(Reason::Malformed)),
        (format!("txSecret={good}&txTime=658D%203AEE"), Some(Reason::Malformed)),
        (format!("txSecret={good}&txTime=６５８Ｄ３ＡＥＥ"), Some(Reason::Malformed)),
        (format!("txSecret={good}00&txTime=658D3AEE"), Some(Reason::Wrong)),
        (format!("txSecret={}&txTime=658D3AEE", &good[..31]), Some(Reason::Wrong)),
        (format!("txSecret={good}%00&txTime=658D3AEE"), Some(Reason::Malformed)),
        (format!("txSecret={long}&txTime=658D3AEE"), Some(Reason::Wrong)),
        (format!("txSecret={good}&txTime={long}"), Some(Reason::Malformed)),
        // Twice the same says nothing new; two that differ leave it open which one is meant.
        (format!("{MD5_UPPER}&{MD5_UPPER}"), None),
        (format!("{MD5_UPPER}&txSecret={}", "0".repeat(32)), Some(Reason::Ambiguous)),
        (format!("txSecret={}&{MD5_UPPER}", "0".repeat(32)), Some(Reason::Ambiguous)),
        (format!("{MD5_UPPER}&txTime=FFFFFFFF"), Some(Reason::Ambiguous)),
        (format!("{MD5_UPPER}&tx%54ime=FFFFFFFF"), Some(Reason::Ambiguous)),
        (format!("{MD5_UPPER}&txTime"), Some(Reason::Ambiguous)),
        // An encoded URL is the same URL.
        (format!("tx%53ecret={good}&txTime=658D3AE%45"), None),
        (format!("record=mp4&{MD5_UPPER}&x=%zz"), None),
    ] {
        assert_eq!(check(&settings, &query), expected, "{}", &query[..query.len().min(120)]);
    }
}

#[test]
fn a_signature_for_one_stream_opens_no_other_whose_name_ends_in_digits() {
    let settings = signed("pushkey456", "", PushHash::Md5);
    // printf pushkey456cam1658D3AEE | md5sum
    let secret = "8dbe4225148b1f29cd47411a95627b7f";
    let allowed = |stream: &str, time: &str| {
        push(&settings, stream, &format!("txSecret={secret}&txTime={time}"), "192.0.2.1:4000", EXPIRY + 1)
    };
    assert_eq!(allowed("cam1", "658D3AEE"), Some(Reason::Expired));
    // The same text is hashed, and the time would be in another century.
    assert_eq!(allowed("cam", "1658D3AEE"), Some(Reason::Malformed));
    assert_eq!(allowed("cam16", "58D3AEE"), Some(Reason::Malformed));
}

#[test]
fn any_token_of_the_list_opens_and_nothing_else_does() {
    let tokens = ["first-token", "second token&=", ""].map(Secret::new).to_vec();
    let settings = PushSettings { authorization: PushAuthorization::Token, tokens, ..PushSettings::default() };
    for (query, expected) in [
        ("token=first-token", None),
        ("a=b&token=second%20token%26%3D", None),
        ("token=first-token&token=first-token", None),
        ("token=first-token&token=other", Some(Reason::Ambiguous)),
        ("token=", Some(Reason::Missing)),
        ("token", Some(Reason::Missing)),
        ("", Some(Reason::Missing)),
        ("Token=first-token", Some(Reason::Missing)),
        ("token=first-toke", Some(Reason::Wrong)),
        ("token=first-token%00", Some(Reason::Wrong)),
        ("token=FIRST-TOKEN", Some(Reason::Wrong)),
    ] {
        assert_eq!(check(&settings, query), expected, "{query}");
    }
}

#[test]
fn addresses_are_looked_at_first_and_deny_goes_before_allow() {
    let ranges = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<AddressRange>>();
    let settings = PushSettings {
        allow: ranges(&["192.0.2.0/24", "2001:db8::/32"]),
        deny: ranges(&["192.0.2.66"]),
        ..PushSettings::default()
    };
    let from = |remote: &str| push(&settings, "s", "", remote, 0);
    assert_eq!((from("192.0.2.1:1"), from("[2001:db8::5]:1")), (None, None));
    for refused in ["192.0.2.66:1", "198.51.100.1:1", "[2001:db9::1]:1"] {
        assert_eq!(from(refused), Some(Reason::Address), "{refused}");
    }
    let authorization = Authorization::new(&settings).unwrap();
    assert!(authorization.shuts_out("192.0.2.66".parse().unwrap()));
    assert!(!authorization.shuts_out("198.51.100.1".parse().unwrap()), "it is told that it may not");
    let both = PushSettings { allow: settings.allow, ..signed("pushkey456", "", PushHash::Md5) };
    assert_eq!(push(&both, "test_stream", MD5_UPPER, "192.0.2.1:1", 0), None);
    assert_eq!(push(&both, "test_stream", "", "192.0.2.1:1", 0), Some(Reason::Missing));
    assert_eq!(push(&both, "test_stream", MD5_UPPER, "198.51.100.1:1", 0), Some(Reason::Address));
}
