use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_743_484_200;

/// An event of the push of `live/cam`, of type `kind`, that says `data` besides what all say.
fn event(kind: &str, data: &Value) -> Event {
    event_of(kind, data, "cam", "colour=red&txSecret=***")
}

fn event_of(kind: &str, data: &Value, stream: &str, query: &str) -> Event {
    let mut all = json!({
        "session_id": "ses_0192f0c1000070008123456789abcdef", "app": "live", "stream": stream,
        "started_at": "2025-04-01T05:08:14.224Z", "ended_at": "2025-04-01T05:09:13.809Z", "end_reason": "unpublish",
    });
    all.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    let body = json!({
        "id": "evt_1", "type": kind, "timestamp": "2025-04-01T05:09:14.000Z", "seq": 7, "data": all,
        "push": {
            "node": "0192f0c1-0000-7000-8000-00000000000a", "query": query, "remote_addr": "192.0.2.1:40000",
            "tc_url": "rtmp://push.example.com:1935/live", "encoder": "FMLE/3.0 (compatible)", "start_ms": 80,
        },
    });
    Event { id: "evt_1".to_owned(), kind: kind.to_owned(), body: Bytes::from(body.to_string()) }
}

fn ready(format: &str) -> Value {
    json!({
        "id": format!("rec_0192f0c1000070008123456789abcdef_{format}_1"), "format": format, "state": "ready",
        "key": format!("live/cam/2025-04-01/cam-1.{format}"), "store": "primary", "sequence": 1,
        "url": format!("https://tape.example.com/media/live/cam/2025-04-01/cam-1.{format}"),
        "size_bytes": 31_869_806, "duration_ms": 59_585,
        "video": { "codec": "h264", "width": 1920, "height": 1080, "frame_rate": 25.0, "frames": 1490 },
    })
}

fn tencent() -> Tencent {
    Tencent { key: "testkey123".to_owned(), app_id: 1_250_000_000, legacy_fields: false, text_time: false }
}

fn sent(dialect: &Dialect, event: &Event) -> Option<String> {
    let message = dialect.message(event, NOW).unwrap()?;
    Some(String::from_utf8(message.body.to_vec()).unwrap())
}

fn sent_json(dialect: &Dialect, event: &Event) -> Value {
    serde_json::from_str(&sent(dialect, event).unwrap()).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The types of an object's members.
fn types(value: &Value) -> BTreeMap<&str, &'static str> {
    let of = |value: &Value| match value {
        Value::String(_) => "text",
        Value::Number(number) if number.is_i64() => "integer",
        _ => "other",
    };
    value.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), of(value))).collect()
}

#[test]
fn the_signature_is_that_of_the_vector() {
    assert_eq!(tencent::signature("testkey123", "1703732078"), "2a2aec3f5cf187fcbf46e3a1b35d37e0");
    let all = sent_json(&Dialect::Tencent(tencent()), &event("stream.started", &json!({})));
    assert_eq!(all["t"], json!(NOW + 600));
    assert_eq!(all["sign"], json!(tencent::signature("testkey123", &(NOW + 600).to_string())));
    let text = Dialect::Tencent(Tencent { text_time: true, ..tencent() });
    assert_eq!(sent_json(&text, &event("stream.started", &json!({})))["t"], json!((NOW + 600).to_string()));
    let unsigned = Dialect::Tencent(Tencent { key: String::new(), ..tencent() });
    let body = sent_json(&unsigned, &event("stream.started", &json!({})));
    assert!(body.get("t").is_none() && body.get("sign").is_none(), "{body}");
}

