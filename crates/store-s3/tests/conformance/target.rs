//! The services the store is tested against, and what is different there, as data.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use livetape_fake_s3::{FakeS3, FaultProxy, Profile};
use livetape_store::{ContentType, ObjectKey, ObjectStore as _, Part, PartStore as _, Upload};
use livetape_store_s3::{Encryption, S3Options, S3Store};
use uuid::Uuid;

pub(crate) const MIB: usize = 1 << 20;
/// The smallest part that every service takes.
pub(crate) const PART: usize = 5 * MIB;

/// A service, and a prefix in its bucket that nobody else uses.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) options: S3Options,
    pub(crate) dialect: Dialect,
    /// Where it answers without TLS.
    in_the_clear: String,
    /// Lives as long as the target.
    _fake: Option<Arc<FakeS3>>,
}

/// What is different there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// Whether the tag of a part is the MD5 of its contents.
    pub(crate) tags_are_sums: bool,
    /// Whether an object may have small parts before its last.
    pub(crate) small_parts: bool,
    /// Whether a part may have a larger number than there may be parts.
    pub(crate) any_number: bool,
    /// What it says to a secret that is not the access key's, and to an access key that it does not know.
    pub(crate) wrong_secret: &'static str,
    pub(crate) wrong_key: &'static str,
}

const AWS: Dialect = Dialect {
    tags_are_sums: true,
    small_parts: false,
    any_number: false,
    wrong_secret: "SignatureDoesNotMatch",
    wrong_key: "InvalidAccessKeyId",
};
const CEPH: Dialect = Dialect { any_number: true, ..AWS };
const GARAGE: Dialect = Dialect { small_parts: true, any_number: true, ..AWS };
const REAL_GARAGE: Dialect = Dialect { wrong_secret: "AccessDenied", wrong_key: "AccessDenied", ..GARAGE };
const KMS: Dialect = Dialect { tags_are_sums: false, ..AWS };

impl Target {
    pub(crate) fn aws() -> Option<Self> {
        Some(Self::fake(Profile::aws(), AWS))
    }

    pub(crate) fn r2() -> Option<Self> {
        Some(Self::fake(Profile::r2(), AWS).with(|options| options.equal_parts = true))
    }

    pub(crate) fn ceph() -> Option<Self> {
        Some(Self::fake(Profile::ceph(), CEPH))
    }

    pub(crate) fn garage() -> Option<Self> {
        Some(Self::fake(Profile::garage(), GARAGE))
    }

    pub(crate) fn swift() -> Option<Self> {
        Some(Self::fake(Profile::swift(), AWS).with(|options| options.parts_max = 1000))
    }

    /// AWS where the bucket's setting is a key of the key management service, of which we are not told.
    pub(crate) fn kms_of_the_bucket() -> Option<Self> {
        Some(Self::fake(Profile { default_sse: Some("aws:kms"), ..Profile::aws() }, KMS))
    }

    /// AWS where we ask for such a key.
    pub(crate) fn kms_by_request() -> Option<Self> {
        let ask = |options: &mut S3Options| options.encryption = Encryption::AwsKms { key_id: None };
        Some(Self::fake(Profile::aws(), KMS).with(ask))
    }

