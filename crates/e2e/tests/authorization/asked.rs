//! A server of the operator's says who may push: what it is asked, and what its silence means.

use std::thread;
use std::time::{Duration, Instant};

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::Settings;
use livetape_testkit::receiver::{Delivery, Reply};
use livetape_testkit::{Livetape, Publisher, Receiver, clip, flv};

use super::{DENIED, STARTED, answered, denials, denied, is_refused, settings};
use crate::FORMATS;

fn asking(authorizer: &Receiver) -> Settings {
    settings("http").set("push.url", &format!("\"{}?secret=hunter2\"", authorizer.url()))
}

/// Which stream was asked for.
fn stream(question: &Delivery) -> &str {
    question.body["stream"].as_str().unwrap_or_default()
}

#[test]
fn whom_the_server_allows_is_let_in_and_nobody_else() {
    let authorizer = Receiver::answering(|question| match question.body["query"].as_str() {
        Some("user=7&pass=hunter2") => Reply::Status(204),
        _ => Reply::Status(403),
    });
    let livetape = Livetape::start(&asking(&authorizer));
    for version in Version::ALL {
        let name = format!("cam-{version:?}");
        ffmpeg::push_all(version, &clip::plain(), &livetape.url(&format!("{name}?user=7&pass=hunter2")));
        let recordings = livetape.wait_ready(&name, &FORMATS, 1);
        assert_recorded(&livetape, &recordings, &clip::plain());
        is_refused(&livetape, version, &format!("{name}?user=8&pass=hunter2"));
        let questions = authorizer.deliveries();
        let asked = questions.iter().find(|question| stream(question) == name).unwrap();
        assert_eq!(asked.target, "/hook?secret=hunter2");
        assert_eq!(asked.header("content-type"), Some("application/json"));
        assert_eq!((&asked.body["app"], &asked.body["address"]), (&"live".into(), &"127.0.0.1".into()));
        assert!(asked.body["port"].as_u64().is_some_and(|port| port > 1024), "{asked:#?}");
        assert_eq!(asked.body["session_id"], recordings[0].0["session_id"], "what it is called from then on");
        assert!(asked.body["tc_url"].as_str().is_some_and(|url| url.starts_with("rtmp://")), "{asked:#?}");
    }
    assert_eq!(denied(&livetape, "refused"), 2);
    let lines = denials(&livetape, 2);
    assert!(lines.iter().all(|line| line.contains("HTTP 403")), "{lines:#?}");
    let log = livetape.log().join("\n");
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn every_answer_but_a_yes_and_every_silence_is_a_no() {
    let elsewhere = Receiver::start();
    let url = elsewhere.url();
    let authorizer = Receiver::answering(move |question| match stream(question) {
        "redirected" => Reply::Redirect(url.clone()),
        "closed" => Reply::Close,
        "late" => Reply::Late(Duration::from_secs(4)),
        "300" => Reply::Status(300),
        "500" => Reply::Status(500),
        _ => Reply::Status(200),
    });
    let livetape = Livetape::start(&asking(&authorizer).set("push.timeout", "\"1s\""));
    for stream in ["redirected", "closed", "late", "300", "500"] {
        assert_eq!(answered(&livetape, stream).0, DENIED, "{stream}");
    }
    assert!(elsewhere.deliveries().is_empty(), "a redirect was followed");
    assert_eq!(answered(&livetape, "good").0, STARTED);
    assert_eq!(
        (denied(&livetape, "refused"), denied(&livetape, "unreachable"), denied(&livetape, "timeout")),
        (3, 1, 1)
    );

    // Nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = settings("http").set("push.url", &format!("\"http://{nobody}/\""));
    let livetape = Livetape::start(&settings);
    assert_eq!(answered(&livetape, "cam").0, DENIED);
    assert_eq!(denied(&livetape, "unreachable"), 1);
}

#[test]
fn a_server_that_takes_its_time_holds_up_only_who_waits_for_it() {
    let authorizer = Receiver::answering(|question| match question.body["query"].as_str() {
        Some("user=known") => Reply::Status(200),
        _ => Reply::Late(Duration::from_secs(30)),
    });
    let mut livetape = Livetape::start(&asking(&authorizer).set("push.timeout", "\"20s\""));
    let tags = flv::tags(&clip::plain());
    let half = tags.len() / 2;
    let mut busy = Publisher::publish(livetape.rtmp, "live", "busy?user=known");
    busy.tags(&tags[..half]);

    let rtmp = livetape.rtmp;
    let waiting: Vec<_> = (0..8)
        .map(|_| thread::spawn(move || Publisher::try_publish(rtmp, "live", "busy?user=unknown").err()))
        .chain((0..8).map(|n| thread::spawn(move || Publisher::try_publish(rtmp, "live", &format!("slow{n}")).err())))
        .collect();
    authorizer.wait_asked(17);
    let begun = Instant::now();
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("quick?user=known"));
    busy.tags(&tags[half..]);
    busy.finish("busy?user=known");
    for stream in ["quick", "busy"] {
        assert_recorded(&livetape, &livetape.wait_ready(stream, &FORMATS, 1), &clip::plain());
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // Those who still wait are told when the service stops, and it waits for no answer.
    let begun = Instant::now();
    livetape.stop();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    for thread in waiting {
        let told = thread.join().unwrap().expect("it was let in");
        assert!(told.contains("The service is stopping"), "{told}");
    }
}

#[test]
fn no_more_questions_than_allowed_are_under_way_at_once() {
    let authorizer = Receiver::answering(|_| Reply::Late(Duration::from_millis(500)));
    let one_at_a_time = asking(&authorizer).set("push.max_requests", "1");
    let push = |livetape: &Livetape| {
        let rtmp = livetape.rtmp;
        let pushes: Vec<_> = (0..4)
            .map(|n| thread::spawn(move || Publisher::try_publish(rtmp, "live", &format!("cam{n}")).is_ok()))
            .collect();
        pushes.into_iter().filter_map(|push| push.join().ok()).filter(|let_in| *let_in).count()
    };
    let livetape = Livetape::start(&one_at_a_time.clone().set("push.timeout", "\"20s\""));
    assert_eq!(push(&livetape), 4);
    let times: Vec<Instant> = authorizer.deliveries().iter().map(|question| question.at).collect();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(490), "two at once: {:?}", pair[1] - pair[0]);
    }

    // Who waits for a turn waits no longer than for an answer.
    authorizer.answer(|_| Reply::Late(Duration::from_secs(30)));
    let livetape = Livetape::start(&one_at_a_time.set("push.timeout", "\"1s\""));
    let begun = Instant::now();
    assert_eq!(push(&livetape), 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let (busy, timeout) = (denied(&livetape, "busy"), denied(&livetape, "timeout"));
    assert!(busy + timeout == 4 && timeout >= 1, "{busy} busy, {timeout} without answer");
}

#[test]
fn an_answer_holds_as_long_as_configured_and_only_for_the_same_push() {
    let mut count = 0;
    let authorizer = Receiver::answering(move |question| {
        count += 1;
        match (stream(question), count) {
            ("no", _) => Reply::Status(403),
            // That there was no answer is no answer.
            ("maybe", 3) => Reply::Close,
            _ => Reply::Status(200),
        }
    });
    let livetape = Livetape::start(&asking(&authorizer).set("push.cache", "\"2s\""));
    let asked = || authorizer.deliveries().len();
    for (key, expected, questions) in [
        ("yes", STARTED, 1),
        ("yes", STARTED, 1),
        ("no", DENIED, 2),
        ("no", DENIED, 2),
        ("maybe", DENIED, 3),
        ("maybe", STARTED, 4),
        ("yes?other", STARTED, 5),
    ] {
        assert_eq!((answered(&livetape, key).0.as_str(), asked()), (expected, questions), "{key}");
    }
    eventually("the answer holds no more", || {
        assert_eq!(answered(&livetape, "yes").0, STARTED);
        if asked() == 6 { Ok(()) } else { Err(format!("{} questions", asked())) }
    });
}
