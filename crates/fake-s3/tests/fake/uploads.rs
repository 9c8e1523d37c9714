//! How parts become objects.

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use livetape_fake_s3::{FakeS3, Profile};

use crate::client::{Client, stream};

fn small() -> Profile {
    Profile { min_part_bytes: 4, ..Profile::aws() }
}

#[test]
fn parts_become_an_object_by_their_numbers_whatever_order_they_came_in() {
    let fake = FakeS3::start(small());
    let client = Client::of(&fake);
    let id = client.begin("k");
    let last = client.part("k", &id, 7, b"ij").unwrap();
    let first = client.part("k", &id, 2, b"abcd").unwrap();
    let middle = client.part("k", &id, 5, b"efgh").unwrap();
    let parts: Vec<_> = fake.uploads()[0].parts.keys().copied().collect();
    assert_eq!(parts, [2, 5, 7]);
    let etag = client.complete("k", &id, &[(2, &first), (5, &middle), (7, &last)]).unwrap();
    assert_eq!(etag, "\"446feba4c1b5cc7ad93bf4d44a0e36ac-3\"");
    assert_eq!(client.get("k").unwrap().as_ref(), b"abcdefghij");
    assert!(fake.uploads().is_empty());
}

#[test]
fn a_part_that_is_put_again_replaces_the_one_before_and_its_etag_says_so() {
    let fake = FakeS3::start(small());
    let client = Client::of(&fake);
    let id = client.begin("k");
    let old = client.part("k", &id, 1, b"early").unwrap();
    let rest = client.part("k", &id, 2, b"rest").unwrap();
    let new = client.part("k", &id, 1, b"later").unwrap();
    assert_eq!(client.complete("k", &id, &[(1, &old), (2, &rest)]).unwrap_err(), "400 InvalidPart");
    client.complete("k", &id, &[(1, &new), (2, &rest)]).unwrap();
    assert_eq!(client.get("k").unwrap().as_ref(), b"laterrest");
}

#[test]
fn a_completion_must_name_parts_that_are_there_in_order_and_large_enough() {
    let fake = FakeS3::start(small());
    let client = Client::of(&fake);
    let id = client.begin("k");
    let one = client.part("k", &id, 1, b"abc").unwrap();
    let two = client.part("k", &id, 2, b"defg").unwrap();
    let three = client.part("k", &id, 3, b"h").unwrap();
    let complete = |parts: &[(i32, &str)]| client.complete("k", &id, parts).unwrap_err();
    assert_eq!(complete(&[]), "400 MalformedXML");
    assert_eq!(complete(&[(2, &two), (4, &three)]), "400 InvalidPart");
    assert_eq!(complete(&[(2, &two), (3, &one)]), "400 InvalidPart");
    assert_eq!(complete(&[(3, &three), (2, &two)]), "400 InvalidPartOrder");
    assert_eq!(complete(&[(2, &two), (2, &two)]), "400 InvalidPartOrder");
    assert_eq!(complete(&[(1, &one), (2, &two)]), "400 EntityTooSmall");
    // Nothing came of all that, and the upload is as it was.
    assert!(fake.objects().is_empty());
    client.complete("k", &id, &[(2, &two), (3, &three)]).unwrap();
    assert_eq!(client.get("k").unwrap().as_ref(), b"defgh");
}

#[test]
fn a_part_of_less_than_five_mebibytes_is_the_last() {
    let fake = FakeS3::start(Profile::aws());
    let client = Client::of(&fake);
    let (least, less) = (vec![1; 5 << 20], vec![1; (5 << 20) - 1]);
    client.whole("k", &[&least, b"x"]).unwrap();
    assert_eq!(client.whole("k", &[&less, b"x"]).unwrap_err(), "400 EntityTooSmall");
}