    /// The service whose address is in `LIVETAPE_TEST_S3`, if it is set.
    pub(crate) fn real() -> Option<Self> {
        let variable = |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.into());
        let Ok(endpoint) = std::env::var("LIVETAPE_TEST_S3") else {
            println!("LIVETAPE_TEST_S3 is not set, so this is not tested: `cargo xtask test` starts a Ceph and does");
            return None;
        };
        let dialect = match variable("LIVETAPE_TEST_S3_DIALECT", "ceph").as_str() {
            "ceph" => CEPH,
            "garage" => REAL_GARAGE,
            other => panic!("LIVETAPE_TEST_S3_DIALECT is '{other}', which is neither 'ceph' nor 'garage'"),
        };
        let options = S3Options {
            endpoint: Some(endpoint.clone()),
            region: variable("LIVETAPE_TEST_S3_REGION", "us-east-1"),
            bucket: variable("LIVETAPE_TEST_S3_BUCKET", "livetape-test"),
            access_key_id: Some(variable("LIVETAPE_TEST_S3_KEY", "test")),
            secret_access_key: Some(variable("LIVETAPE_TEST_S3_SECRET", "testtest12")),
            ..own()
        };
        Some(Self { options, dialect, in_the_clear: endpoint, _fake: None })
    }

    /// The same service behind TLS, if `LIVETAPE_TEST_S3_TLS` and `LIVETAPE_TEST_S3_CA` are set.
    pub(crate) fn real_over_tls() -> Option<Self> {
        let real = Self::real()?;
        let (Ok(endpoint), Ok(authority)) =
            (std::env::var("LIVETAPE_TEST_S3_TLS"), std::env::var("LIVETAPE_TEST_S3_CA"))
        else {
            println!("LIVETAPE_TEST_S3_TLS and LIVETAPE_TEST_S3_CA are not both set, so this is not tested");
            return None;
        };
        let ca_pem = std::fs::read(authority).unwrap();
        Some(real.with(|options| (options.endpoint, options.ca_pem) = (Some(endpoint), Some(ca_pem))))
    }

    fn fake(profile: Profile, dialect: Dialect) -> Self {
        let fake = FakeS3::start(profile);
        let options = S3Options {
            endpoint: Some(fake.endpoint()),
            bucket: fake.bucket().to_owned(),
            access_key_id: Some(fake.access_key().to_owned()),
            secret_access_key: Some(fake.secret_key().to_owned()),
            ..own()
        };
        Self { options, dialect, in_the_clear: fake.endpoint(), _fake: Some(Arc::new(fake)) }
    }

    /// The same place with other options.
    pub(crate) fn with(&self, change: impl FnOnce(&mut S3Options)) -> Self {
        let mut changed = self.clone();
        change(&mut changed.options);
        changed
    }

    /// The same place behind a proxy.
    pub(crate) fn behind(&self, proxy: &FaultProxy) -> Self {
        self.with(|options| options.endpoint = Some(proxy.endpoint()))
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.options.endpoint.as_deref().unwrap()
    }

    /// The store there. The bucket is there afterwards.
    pub(crate) async fn store(&self) -> S3Store {
        // Refused when it is there already.
        let _ = self.client().create_bucket().bucket(&self.options.bucket).send().await;
        self.store_as_it_is().await
    }

    /// The store there, without a request.
    pub(crate) async fn store_as_it_is(&self) -> S3Store {
        S3Store::connect(self.options.clone()).await.unwrap()
    }

    /// A client of the SDK itself: for what the store does not do.
    pub(crate) fn client(&self) -> aws_sdk_s3::Client {
        use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
        let options = self.options.clone();
        let (id, secret) = (options.access_key_id.unwrap(), options.secret_access_key.unwrap());
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(options.region))
            .credentials_provider(Credentials::new(id, secret, None, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .force_path_style(true);
        config.set_endpoint_url(Some(self.in_the_clear.clone()));
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Puts parts, and holds what is said of each against what it is.
    pub(crate) async fn put_all(&self, store: &S3Store, upload: &Upload, parts: &[(u32, Bytes)]) -> Vec<Part> {
        let mut put = Vec::new();
        for (number, data) in parts {
            let part = store.put_part(upload, *number, data.clone()).await.unwrap();
            assert_eq!((part.number, part.size_bytes), (*number, size(data.len())));
            assert_eq!(part.tag == store.tag(data), self.dialect.tags_are_sums, "{}", part.tag);
            put.push(part);
        }
        put
    }

    /// The size of a first part that is put anew with what was not known before: larger than the others, if it may be.
    pub(crate) fn first_part(&self) -> usize {
        if self.options.equal_parts { PART } else { PART + 77 }
    }
}

/// The options that are the same everywhere.
fn own() -> S3Options {
    S3Options { prefix: format!("test-{}/", Uuid::now_v7().simple()), part_bytes: size(PART), ..S3Options::default() }
}

pub(crate) fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

pub(crate) fn size(len: usize) -> u64 {
    len.try_into().unwrap()
}

/// Bytes that differ from place to place and by `seed`.
pub(crate) fn noise(len: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut data = Vec::with_capacity(len + 8);
    while data.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data.extend_from_slice(&state.to_le_bytes());
    }
    data.truncate(len);
    data.into()
}

pub(crate) fn joined(parts: &[(u32, Bytes)]) -> Vec<u8> {
    parts.iter().flat_map(|(_, data)| data.iter().copied()).collect()
}

/// What anybody gets who has the object's address, and the headers with it.
pub(crate) async fn fetch(store: &S3Store, key: &ObjectKey) -> (Vec<u8>, Vec<(String, String)>) {
    let address = store.presigned(key, Duration::from_secs(60)).await.unwrap().unwrap();
    tokio::task::spawn_blocking(move || {
        // The signature is for the host; what is asked there is the same in the clear.
        let (scheme, rest) = address.split_once("://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let place = match scheme {
            "https" => std::env::var("LIVETAPE_TEST_S3").unwrap(),
            _ => format!("http://{host}"),
        };
        let mut answer = ureq::get(&format!("{place}/{path}")).header("host", host).call().unwrap();
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        (answer.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap(), headers)
    })
    .await
    .unwrap()
}

pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

/// Checks that the bucket holds, under the prefix, just the object `key` with `data`, and no upload.
pub(crate) async fn check_only(store: &S3Store, key: &ObjectKey, data: &[u8]) {
    let listing = store.list("", None).await.unwrap();
    let there: Vec<(&str, u64)> =
        listing.objects.iter().map(|object| (object.key.as_str(), object.size_bytes)).collect();
    assert_eq!(there, [(key.as_str(), size(data.len()))]);
    assert_eq!((listing.unknown.len(), listing.next), (0, None));
    assert_eq!(store.uploads("", None).await.unwrap().uploads, []);
    let (fetched, headers) = fetch(store, key).await;
    assert!(fetched == data, "the contents of '{key}' differ");
    assert_eq!(header(&headers, "content-type"), ContentType::of_key(key).as_str());
}
