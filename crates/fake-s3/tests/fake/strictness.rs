//! What every server does with objects, and what it refuses.

use std::net::TcpStream;

use aws_sdk_s3::types::{ChecksumAlgorithm, Delete, ObjectIdentifier, ServerSideEncryption, StorageClass};
use livetape_fake_s3::{FakeS3, Profile};

use crate::client::{Client, Sums, say, stream};

#[test]
fn an_object_comes_back_as_it_was_put_with_all_that_was_said_of_it() {
    let fake = FakeS3::start(Profile::aws());
    let client = Client::of(&fake);
    let key = "täpes/a b+c%2F.mp4";
    let put = client.putting(key, b"0123456789");
    let put = put.content_type("video/mp4").cache_control("no-store").metadata("recording-id", "7");
    let put = put.storage_class(StorageClass::StandardIa).server_side_encryption(ServerSideEncryption::Aes256);
    client.wait(put.send()).unwrap();

    let head = client.wait(client.s3.head_object().bucket(&client.bucket).key(key).send()).unwrap();
    assert_eq!(head.content_length, Some(10));
    assert_eq!(head.e_tag(), Some("\"781e5e245d69b566979b86e28d23f2c7\""));
    assert_eq!((head.content_type(), head.cache_control()), (Some("video/mp4"), Some("no-store")));
    assert_eq!(head.metadata().unwrap()["recording-id"], "7");
    assert_eq!(client.get(key).unwrap().as_ref(), b"0123456789");
    assert_eq!(client.get_range(key, "bytes=2-4").unwrap().as_ref(), b"234");
    assert_eq!(client.get_range(key, "bytes=-3").unwrap().as_ref(), b"789");
    assert_eq!(client.get_range(key, "bytes=10-").unwrap_err(), "416 InvalidRange");

    let objects = fake.objects();
    let object = &objects[key];
    assert_eq!(object.etag, "781e5e245d69b566979b86e28d23f2c7");
    assert_eq!(object.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(object.storage_class.as_deref(), Some("STANDARD_IA"));
    assert_eq!((object.sse.as_deref(), object.puts), (Some("AES256"), 1));
}

#[test]
fn every_write_of_a_key_is_counted() {
    let fake = FakeS3::start(Profile { min_part_bytes: 1, ..Profile::aws() });
    let client = Client::of(&fake);
    client.put("k", b"one").unwrap();
    client.whole("k", &[b"t", b"wo"]).unwrap();
    assert_eq!(fake.objects()["k"].puts, 2);
    assert_eq!(fake.objects()["k"].data.as_ref(), b"two");
}

#[test]
fn requests_are_noted_in_order_with_what_they_were_answered() {
    let fake = FakeS3::start(Profile::aws());
    let client = Client::of(&fake);
    client.put("a b", b"123").unwrap();
    client.get("none").unwrap_err();
    let told: Vec<_> = fake.requests().into_iter().map(|r| (r.operation, r.key, r.bytes, r.status)).collect();
    let wanted = [("PutObject", "a b".to_owned(), 3, Some(200)), ("GetObject", "none".to_owned(), 0, Some(404))];
    assert_eq!(told, wanted);
    assert_eq!((fake.count("PutObject"), fake.count("ListParts")), (1, 0));
}

#[test]
fn deleted_objects_are_gone_and_deleting_them_again_is_no_error() {
    let fake = FakeS3::start(Profile::aws());
    let client = Client::of(&fake);
    for key in ["a", "b", "c"] {
        client.put(key, b"x").unwrap();
    }
    for _ in 0..2 {
        client.wait(client.s3.delete_object().bucket(&client.bucket).key("a").send()).unwrap();
    }
    let named = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let both = Delete::builder().objects(named("b")).objects(named("never")).build().unwrap();
    let deleted = client.wait(client.s3.delete_objects().bucket(&client.bucket).delete(both).send()).unwrap();
    assert_eq!(deleted.deleted().len(), 2);
    assert_eq!(fake.objects().into_keys().collect::<Vec<_>>(), ["c"]);
}

#[test]
fn buckets_are_made_once_and_none_is_made_by_itself() {
    let fake = FakeS3::start(Profile::aws());
    let client = Client::of(&fake);
    client.wait(client.s3.head_bucket().bucket(fake.bucket()).send()).unwrap();
    assert_eq!(client.wait(client.s3.head_bucket().bucket("other").send()).map(drop).unwrap_err(), "404 NotFound");
    let put = client.s3.put_object().bucket("other").key("k");
    assert_eq!(client.wait(put.send()).map(drop).unwrap_err(), "404 NoSuchBucket");
    client.wait(client.s3.create_bucket().bucket("other").send()).unwrap();
    let again = client.wait(client.s3.create_bucket().bucket("other").send()).map(drop);
    assert_eq!(again.unwrap_err(), "409 BucketAlreadyOwnedByYou");
    let buckets = client.wait(client.s3.list_buckets().send()).unwrap();
    let names: Vec<_> = buckets.buckets().iter().map(|bucket| bucket.name().unwrap()).collect();
    assert_eq!(names, ["other", fake.bucket()]);
    assert!(fake.objects_in("other").is_empty());
}

#[test]
fn a_body_that_is_not_what_its_md5_says_is_refused() {
    let fake = FakeS3::start(Profile::aws());
    let client = Client::of(&fake);
    let put = |md5: &str| client.wait(client.putting("k", b"0123456789").content_md5(md5).send()).map(drop);
    assert_eq!(put("AAAAAAAAAAAAAAAAAAAAAA==").unwrap_err(), "400 BadDigest");
    assert_eq!(put("nonsense").unwrap_err(), "400 InvalidDigest");
    assert!(fake.objects().is_empty());
    put("eB5eJF1ptWaXm4bijSPyxw==").unwrap();
}

#[test]
fn a_body_that_is_not_what_its_checksum_says_is_refused() {
    let fake = FakeS3::start(Profile::aws());
    let client = Client::of(&fake);
    let put = |sum: &str| client.wait(client.putting("k", b"0123456789").checksum_crc32(sum).send()).map(drop);
    assert_eq!(put("AAAAAA==").unwrap_err(), "400 BadDigest");
    assert!(fake.objects().is_empty());
    put("poTHxg==").unwrap();
}

#[test]
fn a_checksum_in_a_trailer_is_taken_whatever_its_algorithm() {
    let fake = FakeS3::start(Profile::aws());
    let client = Client::with_sums(&fake);
    client.put("default", b"0123456789").unwrap();
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let put = client.putting(algorithm.as_str(), b"0123456789").checksum_algorithm(algorithm.clone());
        client.wait(put.send()).unwrap();
        assert_eq!(fake.objects()[algorithm.as_str()].data.as_ref(), b"0123456789");
    }
    assert!(fake.requests().iter().all(|request| request.bytes == 10), "the length is the body's own");
}

