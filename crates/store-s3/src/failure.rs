//! Errors of the service and of the way to it: whose fault they are, and what to do.
//!
//! What the service says is sorted by its code, and by its HTTP status where it gives no code (answers to HEAD have
//! none) or one that is not in the table. What is kept of it is its code, its message and its request id, cut to a
//! bounded length: never a header, and nothing of what was sent.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use livetape_store::{ObjectKey, StoreError};

/// What is kept of a message, in characters.
const MESSAGE_MAX: usize = 300;
/// Causes of an error that are looked at.
const CAUSES_MAX: usize = 12;

/// What a failure is, and what to do about it where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Network,
    Throttled,
    Denied(&'static str),
    Configuration(&'static str),
    Full,
    UploadGone,
    ContentsDiffer,
    Unavailable,
}

const RIGHTS: &str = "the access key needs s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload and \
                      s3:ListMultipartUploadParts on the objects, and s3:ListBucket and \
                      s3:ListBucketMultipartUploads on the bucket";
const KEY_ID: &str = "check the access key; it may have been deleted or belong to another service";
const SECRET: &str = "check the secret of the access key, and the region";
const TOKEN: &str = "the temporary credentials have expired or are damaged: renew them, or let them come from where they \
                     are renewed";
const CLOCK: &str = "the clock of this machine differs from the service's by more than it allows (usually 15 minutes): \
                     set it, best by NTP";
const BUCKET: &str = "create the bucket, or set the right one";
const REGION: &str = "set the region the bucket is in, and the endpoint of that region";
const KMS: &str = "check the key of server-side encryption: its id, its state, and that the access key may use it";
const STORAGE_CLASS: &str = "set a storage class that the service has, or none";
const PART_SIZE: &str = "set a size of parts that the service takes";
const EQUAL_PARTS: &str = "this service wants parts of equal size: set equal_parts";
const PARTS_MAX: &str = "this service takes fewer parts of an object: set parts_max";
const UNKNOWN_TO_SERVICE: &str = "the service does not know something that was asked of it: try checksum \"md5\" or \
                                  \"none\", no storage class and no encryption";

/// By the service's code.
const CODES: &[(&str, Sort)] = &[
    ("SlowDown", Sort::Throttled),
    ("SlowDownRead", Sort::Throttled),
    ("SlowDownWrite", Sort::Throttled),
    ("Throttling", Sort::Throttled),
    ("ThrottlingException", Sort::Throttled),
    ("ThrottledException", Sort::Throttled),
    ("RequestLimitExceeded", Sort::Throttled),
    ("TooManyRequests", Sort::Throttled),
    ("TooManyRequestsException", Sort::Throttled),
    ("BandwidthLimitExceeded", Sort::Throttled),
    ("AccessDenied", Sort::Denied(RIGHTS)),
    ("AllAccessDisabled", Sort::Denied(RIGHTS)),
    ("Forbidden", Sort::Denied(RIGHTS)),
    ("UnauthorizedAccess", Sort::Denied(RIGHTS)),
    ("AccountProblem", Sort::Denied("the account is blocked: ask who runs the service")),
    ("InvalidAccessKeyId", Sort::Denied(KEY_ID)),
    ("SignatureDoesNotMatch", Sort::Denied(SECRET)),
    ("ExpiredToken", Sort::Denied(TOKEN)),
    ("InvalidToken", Sort::Denied(TOKEN)),
    ("TokenRefreshRequired", Sort::Denied(TOKEN)),
    ("RequestTimeTooSkewed", Sort::Configuration(CLOCK)),
    ("NoSuchBucket", Sort::Configuration(BUCKET)),
    ("InvalidBucketName", Sort::Configuration(BUCKET)),
    ("PermanentRedirect", Sort::Configuration(REGION)),
    ("TemporaryRedirect", Sort::Configuration(REGION)),
    ("AuthorizationHeaderMalformed", Sort::Configuration(REGION)),
    ("IllegalLocationConstraintException", Sort::Configuration(REGION)),
    ("InvalidStorageClass", Sort::Configuration(STORAGE_CLASS)),
    ("EntityTooSmall", Sort::Configuration(PART_SIZE)),
    ("EntityTooLarge", Sort::Configuration(PART_SIZE)),
    ("NotImplemented", Sort::Configuration(UNKNOWN_TO_SERVICE)),
    ("KMS.DisabledException", Sort::Configuration(KMS)),
    ("KMS.NotFoundException", Sort::Configuration(KMS)),
    ("KMS.KMSInvalidStateException", Sort::Configuration(KMS)),
    ("InvalidEncryptionAlgorithmError", Sort::Configuration(KMS)),
    ("QuotaExceeded", Sort::Full),
    ("InsufficientStorage", Sort::Full),
    ("XMinioStorageFull", Sort::Full),
    ("NoSuchUpload", Sort::UploadGone),
    ("BadDigest", Sort::ContentsDiffer),
    ("InvalidDigest", Sort::ContentsDiffer),
    ("IncompleteBody", Sort::ContentsDiffer),
    ("XAmzContentChecksumMismatch", Sort::ContentsDiffer),
    ("XAmzContentSHA256Mismatch", Sort::ContentsDiffer),
    ("InvalidPart", Sort::ContentsDiffer),
    ("InvalidPartOrder", Sort::ContentsDiffer),
    ("RequestTimeout", Sort::Network),
    ("InternalError", Sort::Unavailable),
    ("ServiceUnavailable", Sort::Unavailable),
    ("OperationAborted", Sort::Unavailable),
];

/// By the HTTP status, where the code says nothing.
fn sort_of_status(status: u16) -> Sort {
    match status {
        301 | 307 => Sort::Configuration(REGION),
        401 | 403 => Sort::Denied(RIGHTS),
        405 | 501 => Sort::Configuration(UNKNOWN_TO_SERVICE),
        408 => Sort::Network,
        429 => Sort::Throttled,
        507 => Sort::Full,
        _ => Sort::Unavailable,
    }
}

/// What the service answered.
#[derive(Clone, Copy, Debug, Default)]
struct Answer<'a> {
    status: u16,
    code: &'a str,
    message: &'a str,
    request_id: &'a str,
    /// Where the bucket is, which Amazon says with a redirect.
    region: &'a str,
}

