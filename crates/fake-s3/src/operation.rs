//! What a request is, told by its method, target and headers, before anything is read of it.

/// One request's operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// As S3 names it, `UploadPart` for example; `Other` when it is none of those known here.
    pub name: &'static str,
    /// The bucket; empty when there is none.
    pub bucket: String,
    /// The key; empty when there is none.
    pub key: String,
}

impl Operation {
    /// Reads it. `target` is the path and the query of a path-style address; `copies` says whether there is
    /// an `x-amz-copy-source`.
    pub fn of(method: &str, target: &str, copies: bool) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
        let fields: Vec<&str> = query.split('&').map(|field| field.split('=').next().unwrap_or_default()).collect();
        let has = |name: &str| fields.contains(&name);
        let name = match (method, bucket.is_empty(), key.is_empty()) {
            ("GET", true, _) => "ListBuckets",
            ("PUT", false, true) => "CreateBucket",
            ("HEAD", false, true) => "HeadBucket",
            ("GET", false, true) if has("uploads") => "ListMultipartUploads",
            ("GET", false, true) if has("list-type") => "ListObjectsV2",
            ("POST", false, true) if has("delete") => "DeleteObjects",
            ("PUT", false, false) if has("uploadId") && copies => "UploadPartCopy",
            ("PUT", false, false) if has("uploadId") => "UploadPart",
            ("PUT", false, false) if copies => "CopyObject",
            ("PUT", false, false) => "PutObject",
            ("GET", false, false) if has("uploadId") => "ListParts",
            ("GET", false, false) => "GetObject",
            ("HEAD", false, false) => "HeadObject",
            ("DELETE", false, false) if has("uploadId") => "AbortMultipartUpload",
            ("DELETE", false, false) => "DeleteObject",
            ("POST", false, false) if has("uploads") => "CreateMultipartUpload",
            ("POST", false, false) if has("uploadId") => "CompleteMultipartUpload",
            _ => "Other",
        };
        Self { name, bucket: plain(bucket), key: plain(key) }
    }
}

/// Without percent-encoding.
fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Operation;

    #[test]
    fn a_request_is_known_by_its_first_line() {
        let cases = [
            ("PUT", "/b/a%20key/2?partNumber=1&uploadId=x", false, "UploadPart", "a key/2"),
            ("PUT", "/b/k?uploadId=x&partNumber=1", true, "UploadPartCopy", "k"),
            ("PUT", "/b/k?x-id=PutObject", false, "PutObject", "k"),
            ("POST", "/b/k?uploads", false, "CreateMultipartUpload", "k"),
            ("POST", "/b/k?uploadId=x", false, "CompleteMultipartUpload", "k"),
            ("GET", "/b/?list-type=2&prefix=a%2F", false, "ListObjectsV2", ""),
            ("GET", "/b?uploads", false, "ListMultipartUploads", ""),
            ("PUT", "/b/", false, "CreateBucket", ""),
            ("GET", "/", false, "ListBuckets", ""),
            ("PATCH", "/b/k", false, "Other", "k"),
        ];
        for (method, target, copies, name, key) in cases {
            let found = Operation::of(method, target, copies);
            assert_eq!((found.name, found.key.as_str()), (name, key), "{method} {target}");
        }
    }
}