#[test]
fn a_request_that_the_user_did_not_sign_is_refused() {
    let fake = FakeS3::start(Profile::aws());
    let forger = Client::at(&fake.endpoint(), &fake, "another secret", Sums::None);
    assert_eq!(forger.put("k", b"x").unwrap_err(), "403 SignatureDoesNotMatch");
    let unsigned = format!("GET /{}/k HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", fake.bucket());
    assert!(say(&fake, &unsigned).contains("AccessDenied"));
    assert!(fake.objects().is_empty());
}

#[test]
fn a_body_that_does_not_say_how_long_it_is_is_refused() {
    let fake = FakeS3::start(Profile::aws());
    let head = "PUT /recordings/k HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer = say(&fake, &format!("{head}1\r\nx\r\n0\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 411"), "{answer}");
    assert!(answer.contains("<Code>MissingContentLength</Code>"), "{answer}");
}

#[test]
fn with_keys_of_the_key_management_no_etag_is_an_md5_though_it_looks_like_one() {
    let fake = FakeS3::start(Profile { default_sse: Some("aws:kms"), min_part_bytes: 1, ..Profile::aws() });
    let client = Client::of(&fake);
    let put = client.wait(client.putting("k", b"0123456789").send()).unwrap();
    assert_eq!(put.server_side_encryption(), Some(&ServerSideEncryption::AwsKms));
    let etag = put.e_tag().unwrap().trim_matches('"');
    assert_eq!(etag.len(), 32);
    assert_ne!(etag, "781e5e245d69b566979b86e28d23f2c7");
    client.whole("parts", &[b"0", b"1"]).unwrap();

    let id = client.begin("part");
    let part = client.s3.upload_part().bucket(&client.bucket).key("part").upload_id(&id).part_number(1);
    let part = client.wait(part.body(stream(b"0123456789")).send()).unwrap();
    assert_eq!(part.server_side_encryption(), Some(&ServerSideEncryption::AwsKms));
    assert_ne!(part.e_tag(), Some("\"781e5e245d69b566979b86e28d23f2c7\""));
}

#[test]
fn many_servers_run_beside_each_other_and_each_ends_with_its_value() {
    let fakes: Vec<FakeS3> = (0..4).map(|_| FakeS3::start(Profile::aws())).collect();
    for fake in &fakes {
        Client::of(fake).put("k", fake.endpoint().as_bytes()).unwrap();
    }
    for fake in fakes {
        let endpoint = fake.endpoint();
        assert_eq!(fake.objects()["k"].data.as_ref(), endpoint.as_bytes());
        drop(fake);
        TcpStream::connect(endpoint.trim_start_matches("http://")).expect_err("it is gone");
    }
}
