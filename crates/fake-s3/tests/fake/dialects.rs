//! Where servers differ: one test for each difference, over all of them.

use livetape_fake_s3::{FakeS3, Profile};

use crate::client::{Client, say, stream};

/// Runs `ask` against each server, which takes parts of any size, and compares what it is answered.
fn each(ask: impl Fn(&FakeS3, &Client) -> Result<(), String>, wanted: [(Profile, Result<(), &str>); 5]) {
    for (profile, wanted) in wanted {
        let fake = FakeS3::start(Profile { min_part_bytes: 1, ..profile.clone() });
        let answer = ask(&fake, &Client::of(&fake));
        assert_eq!(answer, wanted.map_err(str::to_owned), "{}", profile.name);
    }
}

#[test]
fn a_second_completion_succeeds_or_finds_no_upload() {
    let gone = Err("404 NoSuchUpload");
    each(
        |fake, client| {
            let id = client.begin("k");
            let etag = client.part("k", &id, 1, b"abc").unwrap();
            let first = client.complete("k", &id, &[(1, &etag)]).unwrap();
            let second = client.complete("k", &id, &[(1, &etag)])?;
            assert_eq!((first, fake.objects()["k"].puts), (second, 1));
            // Another object there is not taken for the upload's.
            client.put("k", b"other").unwrap();
            client.complete("k", &id, &[(1, &etag)]).unwrap_err();
            assert_eq!(fake.objects()["k"].data.as_ref(), b"other");
            Ok(())
        },
        [
            (Profile::aws(), gone),
            (Profile::r2(), gone),
            (Profile::ceph(), Ok(())),
            (Profile::garage(), gone),
            (Profile::swift(), Ok(())),
        ],
    );
}

#[test]
fn the_completion_of_an_aborted_upload_finds_none_or_on_ceph_another_completion() {
    let gone = Err("404 NoSuchUpload");
    each(
        |_, client| {
            let id = client.begin("k");
            let etag = client.part("k", &id, 1, b"abc").unwrap();
            client.abort("k", &id).unwrap();
            client.complete("k", &id, &[(1, &etag)]).map(drop)
        },
        [
            (Profile::aws(), gone),
            (Profile::r2(), gone),
            (Profile::ceph(), Err("500 InternalError")),
            (Profile::garage(), gone),
            (Profile::swift(), gone),
        ],
    );
}

#[test]
fn the_parts_of_an_aborted_upload_are_of_no_upload_or_on_ceph_of_no_key() {
    let gone = Err("404 NoSuchUpload");
    each(
        |_, client| {
            let id = client.begin("k");
            client.part("k", &id, 1, b"abc").unwrap();
            client.abort("k", &id).unwrap();
            assert_eq!(client.part("k", &id, 1, b"abc").unwrap_err(), "404 NoSuchUpload");
            client.parts("k", &id).map(drop)
        },
        [
            (Profile::aws(), gone),
            (Profile::r2(), gone),
            (Profile::ceph(), Err("404 NoSuchKey")),
            (Profile::garage(), gone),
            (Profile::swift(), gone),
        ],
    );
}

#[test]
fn r2_wants_parts_of_one_size() {
    each(
        |_, client| client.whole("k", &[b"abc", b"de", b"f"]).map(drop),
        [
            (Profile::aws(), Ok(())),
            (Profile::r2(), Err("400 InvalidPart")),
            (Profile::ceph(), Ok(())),
            (Profile::garage(), Ok(())),
            (Profile::swift(), Ok(())),
        ],
    );
}

#[test]
fn r2_wants_a_last_part_that_is_not_longer_than_the_others() {
    let fake = FakeS3::start(Profile { min_part_bytes: 1, ..Profile::r2() });
    let client = Client::of(&fake);
    assert_eq!(client.whole("k", &[b"abc", b"def", b"ghij"]).unwrap_err(), "400 InvalidPart");
    client.whole("k", &[b"abc", b"def", b"ghi"]).unwrap();
    client.whole("k", &[b"abc", b"def", b"g"]).unwrap();
    client.whole("k", &[b"a"]).unwrap();
}

#[test]
fn garage_takes_parts_of_any_size() {
    for profile in [Profile::aws(), Profile::r2(), Profile::ceph(), Profile::garage(), Profile::swift()] {
        let fake = FakeS3::start(profile.clone());
        let wanted = if profile.name == "garage" { Ok(()) } else { Err("400 EntityTooSmall".to_owned()) };
        assert_eq!(Client::of(&fake).whole("k", &[b"a", b"b"]).map(drop), wanted, "{}", profile.name);
    }
}

#[test]
fn swift_has_a_thousand_parts() {
    each(
        |_, client| {
            let id = client.begin("k");
            client.part("k", &id, 1000, b"x").unwrap();
            client.part("k", &id, 1001, b"x").map(drop)
        },
        [
            (Profile::aws(), Ok(())),
            (Profile::r2(), Ok(())),
            (Profile::ceph(), Ok(())),
            (Profile::garage(), Ok(())),
            (Profile::swift(), Err("400 InvalidArgument")),
        ],
    );
}

#[test]
fn ceph_and_garage_take_part_ten_thousand_and_one() {
    let beyond = Err("400 InvalidArgument");
    each(
        |_, client| client.part("k", &client.begin("k"), 10_001, b"x").map(drop),
        [
            (Profile::aws(), beyond),
            (Profile::r2(), beyond),
            (Profile::ceph(), Ok(())),
            (Profile::garage(), Ok(())),
            (Profile::swift(), beyond),
        ],
    );
}

