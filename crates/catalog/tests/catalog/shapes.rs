//! The JSON that callers of the API and receivers of webhooks see, to the byte.

use livetape_catalog::{Change, Page, object_url};

use crate::fixture::{Fixture, at, failed, finished, ready, recording, recording_id, session, session_id, uploading};

const READY: &str = concat!(
    r#"{"id":"rec_0192f0c1000070008000000000000001_mp4_1","session_id":"ses_0192f0c1000070008000000000000001","#,
    r#""app":"live","stream":"s1","format":"mp4","state":"ready","key":"live/s1/2026-11-22/s1-210000-1.mp4","#,
    r#""url":"https://tape.example.com/media/live/s1/2026-11-22/s1-210000-1.mp4","store":"primary","size_bytes":3000000,"#,
    r#""duration_ms":10010,"started_at":"2026-11-22T21:00:01.000Z","ended_at":"2026-11-22T21:00:11.000Z","#,
    r#""start_reason":"publish","end_reason":"unpublish","#,
    r#""video":{"codec":"h264","width":1920,"height":1080,"frame_rate":29.97,"frames":300},"#,
    r#""audio":{"codec":"aac","sample_rate":48000,"channels":2,"frames":469},"#,
    r#""sequence":1,"recovered":false,"lost_ms":null,"error":null,"bit_rate":2397602,"deletion_reason":null}"#
);

/// The push behind every event of session 1; `start_ms` is of a recording only.
fn push(start_ms: &str) -> String {
    format!(
        concat!(
            r#""push":{{"node":"NODE","query":"record=mp4","remote_addr":"192.0.2.1:50000","#,
            r#""tc_url":"rtmp://push.example.com/live","encoder":"obs","start_ms":{}}}"#
        ),
        start_ms
    )
}

/// The body of an event, of a node whose id does not matter.
fn body(fixture: &Fixture, event: &livetape_catalog::EventRow) -> String {
    event.body.replace(fixture.catalog.node(), "NODE")
}

fn ready_fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    fixture.done(finished(1));
    fixture.done(uploading(1));
    fixture.done(ready(1));
    fixture
}

