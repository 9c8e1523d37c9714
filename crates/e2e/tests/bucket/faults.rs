//! The service fails, hangs, lies and goes away; everything arrives once.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use livetape_fake_s3::{Answer, Fault, Faults, Profile, Rule};
use livetape_testkit::deadline::{eventually, within};
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::{Settings, files_below};
use livetape_testkit::{Livetape, Receiver, clip};

use super::{Cloud, push};
use crate::FORMATS;

/// Pushes a clip of many parts through these faults; it arrives whole, and is announced once.
fn arrives(change: impl FnOnce(Settings) -> Settings, faults: impl Into<Faults>) -> Cloud {
    let receiver = Receiver::start();
    let cloud = Cloud::new(Profile::aws());
    let mut livetape = Livetape::start(&change(cloud.settings()).webhook(&receiver));
    cloud.network.set(faults);
    push(&livetape, "through");
    within(Duration::from_secs(150), "all three are ready", || {
        let recordings = livetape.of_stream("through");
        let states: Vec<String> = recordings.iter().map(|recording| recording.text("state")).collect();
        if states == ["ready"; 3] { Ok(()) } else { Err(format!("{states:?}")) }
    });
    let recordings = livetape.wait_ready("through", &FORMATS, 1);
    cloud.fetch(&mut livetape);
    assert_recorded(&livetape, &recordings, &clip::heavy());
    receiver.wait_for("recording.ready", 3);
    let ready: Vec<String> =
        receiver.deliveries().iter().filter(|d| d.kind() == "recording.ready").map(|d| d.id().to_owned()).collect();
    assert_eq!(ready.iter().collect::<BTreeSet<_>>().len(), ready.len(), "{ready:?}");
    for (key, object) in
        cloud.bucket.objects().iter().filter(|(key, _)| key.ends_with(".mp4") && !key.contains("init-"))
    {
        assert_eq!(object.puts, 1, "{key} was made {} times", object.puts);
    }
    cloud.assert_nothing_else(&livetape);
    livetape.fsck().unwrap();
    cloud
}

#[test]
fn requests_that_fail_now_and_then_are_made_again() {
    let rules: Vec<Rule> = vec![
        Fault::Reply(Answer::SlowDown).on("UploadPart").nth(1..=2),
        Fault::Reset { after_bytes: 1 << 20 }.on("UploadPart").nth(2..=3),
        Fault::LoseAnswer.on("UploadPart").nth(3..=4),
        Fault::Reply(Answer::InternalError).on("CreateMultipartUpload").once(),
        Fault::LoseAnswer.on("PutObject").nth(2..=3),
        Fault::Reply(Answer::ErrorIn200).on("CompleteMultipartUpload").nth(1..=2),
    ];
    arrives(|settings| settings, rules);
}

#[test]
fn a_completion_whose_answer_is_lost_is_recognised() {
    let cloud = arrives(|settings| settings, Fault::LoseAnswer.on("CompleteMultipartUpload").nth(1..=2));
    assert!(cloud.network.struck("CompleteMultipartUpload") >= 1);
}

#[test]
fn transfers_that_hang_are_given_up_and_replaced() {
    let rules: Vec<Rule> = vec![
        Fault::Swallow.on("UploadPart").nth(2..=2),
        Fault::Hang(Duration::from_secs(300)).on("UploadPart").nth(3..=3),
    ];
    let cloud = arrives(|settings| settings, rules);
    assert_eq!(cloud.network.struck("UploadPart"), 2);
}

#[test]
fn while_the_service_is_away_recording_goes_on_and_everything_arrives_when_it_is_back() {
    let receiver = Receiver::start();
    let cloud = Cloud::new(Profile::aws());
    let mut livetape = Livetape::start(&cloud.settings().webhook(&receiver));
    thread::scope(|scope| {
        let pushing = scope.spawn(|| push(&livetape, "first"));
        livetape.wait_live("first", 3.0);
        cloud.network.set(Faults::refused());
        pushing.join().unwrap();
    });
    // The disk is what counts for who may push; the service is not.
    assert_eq!(livetape.http.get("/readyz").status, 200);
    ffmpeg::push_all(Version::Current, &clip::plain(), &livetape.url("second"));
    eventually("both are finished and wait", || {
        let states: Vec<String> = livetape.recordings().iter().map(|recording| recording.text("state")).collect();
        let waiting = states.iter().filter(|state| *state == "finished" || *state == "uploading").count();
        if waiting == 6 { Ok(()) } else { Err(format!("{states:?}")) }
    });
    // A process that dies meanwhile changes nothing of it.
    livetape.kill();
    livetape.start_again();
    cloud.network.heal();
    for (stream, pushed) in [("first", clip::heavy()), ("second", clip::plain())] {
        within(Duration::from_secs(90), format!("{stream} is ready"), || {
            let ready = livetape.of_stream(stream).iter().filter(|r| r.text("state") == "ready").count();
            if ready == 3 { Ok(()) } else { Err(format!("{ready} of 3")) }
        });
        let recordings = livetape.wait_ready(stream, &FORMATS, 1);
        cloud.fetch(&mut livetape);
        assert_recorded(&livetape, &recordings, &pushed);
    }
    let events = receiver.wait_for("recording.ready", 6);
    let ids: BTreeSet<String> = events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 6);
    cloud.assert_nothing_else(&livetape);
    livetape.fsck().unwrap();
}

#[test]
fn what_the_service_does_not_take_for_long_goes_to_the_fallback() {
    let receiver = Receiver::start();
    let cloud = Cloud::new(Profile::aws());
    let settings = cloud.settings().set("fallback.kind", "\"directory\"").set("fallback.after", "\"1s\"");
    let mut livetape = Livetape::start(&settings.webhook(&receiver));
    cloud.network.set(Fault::Reply(Answer::AccessDenied).on("PutObject"));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("elsewhere"));
    // What people must put right is tried again only every few minutes; the next start tries at once.
    eventually("they wait", || {
        let waiting = livetape.recordings().iter().filter(|r| r.text("state") == "uploading").count();
        if waiting > 0 { Ok(()) } else { Err("none waits".to_owned()) }
    });
    cloud.network.set(Faults::refused());
    livetape.stop();
    livetape.start_again();
    within(Duration::from_secs(120), "all are ready", || {
        let ready = livetape.recordings().iter().filter(|r| r.text("state") == "ready").count();
        if ready == 3 { Ok(()) } else { Err(format!("{ready} of 3")) }
    });
    let events = receiver.wait_for("recording.ready", 3);
    assert!(events.iter().all(|event| event["data"]["store"] == "fallback"), "{events:#?}");
    let recordings = livetape.wait_ready("elsewhere", &FORMATS, 1);
    livetape.look_in(livetape.data().join("fallback"));
    assert_recorded(&livetape, &recordings, &clip::plain());
    for recording in &recordings {
        let path = livetape_testkit::livetape::path_of(&recording.text("url")).to_owned();
        assert_eq!(livetape.http.get(&path).status, 200, "{path}");
    }
    assert!(!files_below(&livetape.data().join("fallback")).is_empty());
    cloud.network.heal();
    livetape.fsck().unwrap();
}
