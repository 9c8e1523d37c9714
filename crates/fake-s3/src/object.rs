//! An object, and what is said of it when it is put or its upload begun.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;

use crate::checksum::{hex, md5};

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub data: Bytes,
    /// Without quotes: the MD5 of the bytes in hex, or of the parts' MD5s, a dash, and their number.
    pub etag: String,
    /// Its media type.
    pub content_type: Option<String>,
    /// How long it may be cached.
    pub cache_control: Option<String>,
    /// What a browser is to do with it.
    pub content_disposition: Option<String>,
    /// `STANDARD_IA` for example.
    pub storage_class: Option<String>,
    /// How it is encrypted at rest, `AES256` for example.
    pub sse: Option<String>,
    /// What the client adds, by name without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// How often this key was written, by whatever means.
    pub puts: u64,
    pub(crate) modified: SystemTime,
}

/// All of an object but its bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) content_type: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) storage_class: Option<String>,
    pub(crate) sse: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Takes the attributes out of an input of `s3s`.
macro_rules! attributes {
    ($input:expr) => {
        $crate::object::Attributes {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            storage_class: $input.storage_class.take().map(|class| class.as_str().to_owned()),
            sse: $input.server_side_encryption.take().map(|sse| sse.as_str().to_owned()),
            metadata: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
    };
}
pub(crate) use attributes;

/// Tells the attributes of an object in an output of `s3s`.
macro_rules! tell_attributes {
    ($output:expr, $object:expr) => {{
        $output.content_type = $object.content_type.clone();
        $output.cache_control = $object.cache_control.clone();
        $output.content_disposition = $object.content_disposition.clone();
        $output.storage_class = $object.storage_class.clone().map(Into::into);
        $output.server_side_encryption = $object.sse.clone().map(Into::into);
        $output.metadata = Some($object.metadata.clone().into_iter().collect());
        $output.e_tag = Some(s3s::dto::ETag::Strong($object.etag.clone()));
        $output.last_modified = Some($object.modified.into());
        $output.accept_ranges = Some("bytes".to_owned());
    }};
}
pub(crate) use tell_attributes;

impl Attributes {
    /// The object of these bytes.
    pub(crate) fn object(self, data: Bytes, etag: String) -> Object {
        Object {
            data,
            etag,
            content_type: self.content_type,
            cache_control: self.cache_control,
            content_disposition: self.content_disposition,
            storage_class: self.storage_class,
            sse: self.sse,
            metadata: self.metadata,
            puts: 1,
            modified: SystemTime::now(),
        }
    }

    /// The ETag of a body: its MD5, unless a key of the key management encrypts it.
    pub(crate) fn etag(&self, data: &[u8]) -> String {
        let digest = md5(data);
        match self.sse.as_deref() {
            Some(sse) if sse.starts_with("aws:kms") => hex(&md5(&[sse.as_bytes(), &digest].concat())),
            _ => hex(&digest),
        }
    }
}
