//! Webhooks against receivers that behave, and that do not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use livetape_finalize::signature::{Secret, Signed, TOLERANCE, verify};
use livetape_finalize::sink::{Event, EventSink, Outcome};
use livetape_finalize::webhook::{AddressPolicy, Webhook, WebhookClient, WebhookOptions};
use livetape_media::WallTime;

use crate::receiver::{Answer, Receiver};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn event(id: &str) -> Event {
    Event {
        id: id.into(),
        kind: "recording.ready".into(),
        body: Bytes::from(format!(r#"{{"id":"{id}","data":{{}}}}"#)),
    }
}

fn webhook(url: &str, options: WebhookOptions) -> Webhook {
    Webhook::new(WebhookClient::new(options).unwrap(), url.parse().unwrap(), vec![SECRET.parse().unwrap()])
}

async fn outcome_of(answer: Answer) -> Outcome {
    let receiver = Receiver::start(move |_, _| answer.clone()).await;
    let options = WebhookOptions { attempt_timeout: Duration::from_millis(500), ..WebhookOptions::default() };
    webhook(&receiver.url("/hook"), options).deliver(&event("evt_1")).await
}

fn error_of(outcome: Outcome) -> (Option<u16>, String, Option<Duration>) {
    match outcome {
        Outcome::Failed { status, error, retry_after, .. } => (status, error, retry_after),
        other => panic!("not a failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_delivery_is_a_signed_post_that_the_receiver_can_verify() {
    let receiver = Receiver::start(|_, _| Answer::Status(204)).await;
    let outcome =
        webhook(&receiver.url("/hook?token=1"), WebhookOptions::default()).deliver(&event("evt_1_ready")).await;
    assert_eq!(outcome, Outcome::Delivered { status: 204, answer: String::new() });
    let request = &receiver.received()[0];
    assert_eq!(request.line, "POST /hook?token=1 HTTP/1.1");
    assert_eq!(request.id(), "evt_1_ready");
    assert_eq!(request.headers["content-type"], "application/json");
    assert!(request.headers["user-agent"].starts_with("livetape/"));
    assert_eq!(request.body, r#"{"id":"evt_1_ready","data":{}}"#);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let now = WallTime::from_unix_millis(i64::try_from(now).unwrap());
    let signed = Signed {
        id: request.id(),
        timestamp: &request.headers["webhook-timestamp"],
        signature: &request.headers["webhook-signature"],
    };
    let secret: Secret = SECRET.parse().unwrap();
    verify(&[secret], signed, request.body.as_bytes(), now, TOLERANCE).unwrap();
}

#[tokio::test]
async fn connections_are_used_again() {
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let webhook = webhook(&receiver.url("/"), WebhookOptions::default());
    for _ in 0..3 {
        assert_eq!(webhook.deliver(&event("evt_1")).await, Outcome::Delivered { status: 200, answer: String::new() });
        tokio::task::yield_now().await;
    }
    assert!(receiver.received().iter().all(|request| request.connection == 0));
}

#[tokio::test]
async fn only_2xx_is_delivered() {
    for status in [200, 201, 202, 204, 299] {
        assert_eq!(outcome_of(Answer::Status(status)).await, Outcome::Delivered { status, answer: String::new() });
    }
    for status in [300, 400, 401, 404, 429, 500, 502, 503] {
        let (found, error, retry_after) = error_of(outcome_of(Answer::Status(status)).await);
        assert_eq!((found, retry_after), (Some(status), None));
        assert!(error.contains(&status.to_string()), "{error}");
    }
    assert_eq!(outcome_of(Answer::Status(410)).await, Outcome::Gone);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let elsewhere = Receiver::start(|_, _| Answer::Status(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url("/other");
        let answer = format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let (found, error, _) = error_of(outcome_of(Answer::Raw(answer)).await);
        assert_eq!(found, Some(status));
        assert!(error.contains("redirects are not followed"), "{error}");
    }
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn retry_after_is_passed_on() {
    let answer = "HTTP/1.1 503 Busy\r\nRetry-After: 77\r\nContent-Length: 4\r\n\r\nbusy".to_owned();
    let (_, error, retry_after) = error_of(outcome_of(Answer::Raw(answer)).await);
    assert_eq!(retry_after, Some(Duration::from_secs(77)));
    assert!(error.ends_with(": busy"), "{error}");
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_up_in_time() {
    let begun = Instant::now();
    let (status, error, _) = error_of(outcome_of(Answer::Hang).await);
    assert_eq!(status, None);
    assert!(error.contains("no whole answer"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_receiver_that_closes_or_talks_nonsense_is_a_failure() {
    for answer in [Answer::Close, Answer::Raw("SMTP ready\r\n\r\n".into()), Answer::Raw("HTTP/1.1 abc\r\n\r\n".into())]
    {
        let (status, error, _) = error_of(outcome_of(answer.clone()).await);
        assert_eq!(status, None, "{answer:?}");
        assert!(!error.is_empty());
    }
}

#[tokio::test]
async fn of_an_endless_answer_only_a_bounded_part_is_read_and_its_head_is_kept() {
    let begun = Instant::now();
    let (status, error, _) = error_of(outcome_of(Answer::Endless).await);
    assert_eq!(status, Some(500));
    assert!(error.len() < 1200 && error.ends_with("xxxx"), "{}", error.len());
    assert!(begun.elapsed() < Duration::from_millis(450), "not by the time-out");
}

#[tokio::test]
async fn control_characters_of_an_answer_do_not_reach_rows_or_logs() {
    let answer = "HTTP/1.1 500 Bad\r\nContent-Length: 9\r\n\r\na\u{1b}[31m\nbc".to_owned();
    let (_, error, _) = error_of(outcome_of(Answer::Raw(answer)).await);
    assert!(error.chars().all(|c| !c.is_control()), "{error:?}");
}

#[tokio::test]
async fn refused_addresses_are_not_connected_to_by_number_or_by_name() {
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let port = receiver.address.port();
    let policy = AddressPolicy {
        refuse: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
        ..AddressPolicy::default()
    };
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]"] {
        let options = WebhookOptions { policy: policy.clone(), ..WebhookOptions::default() };
        let (_, error, _) =
            error_of(webhook(&format!("http://{host}:{port}/"), options).deliver(&event("evt_1")).await);
        assert!(error.contains("may not be called"), "{host}: {error}");
    }
    let metadata = webhook("http://169.254.169.254/latest/meta-data/", WebhookOptions::default());
    let (_, error, _) = error_of(metadata.deliver(&event("evt_1")).await);
    assert!(error.contains("169.254.169.254 may not be called"), "{error}");
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn nobody_listening_is_a_failure_that_says_so_without_the_path() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let dead = webhook(&format!("http://{address}/s3cr3t"), WebhookOptions::default());
    let (_, error, _) = error_of(dead.deliver(&event("evt_1")).await);
    assert!(error.contains("refused") && !error.contains("s3cr3t"), "{error}");
    assert!(!dead.describe().contains("s3cr3t"));
}

#[tokio::test]
async fn https_receivers_are_believed_when_their_authority_is() {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let receiver = Receiver::with_tls(Some(Arc::new(server)), |_, _| Answer::Status(200)).await;
    let port = receiver.address.port();
    let send = async |host: &str, pem: Option<String>| {
        let extra_authorities = pem.map(String::into_bytes);
        let https = extra_authorities.is_none();
        let options = WebhookOptions { extra_authorities, https, ..WebhookOptions::default() };
        let Ok(client) = WebhookClient::new(options) else { return None };
        let url = format!("https://{host}:{port}/").parse().unwrap();
        Some(Webhook::new(client, url, Vec::new()).deliver(&event("evt_1")).await)
    };
    assert_eq!(
        send("localhost", Some(authority.pem())).await,
        Some(Outcome::Delivered { status: 200, answer: String::new() })
    );
    assert!(!receiver.received()[0].headers.contains_key("webhook-signature"), "there is no secret");
    let (_, error, _) = error_of(send("127.0.0.1", Some(authority.pem())).await.unwrap());
    assert!(error.to_lowercase().contains("certificate"), "another name than the certificate's: {error}");
    // A system without certificate authorities has no client at all, which is tested elsewhere.
    if let Some(outcome) = send("localhost", None).await {
        let (_, error, _) = error_of(outcome);
        assert!(error.to_lowercase().contains("certificate"), "{error}");
    }
    assert_eq!(receiver.received().len(), 1);
}
