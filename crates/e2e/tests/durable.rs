//! What the API calls durable survives a kill, in every format.

use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::livetape::Settings;
use livetape_testkit::packets::Packet;
use livetape_testkit::{Livetape, Reel, Tape, clip};
use serde_json::Value;

use crate::FORMATS;

/// A live stream as the API shows it.
fn shown(livetape: &Livetape, stream: &str) -> Value {
    let streams = livetape.http.json("/v1/streams");
    let items = streams["items"].as_array().unwrap_or_else(|| panic!("{streams:#}"));
    items.iter().find(|item| item["stream"] == stream).unwrap_or_else(|| panic!("{streams:#}")).clone()
}

fn number(value: &Value, field: &str) -> i64 {
    value[field].as_i64().unwrap_or_else(|| panic!("{field} in {value:#}"))
}

/// How many of `pushed` are there before `until_ms`, counted from `origin`.
fn before(pushed: &[Packet], origin: i64, until_ms: i64) -> usize {
    pushed.iter().take_while(|packet| (packet.pts - origin) / 1000 < until_ms).count()
}

#[test]
fn every_frame_before_the_moment_called_durable_survives_a_kill() {
    let mut livetape = Livetape::start(&Settings::new().set("record.sync_interval", "\"1s\""));
    let pushed = Tape::read(&clip::long());
    let origin = pushed.video.iter().chain(&pushed.audio).map(|packet| packet.pts).min().unwrap();
    let mut said = Vec::new();
    for round in 0..10 {
        let stream = format!("durable{round}");
        let push = ffmpeg::push(Version::Debian, &clip::long(), &livetape.url(&stream), Pace::Live);
        livetape.wait_live(&stream, 1.5 + 0.23 * f64::from(round));
        let view = shown(&livetape, &stream);
        livetape.kill();
        drop(push);
        livetape.start_again();

        let (received, durable) = (number(&view, "duration_ms"), number(&view, "durable_until_ms"));
        assert!(durable > 0 && durable <= received, "{view:#}");
        assert!(number(&view, "synced_until_ms") <= durable, "{view:#}");
        assert!(number(&view, "written_ms") > 0, "{view:#}");
        assert_eq!(view["silent"], false);
        let open = view["recordings"].as_array().unwrap();
        assert_eq!(open.len(), 3, "{view:#}");
        assert!(open.iter().all(|open| open["growing"] == true && number(open, "durable_until_ms") > 0), "{view:#}");

        for recording in livetape.wait_ready(&stream, &FORMATS, 1) {
            let reel = Reel::read(&livetape.file(&recording));
            for (kind, pushed, recorded) in
                [("video", &pushed.video, &reel.stored.video), ("audio", &pushed.audio, &reel.stored.audio)]
            {
                let begin = pushed.iter().position(|packet| packet.hash == recorded[0].hash).unwrap();
                // Sound from before the first picture may be left out.
                assert!(begin == 0 || (kind == "audio" && begin < 10), "{kind} begins with number {begin}");
                let promised = before(pushed, origin, durable);
                let kept = begin + recorded.len();
                assert!(kept >= promised, "{kind}: {kept} of {promised} frames before {durable} ms in {recording:?}");
                for (pushed, recorded) in pushed[begin..].iter().zip(recorded) {
                    assert_eq!(pushed.hash, recorded.hash, "{kind} in {recording:?}");
                }
            }
        }
        said.push((received, durable, number(&view, "synced_until_ms")));
    }
    println!("received, durable, synced in ms at each kill: {said:?}");
}
