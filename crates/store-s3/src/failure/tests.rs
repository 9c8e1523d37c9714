use aws_sdk_s3::error::ConnectorError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::SdkBody;
use livetape_store::Fault;

use super::*;

fn key() -> ObjectKey {
    "live/a.mp4".parse().unwrap()
}

fn with_key<T>(call: impl FnOnce(&Request<'_>) -> T) -> T {
    call(&Request { doing: "putting", key: Some(&key()), bucket: "media" })
}

#[test]
fn every_answer_is_sorted_by_whose_fault_it_is() {
    for (status, code, fault) in [
        (503, "SlowDown", Fault::Throttled),
        (503, "", Fault::Store),
        (429, "", Fault::Throttled),
        (400, "Throttling", Fault::Throttled),
        (400, "RequestLimitExceeded", Fault::Throttled),
        (403, "AccessDenied", Fault::Denied),
        (403, "InvalidAccessKeyId", Fault::Denied),
        (403, "SignatureDoesNotMatch", Fault::Denied),
        (400, "ExpiredToken", Fault::Denied),
        (403, "", Fault::Denied),
        (401, "", Fault::Denied),
        (403, "RequestTimeTooSkewed", Fault::Configuration),
        (404, "NoSuchBucket", Fault::Configuration),
        (301, "PermanentRedirect", Fault::Configuration),
        (400, "AuthorizationHeaderMalformed", Fault::Configuration),
        (301, "", Fault::Configuration),
        (501, "NotImplemented", Fault::Configuration),
        (403, "QuotaExceeded", Fault::DiskFull),
        (507, "", Fault::DiskFull),
        (507, "InsufficientStorage", Fault::DiskFull),
        (404, "NoSuchUpload", Fault::Store),
        (400, "BadDigest", Fault::Store),
        (400, "InvalidPart", Fault::Store),
        (400, "RequestTimeout", Fault::Network),
        (500, "InternalError", Fault::Store),
        // The error behind a completion that began with 200.
        (200, "InternalError", Fault::Store),
        (599, "Whatever", Fault::Store),
        (400, "Whatever", Fault::Store),
    ] {
        let error = with_key(|request| request.answered(&Answer { status, code, ..Answer::default() }));
        assert_eq!(error.fault(), fault, "{status} {code}: {error}");
        assert!(error.retryable(), "{status} {code}");
    }
}

#[test]
fn no_code_is_listed_twice() {
    let mut codes: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), CODES.len());
}

#[test]
fn an_error_names_the_operation_the_key_the_bucket_and_what_to_do() {
    for (status, code, words) in [
        (403, "AccessDenied", "s3:PutObject"),
        (403, "SignatureDoesNotMatch", "secret"),
        (403, "RequestTimeTooSkewed", "the clock of this machine differs"),
        (404, "NoSuchBucket", "create the bucket"),
        (400, "AuthorizationHeaderMalformed", "eu-central-1"),
    ] {
        let answer = Answer { status, code, message: "So it is.", request_id: "tx01", region: "eu-central-1" };
        let text = with_key(|request| request.answered(&answer)).to_string();
        for part in ["putting", "live/a.mp4", "media", code, "So it is.", "tx01", words] {
            assert!(text.contains(part), "'{part}' is not in '{text}'");
        }
    }
    let message = "All non-trailing parts must have the same length.";
    let answer = Answer { status: 400, code: "InvalidPart", message, ..Answer::default() };
    let text = with_key(|request| request.answered(&answer)).to_string();
    assert!(text.contains("equal_parts"), "{text}");
    let message = "Part number must be an integer between 1 and 1000, inclusive";
    let answer = Answer { status: 400, code: "InvalidArgument", message, ..Answer::default() };
    let text = with_key(|request| request.answered(&answer)).to_string();
    assert!(text.contains("parts_max"), "{text}");
}

#[test]
fn what_the_service_says_is_cut_and_made_printable() {
    let message = "\u{1b}[31m\n".repeat(1000);
    let answer = Answer { status: 500, code: "InternalError", message: &message, ..Answer::default() };
    let text = with_key(|request| request.answered(&answer)).to_string();
    assert!(text.len() < 600 && !text.contains(char::is_control), "{text:?}");
}

#[test]
fn a_missing_upload_and_damage_name_the_object() {
    let answer = |code| Answer { status: 404, code, ..Answer::default() };
    let gone = with_key(|request| request.answered(&answer("NoSuchUpload")));
    assert!(matches!(gone, StoreError::UploadGone { key: gone } if gone == key()));
    let differs = with_key(|request| request.answered(&answer("BadDigest")));
    assert!(matches!(differs, StoreError::ContentsDiffer { key: differs, .. } if differs == key()));
}

fn response(status: u16) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), SdkBody::empty())
}

#[test]
fn failures_of_the_way_are_the_networks() {
    let failures: [SdkError<PutObjectError>; 3] = [
        SdkError::timeout_error("slow"),
        SdkError::dispatch_failure(ConnectorError::io("connection refused".into())),
        SdkError::dispatch_failure(ConnectorError::timeout("no connection within 3 s".into())),
    ];
    for failure in failures {
        let error = with_key(|request| request.failed(&failure));
        assert_eq!(error.fault(), Fault::Network, "{error}");
    }
    let unreadable: SdkError<PutObjectError> = SdkError::response_error("no XML", response(502));
    assert_eq!(with_key(|request| request.failed(&unreadable)).fault(), Fault::Store);
}

#[test]
fn credentials_and_certificates_are_settings() {
    let dispatch = |source| SdkError::<PutObjectError>::dispatch_failure(ConnectorError::other(source, None));
    let certificate = |text: &str| dispatch(format!("TLS: invalid peer certificate: {text}").into());
    for (failure, fault, words) in [
        (dispatch(CredentialsError::not_loaded("nothing").into()), Fault::Configuration, "no credentials were found"),
        (dispatch(CredentialsError::provider_error("refused").into()), Fault::Denied, "could not be obtained"),
        (certificate("UnknownIssuer"), Fault::Configuration, "trust its authority"),
        (certificate("Other(CaUsedAsEndEntity)"), Fault::Configuration, "signed by it"),
    ] {
        let error = with_key(|request| request.failed(&failure));
        assert_eq!(error.fault(), fault, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_missing_object_a_missing_upload_and_a_missing_bucket_are_told_apart() {
    let service = |code: &str, status| {
        let error = PutObjectError::generic(aws_sdk_s3::error::ErrorMetadata::builder().code(code).build());
        SdkError::<PutObjectError>::service_error(error, response(status))
    };
    assert!(not_found(&service("NotFound", 404)) && not_found(&service("NoSuchKey", 404)));
    assert!(!not_found(&service("NoSuchBucket", 404)) && !not_found(&service("AccessDenied", 403)));
    assert!(upload_gone(&service("NoSuchUpload", 404)) && upload_gone(&service("NoSuchKey", 404)));
    assert!(!upload_gone(&service("NoSuchBucket", 404)) && !upload_gone(&service("InternalError", 500)));
    assert!(service_failed(&service("Whatever", 500)) && service_failed(&service("InternalError", 200)));
    assert!(!service_failed(&service("NoSuchUpload", 404)));
}
