//! The SDK of AWS for blocking tests, without retries. What is refused is told as `404 NoSuchKey`.

use std::fmt::Debug;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use http_body_util::Full;
use livetape_fake_s3::FakeS3;
use tokio::runtime::Runtime;

pub(crate) struct Client {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) bucket: String,
    runtime: Runtime,
}

/// Which checksums the SDK adds by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sums {
    None,
    /// What the SDK does unless told otherwise: CRC32 in a trailer of aws-chunked.
    ByDefault,
}

impl Client {
    pub(crate) fn of(fake: &FakeS3) -> Self {
        Self::at(&fake.endpoint(), fake, fake.secret_key(), Sums::None)
    }

    /// Streams with a trailer.
    pub(crate) fn with_sums(fake: &FakeS3) -> Self {
        Self::at(&fake.endpoint(), fake, fake.secret_key(), Sums::ByDefault)
    }

    /// Through a proxy.
    pub(crate) fn through(endpoint: &str, fake: &FakeS3) -> Self {
        Self::at(endpoint, fake, fake.secret_key(), Sums::None)
    }

    pub(crate) fn at(endpoint: &str, fake: &FakeS3, secret: &str, sums: Sums) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (asked, checked) = match sums {
            Sums::None => (RequestChecksumCalculation::WhenRequired, ResponseChecksumValidation::WhenRequired),
            Sums::ByDefault => (RequestChecksumCalculation::WhenSupported, ResponseChecksumValidation::WhenSupported),
        };
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(20)).build();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(fake.region()))
            .endpoint_url(endpoint)
            .credentials_provider(Credentials::new(fake.access_key(), secret, None, None, "fake"))
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(asked)
            .response_checksum_validation(checked)
            .build();
        Self { s3: aws_sdk_s3::Client::from_conf(config), bucket: fake.bucket().to_owned(), runtime }
    }

    /// Waits for what the SDK was asked.
    pub(crate) fn wait<T, E: ProvideErrorMetadata + Debug>(
        &self,
        asked: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, String> {
        self.runtime.block_on(asked).map_err(|error| refusal(&error))
    }

    pub(crate) fn putting(&self, key: &str, data: &[u8]) -> PutObjectFluentBuilder {
        self.s3.put_object().bucket(&self.bucket).key(key).body(stream(data))
    }

    /// Its ETag.
    pub(crate) fn put(&self, key: &str, data: &[u8]) -> Result<String, String> {
        self.wait(self.putting(key, data).send()).map(|put| put.e_tag.unwrap())
    }

    pub(crate) fn get(&self, key: &str) -> Result<Bytes, String> {
        let got = self.wait(self.s3.get_object().bucket(&self.bucket).key(key).send())?;
        Ok(self.runtime.block_on(got.body.collect()).map_err(|error| format!("{error:?}"))?.into_bytes())
    }

    /// Reads a range.
    pub(crate) fn get_range(&self, key: &str, range: &str) -> Result<Bytes, String> {
        let got = self.wait(self.s3.get_object().bucket(&self.bucket).key(key).range(range).send())?;
        Ok(self.runtime.block_on(got.body.collect()).unwrap().into_bytes())
    }

    /// The upload's id.
    pub(crate) fn begin(&self, key: &str) -> String {
        let begun = self.wait(self.s3.create_multipart_upload().bucket(&self.bucket).key(key).send());
        begun.unwrap().upload_id.unwrap()
    }

    /// Its ETag.
    pub(crate) fn part(&self, key: &str, id: &str, number: i32, data: &[u8]) -> Result<String, String> {
        let part = self.s3.upload_part().bucket(&self.bucket).key(key).upload_id(id).part_number(number);
        self.wait(part.body(stream(data)).send()).map(|part| part.e_tag.unwrap())
    }

    /// Its ETag.
    pub(crate) fn complete(&self, key: &str, id: &str, parts: &[(i32, &str)]) -> Result<String, String> {
        let parts = parts.iter().map(|(number, etag)| CompletedPart::builder().part_number(*number).e_tag(*etag));
        let parts = parts.map(|part| part.build()).collect();
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let completing = self.s3.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(id);
        self.wait(completing.multipart_upload(upload).send()).map(|completed| completed.e_tag.unwrap())
    }

    /// Begins, puts these parts and completes.
    pub(crate) fn whole(&self, key: &str, parts: &[&[u8]]) -> Result<String, String> {
        let id = self.begin(key);
        let tags = (1..).zip(parts).map(|(number, part)| Ok((number, self.part(key, &id, number, part)?)));
        let tags = tags.collect::<Result<Vec<_>, String>>()?;
        let tags: Vec<(i32, &str)> = tags.iter().map(|(number, tag)| (*number, tag.as_str())).collect();
        self.complete(key, &id, &tags)
    }

    pub(crate) fn abort(&self, key: &str, id: &str) -> Result<(), String> {
        let aborting = self.s3.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(id);
        self.wait(aborting.send()).map(drop)
    }

    /// The numbers of the parts.
    pub(crate) fn parts(&self, key: &str, id: &str) -> Result<Vec<i32>, String> {
        let listed = self.wait(self.s3.list_parts().bucket(&self.bucket).key(key).upload_id(id).send())?;
        Ok(listed.parts().iter().map(|part| part.part_number.unwrap()).collect())
    }
}

/// A body that is not in memory as far as the SDK knows.
pub(crate) fn stream(data: &[u8]) -> ByteStream {
    ByteStream::from_body_1_x(Full::new(Bytes::copy_from_slice(data)))
}

/// Says these bytes; everything that is answered.
pub(crate) fn say(fake: &FakeS3, request: &str) -> String {
    let mut stream = TcpStream::connect(fake.endpoint().trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn refusal<E: ProvideErrorMetadata + Debug>(error: &SdkError<E>) -> String {
    match error {
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "no answer in time".to_owned(),
        SdkError::DispatchFailure(failure) => match root(failure.as_connector_error().unwrap()) {
            text if text.contains("refused") => "refused".to_owned(),
            _ => "connection lost".to_owned(),
        },
        other => {
            let status = other.raw_response().map_or(0, |response| response.status().as_u16());
            format!("{status} {}", other.code().unwrap_or("without a code"))
        }
    }
}

/// What is at the bottom of an error.
fn root(error: &dyn std::error::Error) -> String {
    let mut lowest = error;
    while let Some(source) = lowest.source() {
        lowest = source;
    }
    lowest.to_string()
}
