//! The proxy's faults, one by one: what the client sees, and what the server has seen.

use std::time::{Duration, Instant};

use livetape_fake_s3::{Answer, FakeS3, Fault, FaultProxy, Faults, Profile};

use crate::client::Client;

/// A server, the proxy before it, and a client of the proxy.
fn world() -> (FakeS3, FaultProxy, Client) {
    let fake = FakeS3::start(Profile { min_part_bytes: 1, ..Profile::aws() });
    let proxy = FaultProxy::start(&fake.endpoint());
    let client = Client::through(&proxy.endpoint(), &fake);
    (fake, proxy, client)
}

#[test]
fn without_faults_everything_passes_and_signatures_hold() {
    let (fake, proxy, client) = world();
    let data: Vec<u8> = (0..3 << 20).map(|n: u32| (n % 251) as u8).collect();
    client.whole("k", &[&data, b"rest"]).unwrap();
    client.put("empty", b"").unwrap();
    assert_eq!(client.get("k").unwrap(), [&data[..], b"rest"].concat());
    assert_eq!(client.get("none").unwrap_err(), "404 NoSuchKey");
    client.wait(client.s3.head_object().bucket(&client.bucket).key("k").send()).unwrap();
    client.wait(client.s3.delete_object().bucket(&client.bucket).key("k").send()).unwrap();
    for operation in ["UploadPart", "CompleteMultipartUpload", "HeadObject", "DeleteObject", "GetObject"] {
        assert_eq!(proxy.count(operation), fake.count(operation), "{operation}");
        assert_eq!(proxy.struck(operation), 0, "{operation}");
    }
}

#[test]
fn a_body_with_a_trailer_passes_too() {
    let (fake, proxy, _) = world();
    let client = Client::at(&proxy.endpoint(), &fake, fake.secret_key(), crate::client::Sums::ByDefault);
    client.put("k", &vec![7; 300_000]).unwrap();
    assert_eq!(fake.objects()["k"].data, vec![7; 300_000]);
}

#[test]
fn connections_are_refused_until_they_are_not() {
    let (fake, proxy, client) = world();
    client.put("before", b"x").unwrap();
    for round in 0..3 {
        proxy.set(Faults::refused());
        // Also the connection that the client keeps.
        assert!(["refused", "connection lost"].contains(&client.put("k", b"x").unwrap_err().as_str()));
        assert_eq!(client.put("k", b"x").unwrap_err(), "refused");
        proxy.heal();
        client.put(&format!("after {round}"), b"x").unwrap();
    }
    assert!(!fake.objects().contains_key("k"));
}

#[test]
fn a_connection_hangs_and_is_reset() {
    let (fake, proxy, client) = world();
    proxy.set(Fault::Hang(Duration::from_millis(300)).on("PutObject").once());
    let begun = Instant::now();
    assert_eq!(client.put("k", b"x").unwrap_err(), "connection lost");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!((fake.count("PutObject"), proxy.struck("PutObject")), (0, 1));
    client.put("k", b"x").unwrap();
}

#[test]
fn a_request_is_swallowed_and_the_server_does_not_see_it() {
    let (fake, proxy, client) = world();
    proxy.set(Fault::Swallow.on("PutObject"));
    let hurry = aws_sdk_s3::config::timeout::TimeoutConfig::builder();
    let hurry = hurry.operation_attempt_timeout(Duration::from_millis(500)).build();
    let hurry = aws_sdk_s3::Config::builder().timeout_config(hurry);
    let put = client.putting("k", &vec![0; 1 << 20]).customize().config_override(hurry);
    assert_eq!(client.wait(put.send()).map(drop).unwrap_err(), "no answer in time");
    assert_eq!((fake.count("PutObject"), proxy.count("PutObject")), (0, 0));
}

#[test]
fn the_answer_is_lost_of_a_request_that_the_server_did() {
    let (fake, proxy, client) = world();
    proxy.set(Fault::LoseAnswer.on("CompleteMultipartUpload").once());
    assert_eq!(client.whole("k", &[b"a", b"b"]).unwrap_err(), "connection lost");
    assert_eq!(fake.objects()["k"].data.as_ref(), b"ab");
    assert_eq!(fake.requests().last().unwrap().status, Some(200));
    assert_eq!((proxy.count("UploadPart"), proxy.count("CompleteMultipartUpload")), (2, 0));
}

