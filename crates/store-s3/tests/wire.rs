//! What goes over the wire, byte for byte: a service that only listens and answers as it is told.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use livetape_store::{Fault, PartStore as _, StoreError, Upload};
use livetape_store_s3::{Checksum, S3Options, S3Store};

/// A request as it came.
struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// The requests, and the connections on which there is silence.
type Served = (Vec<Request>, Vec<TcpStream>);

/// Answers one request a connection: the next answer for each; without one, it keeps silent.
fn service(answers: &'static [Option<&'static str>]) -> (String, JoinHandle<Served>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut requests, mut silent) = (Vec::new(), Vec::new());
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&stream);
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                head.push(line.trim().to_owned());
            }
            let line = head.remove(0);
            let headers = head.iter().map(|line| line.split_once(": ").unwrap());
            let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
            let mut request = Request { line, headers, body: Vec::new() };
            let len: usize = request.header("content-length").map_or(0, |len| len.parse().unwrap());
            request.body.resize(len, 0);
            reader.read_exact(&mut request.body).unwrap();
            requests.push(request);
            match answer {
                Some(answer) => (&stream).write_all(answer.as_bytes()).unwrap(),
                None => silent.push(stream),
            }
        }
        (requests, silent)
    });
    (address, thread)
}

async fn store(endpoint: String, change: impl FnOnce(&mut S3Options)) -> S3Store {
    let mut options = S3Options {
        endpoint: Some(endpoint),
        bucket: "media".into(),
        access_key_id: Some("key".into()),
        secret_access_key: Some("secret".into()),
        ..S3Options::default()
    };
    change(&mut options);
    S3Store::connect(options).await.unwrap()
}

fn upload() -> Upload {
    Upload { key: "live/a.mp4".parse().unwrap(), id: "upload-1".into() }
}

/// 200 KiB: several slices, the last one short.
fn data() -> Bytes {
    (0..=250u8).cycle().take(200 << 10).collect()
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\netag: \"opaque\"\r\n\r\n";
const OTHER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\
                     etag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\n\r\n";
const OTHER_ENCRYPTED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\
                               x-amz-server-side-encryption: aws:kms\r\n\
                               etag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\n\r\n";
const SLOW_DOWN: &str = "HTTP/1.1 503 Slow Down\r\ncontent-length: 72\r\nconnection: close\r\n\r\n\
                         <Error><Code>SlowDown</Code><Message>Less, please.</Message></Error>    ";

#[tokio::test]
async fn a_body_goes_out_plain_with_its_length_and_its_sum() {
    for (checksum, header) in [
        (Checksum::Md5, Some(("content-md5", 24))),
        (Checksum::Crc32, Some(("x-amz-checksum-crc32", 8))),
        (Checksum::None, None),
    ] {
        let (endpoint, thread) = service(&[Some(OK)]);
        let store = store(endpoint, |options| options.checksum = checksum).await;
        let part = store.put_part(&upload(), 7, data()).await.unwrap();
        assert_eq!((part.number, part.size_bytes, part.tag.as_str()), (7, 200 << 10, "opaque"));
        let request = thread.join().unwrap().0.remove(0);
        assert!(request.line.starts_with("PUT /media/live/a.mp4?"), "{}", request.line);
        assert_eq!(request.body, data());
        assert_eq!(request.header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
        let absent =
            ["transfer-encoding", "content-encoding", "x-amz-trailer", "x-amz-decoded-content-length", "expect"];
        assert!(absent.iter().all(|name| request.header(name).is_none()), "{:?}", request.headers);
        for name in ["content-md5", "x-amz-checksum-crc32"] {
            let expected = header.filter(|(header, _)| *header == name).map(|(_, len)| len);
            assert_eq!(request.header(name).map(str::len), expected, "{checksum:?} {name}");
        }
        assert!(!format!("{:?}", request.headers).contains("crc64"), "{:?}", request.headers);
    }
}

#[tokio::test]
async fn a_tag_that_is_another_sum_is_refused_unless_keys_are_a_customers() {
    let (endpoint, thread) = service(&[Some(OTHER), Some(OTHER_ENCRYPTED)]);
    let store = store(endpoint, |_| ()).await;
    let error = store.put_part(&upload(), 1, data()).await.unwrap_err();
    assert!(matches!(error, StoreError::ContentsDiffer { .. }), "{error}");
    store.put_part(&upload(), 1, data()).await.unwrap();
    thread.join().unwrap();
}

#[tokio::test]
async fn a_service_that_asks_to_slow_down_gets_the_whole_body_again() {
    let (endpoint, thread) = service(&[Some(SLOW_DOWN), Some(SLOW_DOWN), Some(OK)]);
    store(endpoint, |_| ()).await.put_part(&upload(), 1, data()).await.unwrap();
    assert!(thread.join().unwrap().0.iter().all(|request| request.body == data()));

    let (endpoint, thread) = service(&[Some(SLOW_DOWN), Some(SLOW_DOWN)]);
    let error = store(endpoint, |options| options.attempts = 2).await.put_part(&upload(), 1, data()).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Throttled, "{error}");
    assert!(error.to_string().contains("Less, please."), "{error}");
    thread.join().unwrap();
}

#[tokio::test]
async fn a_service_that_never_answers_is_given_up_in_time() {
    let (endpoint, thread) = service(&[None, None]);
    let change = |options: &mut S3Options| {
        options.attempts = 2;
        options.attempt_timeout = Duration::from_millis(700);
    };
    let begun = Instant::now();
    let error = store(endpoint, change).await.put_part(&upload(), 1, data()).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Network, "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(1400) && begun.elapsed() < Duration::from_secs(10));
    assert_eq!(thread.join().unwrap().0.len(), 2);
}