impl Answer<'_> {
    fn sort(&self) -> Sort {
        // Cloudflare R2 says so with the code for a part that is not there.
        if self.code == "InvalidPart" && self.message.contains("same length") {
            return Sort::Configuration(EQUAL_PARTS);
        }
        // OpenStack Swift, at its 1,001st part.
        if self.code == "InvalidArgument" && self.message.contains("Part number") {
            return Sort::Configuration(PARTS_MAX);
        }
        let listed = CODES.iter().find(|(code, _)| *code == self.code);
        listed.map_or_else(|| sort_of_status(self.status), |(_, sort)| *sort)
    }

    fn text(&self) -> String {
        let mut text = match (self.code, self.message) {
            ("", "") => format!("HTTP {}", self.status),
            (code, "") => format!("{} (HTTP {})", printable(code), self.status),
            ("", message) => format!("{} (HTTP {})", printable(message), self.status),
            (code, message) => format!("{}: {} (HTTP {})", printable(code), printable(message), self.status),
        };
        if !self.request_id.is_empty() {
            text.push_str(&format!(", request {}", printable(self.request_id)));
        }
        if !self.region.is_empty() {
            text.push_str(&format!("; the bucket is in the region '{}'", printable(self.region)));
        }
        text
    }
}

/// A request that is to be made: what its errors name.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// "putting", "listing the parts of".
    pub(crate) doing: &'a str,
    /// The object it is about, if it is about one.
    pub(crate) key: Option<&'a ObjectKey>,
    pub(crate) bucket: &'a str,
}