#[test]
fn a_ready_file_has_the_fields_and_types_of_a_real_callback() {
    let real: Value = serde_json::from_str(
        r#"{"app":"000000.push.tlivecloud.com","appid":1250000000,"appname":"live",
        "callback_ext":"{\"video_codec\":\"h264\",\"session_id\":\"1820625260475124043\",\"resolution\":\"1920x1080\"}",
        "channel_id":"119","duration":60,"end_time":1743484153,"end_time_usec":809196,"event_type":100,
        "file_format":"hls","file_id":"1250000000_783c","file_size":31869806,"media_start_time":80,"record_bps":0,
        "record_file_id":"1250000000_783c","record_temp_id":"1569294","start_time":1743484094,"start_time_usec":224855,
        "stream_id":"119","stream_param":"txFrom=pullpush&upstream_sequence=1","task_id":"1820625260475124043",
        "video_id":"1250000000_31b9","video_url":"http://bucket.cos.ap-shanghai.myqcloud.com/streams/119/1_eof.m3u8"}"#,
    )
    .unwrap();
    let unsigned = Dialect::Tencent(Tencent { key: String::new(), ..tencent() });
    let ours = sent_json(&unsigned, &event("recording.ready", &ready("hls")));
    assert_eq!(types(&ours), types(&real));
    for key in ["appid", "appname", "duration", "end_time", "event_type", "file_format", "file_size", "start_time"] {
        assert_eq!(ours[key], real[key], "{key}");
    }
    assert_eq!((&ours["media_start_time"], &ours["start_time_usec"]), (&json!(80), &json!(224_000)));
    assert_eq!(ours["app"], "push.example.com");
    assert_eq!(ours["stream_param"], "colour=red&txSecret=***");
    let number = 0x0123_4567_89ab_cdef_u64.to_string();
    let extension = format!(r#"{{"video_codec":"h264","session_id":"{number}","resolution":"1920x1080"}}"#);
    assert_eq!((ours["callback_ext"].as_str(), ours["task_id"].as_str()), (Some(&*extension), Some(&*number)));
}

#[test]
fn a_recording_of_a_task_names_it() {
    let dialect = Dialect::Tencent(tencent());
    let mut of_task = ready("mp4");
    of_task["task_id"] = json!("task_0192f0c10000700080000000000002ff");
    let body = sent_json(&dialect, &event("recording.ended", &of_task));
    assert!(body["record_detail"].as_str().unwrap().contains("\"start_model\":5"));
    assert_eq!(body["task_id"], "767");
    assert_eq!(sent_json(&dialect, &event("recording.ready", &of_task))["task_id"], "767");
}