#[test]
fn a_body_is_cut_after_some_bytes_and_nothing_is_stored() {
    let (fake, proxy, client) = world();
    let id = client.begin("k");
    proxy.set(Fault::Reset { after_bytes: 200_000 }.on("UploadPart").once());
    assert_eq!(client.part("k", &id, 1, &vec![1; 1 << 20]).unwrap_err(), "connection lost");
    assert!(fake.uploads()[0].parts.is_empty());
    client.part("k", &id, 1, &vec![1; 1 << 20]).unwrap();
    assert_eq!(fake.uploads()[0].parts[&1].len(), 1 << 20);
    let answered =
        fake.requests().into_iter().filter(|request| request.operation == "UploadPart" && request.status.is_some());
    assert_eq!(answered.count(), 1, "what does not arrive whole is not answered");
}

#[test]
fn a_slow_network_takes_its_time_and_loses_nothing() {
    let (fake, proxy, client) = world();
    proxy.set(Fault::Throttle { bytes_per_second: 100_000 }.on("PutObject"));
    let begun = Instant::now();
    client.put("k", &vec![1; 50_000]).unwrap();
    let taken = begun.elapsed();
    assert!(taken >= Duration::from_millis(450), "{taken:?}");
    assert_eq!(fake.objects()["k"].data.len(), 50_000);
}

#[test]
fn an_answer_comes_late() {
    let (fake, proxy, client) = world();
    proxy.set(Fault::Late(Duration::from_millis(300)).on("PutObject"));
    let begun = Instant::now();
    client.put("k", b"x").unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!((fake.count("PutObject"), proxy.count("PutObject"), proxy.struck("PutObject")), (1, 1, 1));
}

#[test]
fn the_proxy_answers_in_the_servers_place() {
    let (fake, proxy, client) = world();
    for (answer, told) in [
        (Answer::InternalError, "500 InternalError"),
        (Answer::SlowDown, "503 SlowDown"),
        (Answer::AccessDenied, "403 AccessDenied"),
    ] {
        proxy.set(Fault::Reply(answer));
        assert_eq!(client.put("k", &vec![0; 1 << 20]).unwrap_err(), told);
    }
    assert_eq!(fake.count("PutObject"), 0);
    // To HEAD without a body, so that the connection can be used again.
    let looking = || client.wait(client.s3.head_object().bucket(&client.bucket).key("k").send()).map(drop);
    assert_eq!(looking().unwrap_err(), "403 without a code");
    proxy.heal();
    client.put("k", b"x").unwrap();
    looking().unwrap();
}

#[test]
fn a_completion_fails_after_it_was_answered_with_200() {
    let (fake, proxy, client) = world();
    proxy.set(Fault::Reply(Answer::ErrorIn200).on("CompleteMultipartUpload"));
    let answer = client.whole("k", &[b"a", b"b"]).unwrap_err();
    assert!(answer.ends_with("InternalError"), "{answer}");
    assert_eq!((fake.count("CompleteMultipartUpload"), fake.uploads().len()), (0, 1));
}

#[test]
fn a_rule_strikes_the_nth_that_match_and_the_first_rule_counts() {
    let (_fake, proxy, client) = world();
    proxy.set(vec![
        Fault::Reply(Answer::SlowDown).when(|request| request.key.starts_with("slow/")).nth(2..=3),
        Fault::Reply(Answer::AccessDenied).when(|request| request.key == "slow/never"),
    ]);
    let answers: Vec<_> = (0..4).map(|_| client.put("slow/k", b"x").map(drop)).collect();
    let slow = || Err("503 SlowDown".to_owned());
    assert_eq!(answers, [Ok(()), slow(), slow(), Ok(())]);
    client.put("other", b"x").unwrap();
    assert_eq!(client.put("slow/never", b"x").unwrap_err(), "403 AccessDenied");
    assert_eq!((proxy.count("PutObject"), proxy.struck("PutObject")), (3, 3));
}

#[test]
fn a_server_that_is_gone_shows_as_a_lost_connection() {
    let (fake, proxy, client) = world();
    drop(fake);
    assert_eq!(client.put("k", b"x").unwrap_err(), "connection lost");
    assert_eq!(proxy.count("PutObject"), 0);
}