impl Request<'_> {
    /// What was being done, to what.
    pub(crate) fn text(&self) -> String {
        match self.key {
            Some(key) => format!("{} '{key}' in the bucket '{}'", self.doing, self.bucket),
            None => format!("{} the bucket '{}'", self.doing, self.bucket),
        }
    }

    /// The error this request ended with.
    pub(crate) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(service) => {
                let (raw, metadata) = (service.raw(), service.err().meta());
                self.answered(&Answer {
                    status: raw.status().as_u16(),
                    code: metadata.code().unwrap_or_default(),
                    message: metadata.message().unwrap_or_default(),
                    request_id: raw.headers().get("x-amz-request-id").unwrap_or_default(),
                    region: raw.headers().get("x-amz-bucket-region").unwrap_or_default(),
                })
            }
            SdkError::ResponseError(response) => {
                let status = response.raw().status().as_u16();
                let text = format!("the answer (HTTP {status}) cannot be read: {}", causes(error));
                self.sorted(sort_of_status(status), text)
            }
            SdkError::TimeoutError(_) => self.sorted(Sort::Network, "no answer in time".into()),
            // The way to the service, or the way to credentials.
            _ => self.not_sent(error),
        }
    }

    /// An answer that breaks the rules of the protocol.
    pub(crate) fn nonsense(&self, problem: &str) -> StoreError {
        self.sorted(Sort::Unavailable, problem.to_owned())
    }

    fn answered(&self, answer: &Answer<'_>) -> StoreError {
        self.sorted(answer.sort(), answer.text())
    }

    fn not_sent(&self, error: &(dyn Error + 'static)) -> StoreError {
        let text = causes(error);
        for cause in chain(error) {
            match cause.downcast_ref::<CredentialsError>() {
                Some(CredentialsError::ProviderTimedOut(_)) => return self.sorted(Sort::Network, text),
                Some(CredentialsError::CredentialsNotLoaded(_)) => {
                    let advice =
                        "no credentials were found: set the access key and its secret, or give this machine a role";
                    return self.sorted(Sort::Configuration(advice), text);
                }
                Some(_) => {
                    let advice = "the credentials could not be obtained: set the access key and its secret, or look \
                                  after the role of this machine";
                    return self.sorted(Sort::Denied(advice), text);
                }
                None => {}
            }
        }
        // rustls says it so; its error types do not come through.
        if text.contains("CaUsedAsEndEntity") {
            let advice = "the server's certificate is that of an authority: make an authority and a certificate signed by \
                          it, and give the server the latter";
            return self.sorted(Sort::Configuration(advice), text);
        }
        if text.contains("invalid peer certificate") {
            let advice = "the server's certificate is not trusted: if it is meant, trust its authority";
            return self.sorted(Sort::Configuration(advice), text);
        }
        self.sorted(Sort::Network, text)
    }

    fn sorted(&self, sort: Sort, text: String) -> StoreError {
        let doing = self.text();
        let source = |kind: io::ErrorKind, text: String| io::Error::new(kind, text);
        match sort {
            Sort::Network => StoreError::Network { doing, source: source(io::ErrorKind::ConnectionAborted, text) },
            Sort::Throttled => StoreError::Throttled { doing, source: source(io::ErrorKind::ResourceBusy, text) },
            Sort::Denied(advice) => {
                let source = source(io::ErrorKind::PermissionDenied, format!("{text}; {advice}"));
                StoreError::Denied { doing, source }
            }
            Sort::Configuration(advice) => StoreError::Configuration { problem: format!("{advice} ({doing}: {text})") },
            Sort::Full => StoreError::Full { doing, source: source(io::ErrorKind::StorageFull, text) },
            Sort::Unavailable => StoreError::Unavailable { doing, source: source(io::ErrorKind::Other, text) },
            Sort::UploadGone | Sort::ContentsDiffer => match self.key {
                Some(key) if sort == Sort::UploadGone => StoreError::UploadGone { key: key.clone() },
                Some(key) => StoreError::ContentsDiffer { key: key.clone(), detail: text },
                None => StoreError::Unavailable { doing, source: source(io::ErrorKind::Other, text) },
            },
        }
    }
}

/// Whether the service says that there is no such upload. Ceph says so of parts as if they were an object.
pub(crate) fn upload_gone<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(error, SdkError::ServiceError(service)
        if matches!(service.err().code(), Some("NoSuchUpload" | "NoSuchKey")))
}

/// Whether the service says that there is no such object. A missing bucket says the same to HEAD.
pub(crate) fn not_found<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(error, SdkError::ServiceError(service)
        if service.raw().status().as_u16() == 404 && service.err().code() != Some("NoSuchBucket"))
}

/// Whether the service failed at what it had taken on.
pub(crate) fn service_failed<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(error, SdkError::ServiceError(service)
        if service.raw().status().as_u16() >= 500 || service.err().code() == Some("InternalError"))
}

/// An error and what caused it, outermost first.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source()).take(CAUSES_MAX)
}

/// The causes in one line, each once.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for cause in chain(error) {
        let text = cause.to_string();
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    printable(&line)
}

/// `text` cut to a bounded length, without control characters.
fn printable(text: &str) -> String {
    text.chars().take(MESSAGE_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
