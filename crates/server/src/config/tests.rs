use std::collections::BTreeSet;
use std::path::Path;

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Loads `text` as a file, with these variables and flags; errors name the file `FILE`.
mod documents;
mod plan;

fn load_text(text: &str, variables: &[(&str, &str)], flags: &[Flag]) -> Result<Loaded, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.toml");
    fs::write(&path, text).unwrap();
    let environment = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let sources = Sources { file: Some(path.clone()), environment, flags: flags.to_vec() };
    load(&sources).map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FILE"))
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    let error = load_text(text, &[], &[]).unwrap_err();
    assert_eq!(error, expected, "\ngot:\n{error}\n");
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let loaded = load(&Sources::default()).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings, []);
    assert_eq!(load_text("", &[], &[]).unwrap().config, Config::default());
}

#[test]
fn an_unknown_setting_is_shown_with_its_line_but_not_its_value() {
    check_error(
        "[http]\nlisten = \"127.0.0.1:1\"\n  tokn = \"hunter2hunter2hunter2\"\n",
        "FILE:3:3: unknown field `tokn`, expected one of `listen`, `public_base_url`, `token`, `token_file`, \
         `public_media`, `tencent_key`, `tencent_key_file`, `max_connections`, `request_timeout`, `cors_origins`, \
         `trusted_proxies`, `max_request_rate`, `max_failure_rate`\n   |\n 3 |   tokn = ...\n   |   ^^^^",
    );
    check_error(
        "[rmtp]\n",
        "FILE:1:2: unknown field `rmtp`, expected one of `node`, `rtmp`, `rtmps`, `push`, `http`, `record`, `quality`, \
         `store`, `s3`, `fallback`, `fallback_s3`, `events`, `templates`, `rules`, `webhooks`, `log`, `shutdown`\n   |\n 1 | \
         [rmtp]\n   |  ^^^^",
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_pointed_at() {
    check_error(
        "[rtmp]\nidle_timeout = \"soon\"\n",
        "FILE:2:16: 'soon' is not a length of time; write a number and a unit (ms, s, min, h, d), such as \"400ms\", \
         \"30min\" or \"1h 30min\"\n   |\n 2 | idle_timeout = \"soon\"\n   |                ^^^^^^",
    );
    check_error(
        "[rtmp]\nidle_timeout = 30\n",
        "FILE:2:16: invalid type: integer `30`, expected a length of time in quotes, such as \"10s\"\n   |\n 2 | \
         idle_timeout = 30\n   |                ^^",
    );
    check_error(
        "[record]\nformats = [\"mp4\", \"avi\"]\n",
        "FILE:2:11: 'avi' is not a format; the formats are mp4, hls and flv\n   |\n 2 | formats = [\"mp4\", \"avi\"]\n   |  \
         \x20        ^^^^^^^^^^^^^^",
    );
}

#[test]
fn a_value_out_of_range_is_pointed_at_and_all_of_them_are_told() {
    check_error(
        "[record]\nmp4_max_duration = \"13h\"\nsegment_duration = \"1s\"\n",
        "FILE:2:20: 13h is out of range; it must be between 1s and 12h\n   |\n 2 | mp4_max_duration = \"13h\"\n   |      \
         \x20             ^^^^^\nFILE:3:20: 1s is out of range; it must be between 2s and 30s\n   |\n 3 | segment_duration \
         = \"1s\"\n   |                    ^^^^",
    );
}

#[test]
fn recordings_are_kept_for_ten_years_at_most_or_for_ever() {
    check_error(
        "[store]\nretention = \"3651d\"\n",
        "FILE:2:13: 3651d is out of range; it must be between 0s and 3650d\n   |\n 2 | retention = \"3651d\"\n   |             \
         ^^^^^^^",
    );
    for good in ["0s", "1h", "3650d"] {
        load_text(&format!("[store]\nretention = \"{good}\"\n"), &[], &[]).unwrap();
    }
}

#[test]
fn a_file_that_is_not_toml_is_pointed_at() {
    let error = load_text("[http]\nlisten = \"127.0.0.1:8080\n", &[], &[]).unwrap_err();
    assert!(error.starts_with("FILE:2:"), "{error}");
    let missing = Sources { file: Some("/nonexistent/livetape.toml".into()), ..Sources::default() };
    let error = load(&missing).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the configuration file /nonexistent/livetape.toml: "), "{error}");
}

#[test]
fn a_token_is_taken_as_it_is() {
    let token = "0123456789abcdef0123456789abcdef";
    let loaded = load_text(&format!("[http]\nlisten = \":8080\"\ntoken = \"{token}\"\n"), &[], &[]).unwrap();
    assert_eq!(loaded.config.http.tokens, [Secret::new(token)]);
    assert_eq!(loaded.warnings, []);
}

#[test]
fn the_file_goes_before_the_defaults_the_environment_before_the_file_and_flags_before_all() {
    let text = "[rtmp]\nlisten = \"127.0.0.1:1\"\nmax_connections = 1\n[http]\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n";
    let variables = [
        ("LIVETAPE__RTMP__LISTEN", "127.0.0.1:2"),
        ("LIVETAPE__HTTP__LISTEN", "127.0.0.1:2"),
        ("LIVETAPE__RTMP__MAX_CONNECTIONS", "2"),
        ("LIVETAPE_WEBHOOK_SECRET", "not a setting"),
        ("PATH", "/bin"),
    ];
    let flags = [Flag { flag: "--http", setting: "http.listen", value: "127.0.0.1:3".to_owned() }];
    let config = load_text(text, &variables, &flags).unwrap().config;
    assert_eq!(config.log.level, "warn");
    assert_eq!(config.rtmp.max_connections, 2);
    assert_eq!(config.rtmp.listen.to_string(), "127.0.0.1:2");
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:3");
    assert_eq!(config.record, RecordSettings::default());
}

#[test]
fn variables_reach_every_kind_of_setting() {
    let variables = [
        ("LIVETAPE__RECORD__FORMATS", "mp4, flv"),
        ("LIVETAPE__RECORD__MIN_FREE", "0"),
        ("LIVETAPE__HTTP__PUBLIC_MEDIA", "true"),
        ("LIVETAPE__HTTP__TOKEN", "12345678901234567890"),
        ("LIVETAPE__WEBHOOKS__0__URL", "http://127.0.0.1:9000/hook"),
        ("LIVETAPE__WEBHOOKS__0__SECRET", SECRET),
        ("LIVETAPE__WEBHOOKS__0__EVENTS", "[\"recording.ready\"]"),
        ("LIVETAPE__WEBHOOKS__1__NAME", "billing"),
        ("LIVETAPE__WEBHOOKS__1__URL", "https://example.com/"),
        ("LIVETAPE__WEBHOOKS__1__SECRET", SECRET),
    ];
    let config = load_text("", &variables, &[]).unwrap().config;
    assert_eq!(config.policies().iter().map(|policy| policy.format.name()).collect::<Vec<_>>(), ["mp4", "flv"]);
    assert_eq!(config.record.min_free.bytes(), 0);
    assert!(config.http.public_media);
    assert_eq!(config.http.tokens, [Secret::new("12345678901234567890")]);
    let names: Vec<&str> = config.webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
    assert_eq!(names, ["127-0-0-1-9000", "billing"]);
    assert_eq!(config.webhooks[0].events, ["recording.ready"]);
}

#[test]
fn a_mistake_in_a_variable_or_a_flag_names_it() {
    let error = |variables: &[(&str, &str)]| load_text("", variables, &[]).unwrap_err();
    assert_eq!(
        error(&[("LIVETAPE__RTMP__LISTEN", "nowhere")]),
        "environment variable LIVETAPE__RTMP__LISTEN: 'nowhere' is not an address to listen on; write \"127.0.0.1:8080\", \
         \"[::1]:8080\", or \":8080\" for every address"
    );
    assert!(
        error(&[("LIVETAPE__RTMP__LISTN", ":1")]).starts_with("environment variable LIVETAPE__RTMP__LISTN: unknown")
    );
    assert!(error(&[("LIVETAPE__RTMP", "x")]).starts_with("environment variable LIVETAPE__RTMP: "));
    assert_eq!(
        error(&[("LIVETAPE__RTMP__MAX_CONNECTIONS", "0")]),
        "environment variable LIVETAPE__RTMP__MAX_CONNECTIONS: 0 is out of range; it must be between 1 and 100000"
    );
    assert_eq!(
        error(&[("LIVETAPE__WEBHOOKS__1__URL", "https://example.com/")]),
        "environment variable LIVETAPE__WEBHOOKS__1__URL: webhooks.1 comes before webhooks.0"
    );
    let flags = [Flag { flag: "--data", setting: "node.data", value: String::new() }];
    let error = load_text("[node]\ndata = \"/var/lib/livetape\"\n", &[], &flags).unwrap_err();
    assert!(error.starts_with("--data: the data directory must be named"), "{error}");
}

#[test]
fn secrets_come_from_files_too() {
    let directory = tempfile::tempdir().unwrap();
    let (tokens, secret) = (directory.path().join("tokens"), directory.path().join("secret"));
    fs::write(&tokens, "first-token-first-token\n\nsecond-token-second-token\n").unwrap();
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let text = format!(
        "[http]\ntoken_file = {tokens:?}\n[[webhooks]]\nurl = \"https://example.com/\"\nsecret_file = {secret:?}\n"
    );
    let config = load_text(&text, &[], &[]).unwrap().config;
    assert_eq!(config.http.tokens, [Secret::new("first-token-first-token"), Secret::new("second-token-second-token")]);
    assert_eq!(config.webhooks[0].secret, Secret::new(SECRET));

    let error = load_text("[http]\ntoken_file = \"/nonexistent\"\n", &[], &[]).unwrap_err();
    assert!(error.starts_with("FILE:2:14: cannot read /nonexistent: "), "{error}");
    let both = text.replace("secret_file", &format!("secret = \"{SECRET}\"\nsecret_file"));
    let error = load_text(&both, &[], &[]).unwrap_err();
    assert!(error.contains("set either secret or secret_file, not both"), "{error}");
}

#[test]
fn hls_over_an_mp4_is_recorded_with_it_and_needs_it() {
    let formats = |text: &str| {
        let policies = load_text(text, &[], &[]).unwrap().config.policies();
        policies.into_iter().map(|policy| (policy.format.name(), policy.playlists)).collect::<Vec<_>>()
    };
    assert_eq!(formats(""), [("mp4", false), ("hls", false), ("flv", false)]);
    assert_eq!(formats("[record]\nhls_source = \"mp4\"\n"), [("mp4", true), ("flv", false)]);
    assert_eq!(formats("[record]\nhls_source = \"mp4\"\nformats = [\"mp4\"]\n"), [("mp4", false)]);
    let error = |rest: &str| load_text(&format!("[record]\nhls_source = \"mp4\"\n{rest}"), &[], &[]).unwrap_err();
    let alone = error("formats = [\"hls\", \"flv\"]\n");
    assert!(alone.starts_with("FILE:2:14: there is no MP4 to play HLS from"), "{alone}");
    let ts = error("segment_type = \"ts\"\n");
    assert!(ts.starts_with("FILE:2:14: what an MP4 holds is no MPEG-TS"), "{ts}");

    let bucket = "[store]\nkind = \"s3\"\n[s3]\nregion = \"x\"\nbucket = \"y\"\n";
    let room = |record: &str| {
        let policies = load_text(&format!("{record}{bucket}"), &[], &[]).unwrap().config.policies();
        policies[0].layout.mp4_reserve_max_bytes
    };
    assert_eq!((room(""), room("[record]\nhls_source = \"mp4\"\n")), (64 << 20, 8 << 20));
}

#[test]
fn a_webhook_is_checked() {
    for (lines, expected) in [
        ("url = \"https://example.com/\"", "a webhook needs a secret"),
        ("url = \"https://example.com/\"\nsecret = \"whsec_short\"", "a secret that begins with whsec_"),
        ("url = \"ftp://example.com/\"", "the URL must begin with http:// or https://"),
        ("events = [\"recording.done\"]", "'recording.done' is not a type of event"),
        ("timeout = \"5min\"", "5min is out of range; it must be between 1s and 1min"),
        ("name = \"a b\"\nurl = \"https://example.com/\"", "a webhook's name must be"),
        ("", "a webhook needs a url"),
    ] {
        let error = load_text(&format!("[[webhooks]]\n{lines}\n"), &[], &[]).unwrap_err();
        assert!(error.contains(expected), "{lines}: {error}");
        assert!(!error.contains("short"), "{error}");
    }
    let twice = format!("[[webhooks]]\nurl = \"https://example.com/a\"\nsecret = \"{SECRET}\"\n").repeat(2);
    let error = load_text(&twice, &[], &[]).unwrap_err();
    assert!(error.contains("two webhooks are called 'example-com'"), "{error}");
}

#[test]
fn no_output_shows_a_secret() {
    let text = format!(
        "[http]\ntoken = \"hunter2-hunter2-hunter2\"\n[[webhooks]]\nurl = \"https://example.com/?key=hunter2\"\nsecret = \
         \"{SECRET}\"\n"
    );
    let loaded = load_text(&text, &[], &[]).unwrap();
    for shown in [loaded.config.to_masked_toml(), format!("{loaded:?}")] {
        assert!(shown.contains("***"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("MfKQ9r8"), "{shown}");
    }
    // In errors about them, too, wherever the mistake is.
    for wrong in [
        text.replace("token =", "tokens ="),
        text.replace("secret =", "sceret ="),
        text.replace("\"hunter2-hunter2-hunter2\"", "\"hunter2 hunter2\""),
        text.replace("\"hunter2-hunter2-hunter2\"", "\"hunter2"),
        text.replace("\"hunter2-hunter2-hunter2\"", "\"\"\"\nhunter2 \\q\"\"\""),
        text.replace("\"hunter2-hunter2-hunter2\"", "[\"hunter2\"]"),
        text.replace("https://example.com", "ftp://example.com"),
        text.replace("whsec_MfKQ9r8", "whsec_hunter2!"),
    ] {
        let error = load_text(&wrong, &[], &[]).unwrap_err();
        assert!(!error.contains("hunter2") && !error.contains("MfKQ9r8"), "{wrong}\n{error}");
    }
}

#[test]
fn what_is_allowed_but_unusual_is_warned_about() {
    let warnings = |text: &str| -> Vec<String> {
        load_text(text, &[], &[]).unwrap().warnings.iter().map(|warning| warning.message.clone()).collect()
    };
    let short = warnings("[record]\nmp4_max_duration = \"2s\"\nhls_max_duration = \"9min\"\n");
    assert_eq!(
        short,
        [
            "2s makes very many small recordings; 1min or more is usual",
            "9min makes very many small recordings; 10min or more is usual"
        ]
    );
    assert_eq!(warnings("[http]\ntoken = \"short\"\n").len(), 1);
    assert_eq!(warnings("[record]\nfragment_duration = \"2s\"\n").len(), 1);
    assert_eq!(warnings("[store]\nretention = \"10min\"\n").len(), 1);
    assert_eq!(warnings("[store]\nretention = \"30d\"\nmax_size = \"1TiB\"\nmin_free = \"10GiB\"\n").len(), 0);
    let bucket = "[store]\nkind = \"s3\"\nmin_free = \"10GiB\"\n[s3]\nbucket = \"tape\"\n";
    assert_eq!(
        warnings(bucket),
        ["only a directory has a disk that can be low; with this kind of store the setting does nothing"]
    );
}

#[test]
fn a_level_that_is_none_is_refused() {
    for bad in ["inof", "info,warm", "livetape=loud"] {
        let error = load_text(&format!("[log]\nlevel = \"{bad}\"\n"), &[], &[]).unwrap_err();
        assert!(error.starts_with("FILE:2:9: "), "{error}");
    }
    load_text("[log]\nlevel = \"info,livetape_rtmp=debug\"\n", &[], &[]).unwrap();
}

#[test]
fn receivers_of_other_servers_need_no_secret_and_tencents_key_may_be_short() {
    let webhook = |lines: &str| {
        let text = format!("[[webhooks]]\nurl = \"https://example.com/\"\n{lines}\n");
        load_text(&text, &[], &[]).map(|loaded| loaded.config.webhooks[0].clone())
    };
    for good in [
        "format = \"srs\"",
        "format = \"nginx-rtmp\"",
        "format = \"tencent\"",
        "format = \"tencent\"\nsecret = \"short\"\ntencent_app_id = 1250000000\ntencent_text_time = true",
        "format = \"native\"\nsecret = \"a secret of enough bytes\"\nold_secret = \"another of enough bytes\"",
        "format = \"srs\"\nallow_addresses = [\"169.254.10.0/24\"]\nconcurrency = 64",
    ] {
        assert!(webhook(good).is_ok(), "{good}");
    }
    for (bad, expected) in [
        ("format = \"xml\"", "unknown variant `xml`"),
        ("format = \"srs\"\nsecret = \"short\"", "16 to 256 bytes"),
        ("format = \"srs\"\nold_secret = \"another of enough bytes\"", "no new one"),
        ("format = \"native\"\nsecret = \"a secret of enough bytes\"\nold_secret = \"short\"", "16 to 256 bytes"),
        ("format = \"srs\"\nallow_addresses = [\"everywhere\"]", "is not a range of addresses"),
        ("format = \"srs\"\nconcurrency = 0", "must be between 1 and 64"),
    ] {
        let error = webhook(bad).unwrap_err();
        assert!(error.contains(expected), "{bad}: {error}");
        assert!(!error.contains("\"short\"") && !error.contains("another of"), "{error}");
    }
}

#[test]
fn origins_are_checked() {
    for (origins, good) in [
        ("[\"https://console.example.com\", \"http://127.0.0.1:3000\"]", true),
        ("[\"*\"]", true),
        ("[\"https://console.example.com/\"]", false),
        ("[\"console.example.com\"]", false),
        ("[\"null\"]", false),
        ("[\"\"]", false),
    ] {
        let loaded = load_text(&format!("[http]\ncors_origins = {origins}\n"), &[], &[]);
        assert_eq!(loaded.is_ok(), good, "{origins}");
    }
}

#[test]
fn what_says_who_may_push_is_checked() {
    for (lines, expected) in [
        ("authorization = \"signed\"", "signed pushes need a key; set push.key or push.key_file"),
        ("authorization = \"signed\"\nbackup_key = \"hunter2-hunter2-hunter2\"", "signed pushes need a key"),
        ("authorization = \"token\"", "pushes with a token need one"),
        ("authorization = \"http\"", "there must be somebody to ask; set push.url"),
        ("authorization = \"http\"\nurl = \"ftp://example.com/\"", "the URL must begin with http:// or https://"),
        ("authorization = \"close\"", "unknown variant `close`"),
        ("allow = [\"10.0.0.0/33\"]", "'10.0.0.0/33' is not a range of addresses"),
        ("timeout = \"2min\"", "2min is out of range; it must be between 100ms and 1min"),
        ("cache = \"6min\"", "6min is out of range"),
        ("max_requests = 0", "0 is out of range"),
        ("hash = \"sha1\"", "unknown variant `sha1`"),
    ] {
        let error = load_text(&format!("[push]\n{lines}\n"), &[], &[]).unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{lines}: {error}");
    }
    let warnings = |lines: &str| load_text(&format!("[push]\n{lines}\n"), &[], &[]).unwrap().warnings;
    for setting in ["key", "backup_key", "token"] {
        let forgotten = warnings(&format!("{setting} = \"hunter2-hunter2-hunter2\""));
        assert!(forgotten[0].message.contains("it is set and does nothing"), "{setting}: {forgotten:?}");
    }
    assert_eq!(warnings("authorization = \"signed\"\nkey = \"hunter2-hunter2-hunter2\""), []);
    assert_eq!(warnings("authorization = \"signed\"\nkey = \"hunter2\"").len(), 1, "it can be guessed");
    assert_eq!(warnings("authorization = \"token\"\ntoken = \"hunter2\"").len(), 1, "it can be guessed");
}

#[test]
fn push_keys_and_tokens_come_from_files_and_are_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let files = ["key", "backup", "tokens"].map(|name| directory.path().join(name));
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        fs::write(file, format!("hunter2-{name}-hunter2\nhunter2-more-hunter2\n")).unwrap();
    }
    fs::write(&files[0], "hunter2-key-hunter2\n").unwrap();
    let [key, backup, tokens] = files;
    let text = format!("[push]\nkey_file = {key:?}\nbackup_key_file = {backup:?}\ntoken_file = {tokens:?}\n");
    let config = load_text(&text, &[], &[]).unwrap().config;
    assert_eq!(config.push.key.reveal(), "hunter2-key-hunter2");
    assert_eq!(config.push.tokens.len(), 2);
    for shown in [config.to_masked_toml(), format!("{config:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let error = load_text(&format!("[push]\nkey = \"hunter2\"\nkey_file = {key:?}\n"), &[], &[]).unwrap_err();
    assert!(error.contains("set either key or key_file, not both") && !error.contains("hunter2"), "{error}");
}

#[test]
fn tls_needs_a_certificate_and_its_key() {
    for (lines, expected) in [
        ("listen = \":443\"\nkey = \"key.pem\"", Err("TLS needs a certificate and its key")),
        ("listen = \":443\"\ncertificate = \"certificate.pem\"", Err("TLS needs a certificate and its key")),
        ("listen = \"443\"", Err("'443' is not an address to listen on")),
        ("listen = \":443\"\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"", Ok(0)),
        ("certificate = \"certificate.pem\"\nkey = \"key.pem\"", Ok(2)),
        ("listen = \"\"", Ok(0)),
    ] {
        match (load_text(&format!("[rtmps]\n{lines}\n"), &[], &[]), expected) {
            (Ok(loaded), Ok(warnings)) => assert_eq!(loaded.warnings.len(), warnings, "{lines}"),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (other, _) => panic!("{lines}: {other:?}"),
        }
    }
}
