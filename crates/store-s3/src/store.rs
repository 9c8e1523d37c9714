//! The store: its client, and the calls that need no more than one request or two.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use bytes::Bytes;
use livetape_store::{
    ContentType, Listed, Listing, ObjectKey, ObjectStore, PartStore, Pending, PutFile, StoreError, Stored,
};

use crate::etag::{ETag, opaque, unquote};
use crate::failure::{Request, not_found};
use crate::options::{Encryption, S3Options};
use crate::prefix::Prefix;
use crate::rate::Rate;
use crate::trust;

/// Pauses between attempts: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long nothing may move before the connection counts as dead. A busy array of disks pauses for seconds.
const STALL_MAX: Duration = Duration::from_secs(20);
/// No service makes an address that holds longer.
const PRESIGNED_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// A bucket as an object store. Cheap to clone.
#[derive(Clone)]
pub struct S3Store {
    pub(crate) client: Client,
    /// Without the secrets.
    pub(crate) options: Arc<S3Options>,
    pub(crate) prefix: Prefix,
    pub(crate) rate: Arc<Rate>,
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What HEAD says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) size_bytes: u64,
    /// What its ETag says, without a sum where those mean nothing.
    pub(crate) etag: ETag,
}

impl S3Store {
    /// The store in a bucket. Makes no request: [`S3Store::probe`] tells whether it works.
    ///
    /// # Errors
    /// [`StoreError::Configuration`], saying which option cannot be as it is.
    pub async fn connect(mut options: S3Options) -> Result<Self, StoreError> {
        options.check()?;
        let http_client = trust::http_client(options.ca_pem.as_deref())?;
        let credentials = credentials(&options, &http_client).await;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(options.connect_timeout)
            .operation_attempt_timeout(options.attempt_timeout)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(options.attempts)
            .with_initial_backoff(BACKOFF.0)
            .with_max_backoff(BACKOFF.1);
        let stalls = StalledStreamProtectionConfig::enabled()
            .upload_enabled(true)
            .download_enabled(true)
            .grace_period(STALL_MAX)
            .build();
        // Made from nothing, so that no variable of the environment changes where objects go or how they are summed.
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client)
            .credentials_provider(credentials)
            .region(Region::new(options.region.clone()))
            .force_path_style(options.force_path_style())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .timeout_config(timeouts)
            .retry_config(retries)
            .stalled_stream_protection(stalls);
        config.set_endpoint_url(options.endpoint.clone());
        let client = Client::from_conf(config.build());
        (options.access_key_id, options.secret_access_key, options.session_token) = (None, None, None);
        let (prefix, rate) = (Prefix(options.prefix.clone()), Rate::new(options.max_bytes_per_second));
        Ok(Self { client, options: Arc::new(options), prefix, rate })
    }

    /// A request about an object.
    pub(crate) fn about<'a>(&'a self, doing: &'a str, key: &'a ObjectKey) -> Request<'a> {
        Request { doing, key: Some(key), bucket: &self.options.bucket }
    }

    /// A request about the bucket.
    pub(crate) fn about_bucket<'a>(&'a self, doing: &'a str) -> Request<'a> {
        Request { doing, key: None, bucket: &self.options.bucket }
    }

    /// How long an attempt may take that sends or fetches `bytes`.
    pub(crate) fn time_for(&self, bytes: u64) -> Duration {
        let seconds = bytes / self.options.min_rate_bytes.max(1);
        self.options.attempt_timeout.max(Duration::from_secs(seconds))
    }

    /// The settings of one request whose attempts may take `attempt`.
    pub(crate) fn patience(&self, attempt: Duration) -> Builder {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.options.connect_timeout)
            .operation_attempt_timeout(attempt)
            .build();
        aws_sdk_s3::config::Config::builder().timeout_config(timeouts)
    }

    /// How the service shall encrypt, and with which key.
    pub(crate) fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.options.encryption {
            Encryption::None => (None, None),
            Encryption::Aes256 => (Some(ServerSideEncryption::Aes256), None),
            Encryption::AwsKms { key_id } => (Some(ServerSideEncryption::AwsKms), key_id.clone()),
        }
    }

    pub(crate) fn storage_class(&self) -> Option<StorageClass> {
        self.options.storage_class.as_deref().map(StorageClass::from)
    }

    /// As many names as a page shall hold, where that is not what every service gives unasked.
    pub(crate) fn page(&self) -> Option<i32> {
        i32::try_from(self.options.page_max).ok().filter(|page| *page != 1000)
    }

    /// Looks at the object at `key`.
    pub(crate) async fn look(&self, key: &ObjectKey) -> Result<Option<Found>, StoreError> {
        let request = self.about("looking at", key);
        let sent = self.client.head_object().bucket(&self.options.bucket).key(self.prefix.name(key)?).send().await;
        let found = match sent {
            Ok(found) => found,
            Err(error) if not_found(&error) => return Ok(None),
            Err(error) => return Err(request.failed(&error)),
        };
        let size = found.content_length().and_then(|size| u64::try_from(size).ok());
        let size_bytes = size.ok_or_else(|| request.nonsense("the answer does not say how large the object is"))?;
        let etag = found.e_tag().map_or(ETag::Other, |tag| ETag::parse(unquote(tag)));
        let sums = !self.etags_mean_nothing(found.server_side_encryption(), found.sse_customer_algorithm());
        Ok(Some(Found { size_bytes, etag: if sums { etag } else { etag.without_sum() } }))
    }

    /// Whether ETags are no MD5s, by what an answer says or by what was asked for.
    pub(crate) fn etags_mean_nothing(
        &self,
        encryption: Option<&ServerSideEncryption>,
        customer_key: Option<&str>,
    ) -> bool {
        matches!(self.options.encryption, Encryption::AwsKms { .. }) || opaque(encryption, customer_key)
    }

    async fn remove(&self, key: &ObjectKey) -> Result<bool, StoreError> {
        // The service answers the same whether there was an object or not; but it says when there is no bucket.
        let was_there = self.look(key).await?.is_some();
        let sent = self.client.delete_object().bucket(&self.options.bucket).key(self.prefix.name(key)?).send().await;
        match sent {
            Ok(_) => Ok(was_there),
            // Somebody was faster.
            Err(error) if not_found(&error) => Ok(false),
            Err(error) => Err(self.about("deleting", key).failed(&error)),
        }
    }

    async fn page_of_objects(&self, prefix: &str, after: Option<&str>) -> Result<Listing, StoreError> {
        let request = self.about_bucket("listing");
        let sent = self
            .client
            .list_objects_v2()
            .bucket(&self.options.bucket)
            .prefix(self.prefix.and(prefix))
            .set_start_after(after.map(|after| self.prefix.and(after)))
            .set_max_keys(self.page())
            .send()
            .await;
        let page = sent.map_err(|error| request.failed(&error))?;
        let mut listing = Listing::default();
        for object in page.contents() {
            let name = object.key().ok_or_else(|| request.nonsense("an object is listed without its key"))?;
            match self.prefix.strip(name) {
                Ok(key) => {
                    let size_bytes = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                    listing.objects.push(Listed { key, size_bytes });
                }
                Err(text) => listing.unknown.push(text),
            }
        }
        if page.is_truncated() == Some(true) {
            let last = page.contents().last().and_then(|object| object.key());
            let last = last.map(|name| name.strip_prefix(&self.prefix.0).unwrap_or(name));
            // The last name goes into the next request, so a page without one would come back for ever.
            let last = last.filter(|last| after.is_none_or(|after| after < *last));
            let last = last.ok_or_else(|| request.nonsense("a page of names that is not the last brings none"))?;
            listing.next = Some(last.to_owned());
        }
        Ok(listing)
    }

    async fn address(&self, key: &ObjectKey, expires: Duration) -> Result<String, StoreError> {
        let request = self.about("making an address for", key);
        let expires = expires.clamp(Duration::from_secs(1), PRESIGNED_MAX);
        let presigning = PresigningConfig::expires_in(expires).map_err(|error| request.nonsense(&error.to_string()))?;
        let get = self.client.get_object().bucket(&self.options.bucket).key(self.prefix.name(key)?);
        let signed = get.presigned(presigning).await.map_err(|error| request.failed(&error))?;
        Ok(signed.uri().to_owned())
    }
}