#[test]
fn the_legacy_option_leaves_the_fields_of_2017() {
    let legacy = Dialect::Tencent(Tencent { legacy_fields: true, ..tencent() });
    let body = sent_json(&legacy, &event("recording.ready", &ready("flv")));
    let expected = [
        "appid",
        "channel_id",
        "duration",
        "end_time",
        "event_type",
        "file_format",
        "file_id",
        "file_size",
        "record_file_id",
        "sign",
        "start_time",
        "stream_id",
        "stream_param",
        "t",
        "video_id",
        "video_url",
    ];
    assert_eq!(keys(&body), expected);
    assert_eq!(body["file_format"], "flv");
    assert_eq!(sent(&legacy, &event("recording.started", &ready("flv"))), None);
    assert_eq!(legacy.accepts(200, b""), Ok(()));
    assert_eq!(legacy.accepts(200, br#"{ "code":0 }"#), Ok(()));
    assert!(legacy.accepts(200, br#"{"code":1}"#).is_err() && legacy.accepts(200, br#"{"code":"0"}"#).is_err());
}

#[test]
fn pushes_begin_and_end_with_one_sequence() {
    let dialect = Dialect::Tencent(tencent());
    let begun = sent_json(&dialect, &event("stream.started", &json!({ "ended_at": null, "end_reason": null })));
    let ended = sent_json(&dialect, &event("stream.ended", &json!({})));
    let sample: Value = serde_json::from_str(
        r#"{"app":"test.domain.com","appid":12345678,"appname":"live","channel_id":"test_stream","errcode":1,
        "errmsg":"The push client actively stopped the push","event_time":1703731606,"event_type":0,"height":0,
        "idc_id":34,"node":"42.81.194.37","push_duration":"128581","sequence":"2210464508206756938","set_id":2,
        "sign":"..","stream_id":"test_stream","stream_param":"stream_param=test","t":1703732206,"user_ip":"1.1.1.1",
        "width":0}"#,
    )
    .unwrap();
    assert_eq!(types(&ended), types(&sample));
    assert_eq!((&ended["errcode"], &ended["errmsg"]), (&sample["errcode"], &sample["errmsg"]));
    assert_eq!((&ended["push_duration"], &ended["user_ip"]), (&json!("59585"), &json!("192.0.2.1")));
    assert_eq!((&begun["event_type"], &begun["errcode"], &begun["errmsg"]), (&json!(1), &json!(0), &json!("ok")));
    assert_eq!(begun["sequence"], ended["sequence"]);
    assert!(begun.get("push_duration").is_none());
    let code = |reason: &str| {
        sent_json(&dialect, &event("stream.ended", &json!({ "end_reason": reason })))["errcode"].as_i64().unwrap()
    };
    let codes = ["drop", "idle_timeout", "takeover", "protocol_error", "disconnect", "shutdown", "crash"].map(code);
    assert_eq!(codes, [12, 8, 102, 6, 100, 5, 5]);
}

#[test]
fn a_recordings_state_is_told_as_in_the_sample() {
    let dialect = Dialect::Tencent(tencent());
    let body = sent_json(&dialect, &event("recording.ended", &ready("hls")));
    let detail =
        r#"{"file_format":2,"record_bps":0,"start_model":1,"record_content":1,"source_type":1,"codec_temp_id":0}"#;
    assert_eq!(body["record_detail"], detail);
    assert_eq!((&body["record_event"], &body["seq"]), (&json!("record_ended"), &json!("7")));
    let expected = [
        "appid",
        "appname",
        "domain",
        "event_time",
        "event_type",
        "record_detail",
        "record_event",
        "seq",
        "session_id",
        "sign",
        "stream_id",
        "t",
    ];
    assert_eq!(keys(&body), expected);
    let mut of_task = ready("mp4");
    of_task["task_id"] = json!("task_0192f0c10000700080000000000002ff");
    let body = sent_json(&dialect, &event("recording.ended", &of_task));
    assert!(body["record_detail"].as_str().unwrap().contains("\"start_model\":5"));
    assert_eq!(body["task_id"], "767");
    assert_eq!(sent_json(&dialect, &event("recording.ready", &of_task))["task_id"], "767");
    let state = |kind: &str, warning: &str| {
        let body = sent_json(&dialect, &event(kind, &json!({ "kind": warning, "format": "mp4" })));
        body["record_event"].as_str().unwrap_or_default().to_owned()
    };
    for (kind, warning, expected) in [
        ("recording.started", "", "record_start_succeeded"),
        ("recording.discarded", "", "record_ended"),
        ("recording.failed", "", "record_error"),
        ("recording.warning", "disk_low", "record_start_failed"),
        ("recording.paused", "", "record_paused"),
        ("recording.resumed", "", "record_resumed"),
    ] {
        assert_eq!(state(kind, warning), expected, "{kind} {warning}");
    }
}

#[test]
fn exceptions_have_the_shape_of_the_sample() {
    let dialect = Dialect::Tencent(tencent());
    let warning = |kind: &str| {
        event("recording.warning", &json!({ "kind": kind, "detail": "it jumped \"far\"\n", "format": "hls" }))
    };
    let sample: Value = serde_json::from_str(
        r#"{"interface":"general_callback","event_type":341,"appid":1,"domain":"d","path":"live","stream_id":"s",
        "session_id":"1","file_format":"ts","timestamp":1739934527,"exception_level":"info",
        "exception":{"type":-201,"desc":"video ts deviation: 100.000000","occurs":4},"sign":"s","t":1}"#,
    )
    .unwrap();
    let body = sent_json(&dialect, &warning("timestamp_jump"));
    assert_eq!((types(&body), types(&body["exception"])), (types(&sample), types(&sample["exception"])));
    assert_eq!(body["exception"], json!({ "type": -9, "desc": "it jumped \"far\"\n", "occurs": 1 }));
    for (kind, level, number) in [
        ("timestamp_repaired", "info", -11),
        ("stream_silent", "warning", -18),
        ("timestamp_gap", "warning", -201),
        ("timestamps_stuck", "info", -23),
        ("audio_video_apart", "warning", -10),
        ("no_audio", "warning", -17),
        ("no_video", "warning", -18),
        ("resolution_changed", "info", -100),
        ("gop_irregular", "warning", -132),
        ("recording_stalled", "error", -104),
        ("disk_trouble", "error", -104),
        ("codec_changed", "info", -120),
        ("frames_dropped", "warning", -130),
        ("key_frame_missing", "warning", -132),
    ] {
        let body = sent_json(&dialect, &warning(kind));
        assert_eq!((&body["exception_level"], &body["exception"]["type"]), (&json!(level), &json!(number)), "{kind}");
    }
    assert_eq!(sent(&dialect, &warning("stream_resumed")), None);
    assert_eq!(sent(&dialect, &event("recording.deleted", &ready("mp4"))), None);
}

#[test]
fn srs_hooks_are_those_of_srs_to_the_byte() {
    let roots = MediaRoots { primary: Some("/var/lib/livetape/media".to_owned()), fallback: None };
    let dialect = Dialect::Srs(roots);
    let common = |action: &str| {
        format!(
            concat!(
                r#"{{"server_id":"vid-000000a","service_id":"0000000a","action":"{}","client_id":"89abcdef","#,
                r#""ip":"192.0.2.1","vhost":"__defaultVhost__","app":"live","#,
                r#""tcUrl":"rtmp://push.example.com:1935/live","stream":"cam","param":"?colour=red&txSecret=***","#,
                r#""stream_url":"push.example.com/live/cam","stream_id":"vid-1234567""#
            ),
            action
        )
    };
    assert_eq!(sent(&dialect, &event("stream.started", &json!({}))).unwrap(), common("on_publish") + "}");
    assert_eq!(sent(&dialect, &event("stream.ended", &json!({}))).unwrap(), common("on_unpublish") + "}");
    let dvr = r#","cwd":"/var/lib/livetape/media","file":"./live/cam/2025-04-01/cam-1.flv"}"#;
    assert_eq!(sent(&dialect, &event("recording.ready", &ready("flv"))).unwrap(), common("on_dvr") + dvr);
    let hls = concat!(
        r#","duration":59.585,"cwd":"/var/lib/livetape/media","file":"./live/cam/2025-04-01/cam-1.hls","#,
        r#""url":"live/cam/2025-04-01/cam-1.hls","m3u8":"./live/cam/2025-04-01/cam-1.hls","#,
        r#""m3u8_url":"https://tape.example.com/media/live/cam/2025-04-01/cam-1.hls","seq_no":1}"#
    );
    assert_eq!(sent(&dialect, &event("recording.ready", &ready("hls"))).unwrap(), common("on_hls") + hls);
    let in_a_bucket = sent_json(&Dialect::Srs(MediaRoots::default()), &event("recording.ready", &ready("mp4")));
    assert_eq!((&in_a_bucket["cwd"], &in_a_bucket["file"]), (&json!(""), &ready("mp4")["url"]));
    let named = event_of("stream.started", &json!({}), "cam", "vhost=video.test.com");
    assert_eq!(sent_json(&dialect, &named)["vhost"], "video.test.com");
    for kind in ["recording.started", "recording.ended", "recording.warning", "recording.deleted"] {
        assert_eq!(sent(&dialect, &event(kind, &ready("mp4"))), None, "{kind}");
    }
}

#[test]
fn srs_replies_are_read_by_its_rules() {
    let dialect = Dialect::Srs(MediaRoots::default());
    for answer in ["0", " 0\n", r#"{"code":0}"#, r#"{"code":0,"msg":"OK"}"#] {
        assert_eq!(dialect.accepts(200, answer.as_bytes()), Ok(()), "{answer}");
        assert_eq!(dialect.accepts(201, answer.as_bytes()), Ok(()), "{answer}");
        assert!(dialect.accepts(202, answer.as_bytes()).is_err() && dialect.accepts(500, answer.as_bytes()).is_err());
    }
    for answer in ["", " ", "1", "ok", "{}", r#"{"code":"0"}"#, r#"{"code":1}"#, r#"{"code":0"#, "null", "[0]", "0.0"] {
        assert!(dialect.accepts(200, answer.as_bytes()).is_err(), "{answer}");
    }
}

#[test]
fn nginx_rtmp_notifications_are_forms() {
    let roots = MediaRoots { primary: Some("/rec/".to_owned()), fallback: Some("/spare".to_owned()) };
    let dialect = Dialect::NginxRtmp(roots);
    let prefix = "app=live&flashver=FMLE%2F3.0%20%28compatible%29&swfurl=&tcurl=rtmp%3A%2F%2Fpush.example.com%3A1935%2Flive\
                  &pageurl=&addr=192.0.2.1&clientid=2309737967";
    let args = "&colour=red&txSecret=***";
    assert_eq!(
        sent(&dialect, &event("stream.started", &json!({}))).unwrap(),
        format!("{prefix}&call=publish&name=cam&type=live{args}")
    );
    assert_eq!(
        sent(&dialect, &event("stream.ended", &json!({}))).unwrap(),
        format!("{prefix}&call=publish_done&name=cam{args}")
    );
    assert_eq!(
        sent(&dialect, &event("recording.ready", &ready("flv"))).unwrap(),
        format!(
            "{prefix}&call=record_done&recorder=flv&name=cam&path=%2Frec%2Flive%2Fcam%2F2025-04-01%2Fcam-1.flv{args}"
        )
    );
    let mut elsewhere = ready("flv");
    elsewhere["store"] = json!("fallback");
    assert!(sent(&dialect, &event("recording.ready", &elsewhere)).unwrap().contains("path=%2Fspare%2Flive%2Fcam"));
    assert_eq!(sent(&dialect, &event("recording.ended", &ready("flv"))), None);
    let message = dialect.message(&event("stream.started", &json!({})), NOW).unwrap().unwrap();
    assert_eq!(message.content_type, "application/x-www-form-urlencoded");
    assert_eq!(dialect.accepts(204, b""), Ok(()));
    assert!(dialect.accepts(302, b"").is_err());
}

#[test]
fn hostile_names_and_queries_speak_for_nobody_else() {
    let stream = "a&call=x=\"\u{202e}é\n%zz{\"app\":1}";
    let query = "call=publish_done&%63all=x&APP=evil&ok=%e9%zz \"'&=&name&colour=a#b&x=1;y=é";
    let hostile = event_of("stream.started", &json!({}), stream, query);
    let form = sent(&Dialect::NginxRtmp(MediaRoots::default()), &hostile).unwrap();
    assert!(form.bytes().all(|byte| byte.is_ascii_graphic()), "{form}");
    assert_eq!(form.matches("call=").count(), 1, "{form}");
    let escaped = "name=a%26call%3Dx%3D%22%E2%80%AE%C3%A9%0A%25zz%7B%22app%22%3A1%7D&type=live";
    assert!(form.contains(escaped), "{form}");
    assert!(form.ends_with("&ok=%e9%25zz%20%22'&=&colour=a%23b&x=1;y=%C3%A9"), "{form}");
    for dialect in [Dialect::Tencent(tencent()), Dialect::Srs(MediaRoots::default())] {
        let body = sent_json(&dialect, &hostile);
        let name = body.get("stream_id").filter(|_| body.get("channel_id").is_some()).or(body.get("stream"));
        assert_eq!(name, Some(&json!(stream)));
    }
}

#[test]
fn an_event_from_before_pushes_were_told_of_can_be_told_too() {
    let body = json!({
        "id": "evt_1", "type": "recording.ready", "timestamp": "2025-04-01T05:09:14.000Z",
        "data": { "id": "rec_1", "format": "mp4", "app": "live", "stream": "cam" },
    });
    let event = Event { id: "evt_1".into(), kind: "recording.ready".into(), body: Bytes::from(body.to_string()) };
    for dialect in
        [Dialect::Tencent(tencent()), Dialect::Srs(MediaRoots::default()), Dialect::NginxRtmp(MediaRoots::default())]
    {
        assert!(sent(&dialect, &event).is_some());
    }
    let torn = Event { body: Bytes::from_static(b"{"), ..event };
    assert!(Dialect::Tencent(tencent()).message(&torn, NOW).is_err());
}

#[test]
fn addresses_and_hosts_are_taken_apart() {
    let of = |remote: &str, url: &str| {
        let push = json!({ "remote_addr": remote, "tc_url": url });
        let body = json!({ "type": "x", "timestamp": "2025-04-01T05:09:14.000Z", "data": {}, "push": push });
        let envelope: Envelope = serde_json::from_value(body).unwrap();
        (envelope.address().to_owned(), envelope.host().to_owned())
    };
    for (remote, url, address, host) in [
        ("192.0.2.1:5", "rtmp://h:1935/live", "192.0.2.1", "h"),
        ("[2001:db8::1]:5", "rtmps://[2001:db8::2]:1935/live", "2001:db8::1", "2001:db8::2"),
        ("", "", "", ""),
        ("[broken", "rtmp://", "[broken", ""),
        ("nothing", "live", "nothing", ""),
    ] {
        assert_eq!(of(remote, url), (address.to_owned(), host.to_owned()));
    }
}