#[test]
fn garage_ends_a_page_of_uploads_at_a_key_without_an_upload() {
    let none = Err("no upload");
    each(
        |_, client| {
            let ids = ["k", "l", "l", "m"].map(|key| client.begin(key));
            let page = |key: Option<&str>, id: Option<&str>| {
                let listing = client.s3.list_multipart_uploads().bucket(&client.bucket).max_uploads(1);
                let listing =
                    listing.set_key_marker(key.map(str::to_owned)).set_upload_id_marker(id.map(str::to_owned));
                let page = client.wait(listing.send()).unwrap();
                let next = |marker: Option<&str>| marker.filter(|marker| !marker.is_empty()).map(str::to_owned);
                (next(page.next_key_marker()), next(page.next_upload_id_marker()))
            };
            // Between two uploads of one key every server names the first.
            assert_eq!(page(Some("k"), Some(&ids[0])), (Some("l".into()), Some(ids[1].clone())));
            let (key, id) = page(None, None);
            assert_eq!(key.as_deref(), Some("k"));
            assert_eq!(page(key.as_deref(), id.as_deref()).0.as_deref(), Some("l"));
            id.map(drop).ok_or_else(|| "no upload".to_owned())
        },
        [
            (Profile::aws(), Ok(())),
            (Profile::r2(), Ok(())),
            (Profile::ceph(), Ok(())),
            (Profile::garage(), none),
            (Profile::swift(), Ok(())),
        ],
    );
}

#[test]
fn the_default_of_the_sdk_a_signed_trailer_is_taken_by_aws_alone() {
    each(
        |fake, _| {
            let put = Client::with_sums(fake).put("k", b"0123456789").map(drop);
            assert_eq!(fake.objects().contains_key("k"), put.is_ok());
            put
        },
        [
            (Profile::aws(), Ok(())),
            (Profile::r2(), Err("501 NotImplemented")),
            (Profile::ceph(), Err("400 XAmzContentSHA256Mismatch")),
            (Profile::garage(), Err("403 AccessDenied")),
            (Profile::swift(), Err("501 NotImplemented")),
        ],
    );
}

#[test]
fn chunks_without_a_trailer_and_trailers_without_signed_chunks_are_refused_by_fewer() {
    // What is taken goes on to the next check, which finds that this is not signed at all.
    let taken = "403 Signature is required";
    let cases = [
        (Profile::aws(), taken, taken),
        (Profile::r2(), taken, "501 STREAMING-UNSIGNED-PAYLOAD-TRAILER not implemented"),
        (Profile::ceph(), taken, "400 The provided 'x-amz-content-sha256' header does not match what was computed."),
        (Profile::garage(), taken, taken),
        (
            Profile::swift(),
            "501 Transferring payloads in multiple chunks",
            "501 Transferring payloads in multiple chunks",
        ),
    ];
    for (profile, chunks, trailer) in cases {
        let name = profile.name;
        let fake = FakeS3::start(profile);
        let payloads = ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"];
        for (payload, wanted) in payloads.into_iter().zip([chunks, trailer]) {
            let head = format!("PUT /{}/k HTTP/1.1\r\nhost: x\r\nconnection: close", fake.bucket());
            let answer =
                say(&fake, &format!("{head}\r\nx-amz-content-sha256: {payload}\r\ncontent-length: 1\r\n\r\nx"));
            let status = answer.split(' ').nth(1).unwrap();
            let message = answer.split("<Message>").nth(1).and_then(|rest| rest.split("</Message>").next());
            let message = message.unwrap_or(&answer).replace("&apos;", "'");
            assert_eq!(format!("{status} {message}"), wanted, "{name}, {payload}");
        }
    }
}

#[test]
fn a_plain_body_is_taken_by_all() {
    let taken = Ok(());
    each(
        |fake, client| {
            client.put("k", b"0123456789")?;
            assert_eq!(fake.objects()["k"].data.as_ref(), b"0123456789");
            Ok(())
        },
        [Profile::aws(), Profile::r2(), Profile::ceph(), Profile::garage(), Profile::swift()].map(|p| (p, taken)),
    );
}

#[test]
fn only_if_nothing_is_there_is_honoured_ignored_or_not_implemented_on_a_put() {
    each(
        |_, client| {
            client.put("k", b"first").unwrap();
            client.wait(client.putting("k", b"second").if_none_match("*").send()).map(drop)
        },
        [
            (Profile::aws(), Err("412 PreconditionFailed")),
            (Profile::r2(), Err("412 PreconditionFailed")),
            (Profile::ceph(), Err("412 PreconditionFailed")),
            (Profile::garage(), Ok(())),
            (Profile::swift(), Err("501 NotImplemented")),
        ],
    );
}

#[test]
fn only_if_nothing_is_there_is_ignored_by_most_on_a_completion() {
    each(
        |_, client| {
            client.put("k", b"first").unwrap();
            let id = client.begin("k");
            let part = client.s3.upload_part().bucket(&client.bucket).key("k").upload_id(&id).part_number(1);
            let etag = client.wait(part.body(stream(b"second")).send()).unwrap().e_tag.unwrap();
            let part = aws_sdk_s3::types::CompletedPart::builder().part_number(1).e_tag(etag).build();
            let upload = aws_sdk_s3::types::CompletedMultipartUpload::builder().parts(part).build();
            let completing = client.s3.complete_multipart_upload().bucket(&client.bucket).key("k").upload_id(&id);
            client.wait(completing.multipart_upload(upload).if_none_match("*").send()).map(drop)
        },
        [
            (Profile::aws(), Err("412 PreconditionFailed")),
            (Profile::r2(), Ok(())),
            (Profile::ceph(), Ok(())),
            (Profile::garage(), Ok(())),
            (Profile::swift(), Err("501 NotImplemented")),
        ],
    );
}