#[test]
fn a_ready_recording_looks_the_same_in_the_api_and_in_its_event() {
    let fixture = ready_fixture();
    let view = fixture.catalog.recording(&recording_id(1)).unwrap().unwrap();
    assert_eq!(serde_json::to_string(&view).unwrap(), READY);

    let event = fixture.events().pop().unwrap();
    assert_eq!(
        body(&fixture, &event),
        format!(
            r#"{{"id":"evt_0192f0c1000070008000000000000001_mp4_1_ready","type":"recording.ready","timestamp":"2026-11-22T21:00:12.000Z","seq":4,"data":{READY},{}}}"#,
            push("700")
        )
    );
    assert_eq!(serde_json::to_string(&event).unwrap(), event.body);
    assert!(!event.id.contains('.'));

    let page: Page<_> = fixture.catalog.recordings(&Default::default()).unwrap();
    assert_eq!(serde_json::to_string(&page).unwrap(), format!(r#"{{"items":[{READY}],"next_cursor":null}}"#));
}

#[test]
fn a_growing_recording_says_null_for_what_is_not_known_yet() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    let mut new = recording(1);
    new.audio = None;
    new.video.as_mut().unwrap().frame_rate = None;
    fixture.done(Change::RecordingOpened(new));
    let event = fixture.events().pop().unwrap();
    assert_eq!(
        body(&fixture, &event).replace(&push("700"), "PUSH"),
        concat!(
            r#"{"id":"evt_0192f0c1000070008000000000000001_mp4_1_started","type":"recording.started","#,
            r#""timestamp":"2026-11-22T21:00:01.000Z","seq":2,"data":{"id":"rec_0192f0c1000070008000000000000001_mp4_1","#,
            r#""session_id":"ses_0192f0c1000070008000000000000001","app":"live","stream":"s1","format":"mp4","#,
            r#""state":"recording","key":"live/s1/2026-11-22/s1-210000-1.mp4","url":"https://tape.example.com/media/live/s1/2026-11-22/s1-210000-1.mp4","#,
            r#""store":null,"size_bytes":null,"#,
            r#""duration_ms":null,"started_at":"2026-11-22T21:00:01.000Z","ended_at":null,"start_reason":"publish","#,
            r#""end_reason":null,"video":{"codec":"h264","width":1920,"height":1080,"frame_rate":null,"frames":0},"#,
            r#""audio":null,"sequence":1,"recovered":false,"lost_ms":null,"error":null,"bit_rate":null,"deletion_reason":null},PUSH}"#
        )
    );
}

#[test]
fn sessions_and_warnings_have_their_own_shapes() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    for recording in [Some(recording_id(1)), None] {
        fixture.done(Change::Warning {
            session: session_id(1),
            recording,
            kind: "frames_skipped".to_owned(),
            detail: "12 frames before the first key frame".to_owned(),
            at: at(2),
        });
    }
    fixture.done(Change::SessionEnded { id: session_id(1), at: at(9), reason: "drop".to_owned() });
    let bodies: Vec<String> =
        fixture.events().iter().map(|event| body(&fixture, event).replace(&push("null"), "PUSH")).collect();
    let session = |times: &str| {
        format!(
            concat!(
                r#"{{"session_id":"ses_0192f0c1000070008000000000000001","app":"live","stream":"s1","#,
                r#""query":"record=mp4","remote_addr":"192.0.2.1:50000",{}}}"#
            ),
            times
        )
    };
    assert_eq!(
        bodies[0],
        format!(
            r#"{{"id":"evt_0192f0c1000070008000000000000001_started","type":"stream.started","timestamp":"2026-11-22T21:00:00.000Z","seq":1,"data":{},PUSH}}"#,
            session(r#""started_at":"2026-11-22T21:00:00.000Z","ended_at":null,"end_reason":null"#)
        )
    );
    assert_eq!(
        bodies[4],
        format!(
            r#"{{"id":"evt_0192f0c1000070008000000000000001_ended","type":"stream.ended","timestamp":"2026-11-22T21:00:09.000Z","seq":5,"data":{},PUSH}}"#,
            session(
                r#""started_at":"2026-11-22T21:00:00.000Z","ended_at":"2026-11-22T21:00:09.000Z","end_reason":"drop""#
            )
        )
    );
    assert_eq!(
        bodies[2],
        concat!(
            r#"{"id":"evt_0192f0c1000070008000000000000001_mp4_1_warning_1","type":"recording.warning","#,
            r#""timestamp":"2026-11-22T21:00:02.000Z","seq":3,"data":{"recording_id":"rec_0192f0c1000070008000000000000001_mp4_1","#,
            r#""session_id":"ses_0192f0c1000070008000000000000001","app":"live","stream":"s1","format":"mp4","#,
            r#""kind":"frames_skipped","track":null,"phase":"once","count":1,"detail":"12 frames before the first key frame"},PUSH}"#
        )
    );
    assert!(bodies[3].contains(r#""recording_id":null"#) && bodies[3].contains(r#""format":null"#), "{}", bodies[3]);
}

#[test]
fn a_failed_recording_says_why_and_events_stay_small() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    fixture.done(Change::RecordingOpened(recording(1)));
    fixture.done(Change::RecordingOpened(livetape_catalog::NewRecording {
        id: livetape_record::RecordingId { sequence: 2, ..recording_id(1) },
        key: "other".to_owned(),
        ..recording(1)
    }));
    fixture.done(failed(1));
    let view = fixture.catalog.recording(&recording_id(1)).unwrap().unwrap();
    assert_eq!((view.error.as_deref(), view.url, view.ended_at), (Some("the file is damaged"), None, Some(at(13))));
    fixture.done(Change::RecordingFailed {
        id: livetape_record::RecordingId { sequence: 2, ..recording_id(1) },
        at: at(13),
        error: "\u{e9}".repeat(50_000),
    });
    let event = fixture.events().pop().unwrap();
    assert_eq!(event.kind, "recording.failed");
    assert!(event.body.len() < 20_000, "{}", event.body.len());
}

#[test]
fn every_component_of_a_key_is_escaped_in_its_address() {
    assert_eq!(object_url("http://h/media/", "live/a%2Fb c/é.mp4"), "http://h/media/live/a%252Fb%20c/%C3%A9.mp4");
    assert_eq!(object_url("http://h/media", "a-b._~/%00.m3u8"), "http://h/media/a-b._~/%2500.m3u8");
}