/// The access key of the options, or what renews credentials from where Amazon's tools find them.
async fn credentials(options: &S3Options, http_client: &SharedHttpClient) -> SharedCredentialsProvider {
    if let (Some(id), Some(secret)) = (&options.access_key_id, &options.secret_access_key) {
        let token = options.session_token.clone();
        return SharedCredentialsProvider::new(Credentials::new(id, secret, token, None, "configuration"));
    }
    let region = Region::new(options.region.clone());
    let settings =
        ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(http_client.clone());
    SharedCredentialsProvider::new(DefaultCredentialsChain::builder().configure(settings).region(region).build().await)
}

impl ObjectStore for S3Store {
    fn describe(&self) -> String {
        let options = &self.options;
        let place = match &options.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("AWS {}", options.region),
        };
        match options.prefix.as_str() {
            "" => format!("s3 bucket {} at {place}", options.bucket),
            prefix => format!("s3 bucket {} at {place} under {prefix}", options.bucket),
        }
    }

    fn put_file<'a>(&'a self, file: &'a PutFile) -> Pending<'a, Stored> {
        Box::pin(self.put_file_once(file))
    }

    fn put_bytes<'a>(&'a self, key: &'a ObjectKey, data: Bytes, content_type: ContentType) -> Pending<'a, Stored> {
        Box::pin(self.put_bytes_once(key, data, content_type))
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Stored>> {
        Box::pin(async move { Ok(self.look(key).await?.map(|found| Stored { size_bytes: found.size_bytes })) })
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, bool> {
        Box::pin(self.remove(key))
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Listing> {
        Box::pin(self.page_of_objects(prefix, after))
    }

    fn local_path(&self, _: &ObjectKey) -> Option<PathBuf> {
        None
    }

    fn read<'a>(&'a self, key: &'a ObjectKey, max_bytes: u64) -> Pending<'a, Option<Bytes>> {
        Box::pin(self.contents(key, max_bytes))
    }

    fn parts(&self) -> Option<&dyn PartStore> {
        Some(self)
    }

    fn presigned<'a>(&'a self, key: &'a ObjectKey, expires: Duration) -> Pending<'a, Option<String>> {
        Box::pin(async move { self.address(key, expires).await.map(Some) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store(options: S3Options) -> S3Store {
        let secret = |text: &str| Some(text.to_owned());
        let keys = S3Options {
            access_key_id: secret("AKIDSHOWN"),
            secret_access_key: secret("SECRETSHOWN"),
            session_token: secret("TOKENSHOWN"),
            ..options
        };
        S3Store::connect(keys).await.unwrap()
    }

    fn options() -> S3Options {
        S3Options { bucket: "media".into(), prefix: "node-1/".into(), ..S3Options::default() }
    }

    #[tokio::test]
    async fn it_says_where_it_is_and_no_secret() {
        let amazon = store(options()).await;
        assert_eq!(amazon.describe(), "s3 bucket media at AWS us-east-1 under node-1/");
        let endpoint = Some("http://127.0.0.1:9000".into());
        let own = store(S3Options { endpoint, prefix: String::new(), ..options() }).await;
        assert_eq!(own.describe(), "s3 bucket media at http://127.0.0.1:9000");
        assert!(!format!("{own:?}").contains("SHOWN"));
    }

    #[tokio::test]
    async fn an_address_is_made_without_a_request_and_holds_seven_days_at_most() {
        let key: ObjectKey = "live/a%2Fb/x=1+2.mp4".parse().unwrap();
        let store = store(options()).await;
        let address = store.presigned(&key, Duration::from_secs(90 * 24 * 3600)).await.unwrap().unwrap();
        assert!(address.starts_with("https://media.s3.us-east-1.amazonaws.com/node-1/live/a%252Fb/"), "{address}");
        assert!(address.contains("X-Amz-Expires=604800"), "{address}");
        assert!(!address.contains("SECRETSHOWN"));
    }

    #[tokio::test]
    async fn a_large_body_has_the_time_the_lowest_rate_takes() {
        let store = store(options()).await;
        assert_eq!(store.time_for(1), Duration::from_secs(30));
        assert_eq!(store.time_for(64 << 20), Duration::from_secs(256));
    }
}