#[test]
fn an_upload_that_was_aborted_is_gone() {
    let fake = FakeS3::start(small());
    let client = Client::of(&fake);
    let id = client.begin("k");
    let one = client.part("k", &id, 1, b"abcd").unwrap();
    assert_eq!(client.abort("other", &id).unwrap_err(), "404 NoSuchUpload");
    client.abort("k", &id).unwrap();
    assert_eq!(client.abort("k", &id).unwrap_err(), "404 NoSuchUpload");
    assert_eq!(client.part("k", &id, 1, b"abcd").unwrap_err(), "404 NoSuchUpload");
    assert_eq!(client.complete("k", &id, &[(1, &one)]).unwrap_err(), "404 NoSuchUpload");
}

#[test]
fn an_upload_can_expire_without_the_client() {
    let fake = FakeS3::start(small());
    let client = Client::of(&fake);
    let id = client.begin("k");
    fake.expire("k", &id);
    assert_eq!(client.part("k", &id, 1, b"abcd").unwrap_err(), "404 NoSuchUpload");
}

#[test]
fn part_numbers_go_from_one_to_ten_thousand() {
    let fake = FakeS3::start(small());
    let client = Client::of(&fake);
    let id = client.begin("k");
    assert_eq!(client.part("k", &id, 0, b"abcd").unwrap_err(), "400 InvalidArgument");
    assert_eq!(client.part("k", &id, 10_001, b"abcd").unwrap_err(), "400 InvalidArgument");
    client.part("k", &id, 10_000, b"abcd").unwrap();
}

#[test]
fn a_part_can_be_a_range_of_an_object() {
    let fake = FakeS3::start(small());
    let client = Client::of(&fake);
    client.put("a b/s", b"0123456789").unwrap();
    let id = client.begin("k");
    let copy = |number: i32, range: &str| {
        let copying = client.s3.upload_part_copy().bucket(&client.bucket).key("k").upload_id(&id).part_number(number);
        let copying = copying.copy_source(format!("{}/a%20b/s", client.bucket)).copy_source_range(range);
        client.wait(copying.send()).map(|copied| copied.copy_part_result.unwrap().e_tag.unwrap())
    };
    let one = copy(1, "bytes=0-4").unwrap();
    let two = copy(2, "bytes=9-9").unwrap();
    assert_eq!(copy(3, "bytes=9-10").unwrap_err(), "400 InvalidArgument");
    assert_eq!(copy(3, "bytes=3-").unwrap_err(), "400 InvalidArgument");
    client.complete("k", &id, &[(1, &one), (2, &two)]).unwrap();
    assert_eq!(client.get("k").unwrap().as_ref(), b"012349");
    assert_eq!(fake.count("UploadPartCopy"), 4);
}

#[test]
fn an_upload_with_a_checksum_wants_one_for_every_part_twice() {
    let fake = FakeS3::start(small());
    let client = Client::of(&fake);
    let beginning = client.s3.create_multipart_upload().bucket(&client.bucket).key("k");
    let id = client.wait(beginning.checksum_algorithm(ChecksumAlgorithm::Crc32).send()).unwrap().upload_id.unwrap();
    assert_eq!(client.part("k", &id, 1, b"0123456789").unwrap_err(), "400 InvalidRequest");
    let part = client.s3.upload_part().bucket(&client.bucket).key("k").upload_id(&id).part_number(1);
    let part = client.wait(part.checksum_crc32("poTHxg==").body(stream(b"0123456789")).send()).unwrap();
    let etag = part.e_tag.unwrap();
    let listed = client.wait(client.s3.list_parts().bucket(&client.bucket).key("k").upload_id(&id).send()).unwrap();
    assert_eq!(listed.parts()[0].checksum_crc32(), Some("poTHxg=="));

    assert_eq!(client.complete("k", &id, &[(1, &etag)]).unwrap_err(), "400 InvalidRequest");
    let complete = |sum: &str| {
        let part = CompletedPart::builder().part_number(1).e_tag(&etag).checksum_crc32(sum).build();
        let upload = CompletedMultipartUpload::builder().parts(part).build();
        let completing = client.s3.complete_multipart_upload().bucket(&client.bucket).key("k").upload_id(&id);
        client.wait(completing.multipart_upload(upload).send()).map(drop)
    };
    assert_eq!(complete("AAAAAA==").unwrap_err(), "400 InvalidPart");
    complete("poTHxg==").unwrap();
}
