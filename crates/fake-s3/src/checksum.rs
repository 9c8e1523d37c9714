//! Checksums that clients send with a body, in a header or in the trailer of aws-chunked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::CompletedPart;
use s3s::{S3Result, TrailingHeaders, s3_error};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// As `x-amz-checksum-algorithm` names it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name.to_ascii_lowercase())
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Crc32c => "crc32c",
            Self::Crc64Nvme => "crc64nvme",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    fn of(self, data: &[u8]) -> String {
        match self {
            Self::Crc32 => STANDARD.encode(Crc32::checksum(data)),
            Self::Crc32c => STANDARD.encode(Crc32c::checksum(data)),
            Self::Crc64Nvme => STANDARD.encode(Crc64Nvme::checksum(data)),
            Self::Sha1 => STANDARD.encode(Sha1::checksum(data)),
            Self::Sha256 => STANDARD.encode(Sha256::checksum(data)),
        }
    }

    pub(crate) fn sum(self, data: &[u8]) -> Checksum {
        Checksum { algorithm: self, value: self.of(data) }
    }

    /// What a completion says that this part's is.
    pub(crate) fn of_part(self, part: &CompletedPart) -> Option<&String> {
        match self {
            Self::Crc32 => part.checksum_crc32.as_ref(),
            Self::Crc32c => part.checksum_crc32c.as_ref(),
            Self::Crc64Nvme => part.checksum_crc64nvme.as_ref(),
            Self::Sha1 => part.checksum_sha1.as_ref(),
            Self::Sha256 => part.checksum_sha256.as_ref(),
        }
    }
}

/// A checksum that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    /// In base64.
    pub(crate) value: String,
}

impl Checksum {
    pub(crate) fn value_of(this: Option<&Self>, algorithm: Algorithm) -> Option<String> {
        this.filter(|sum| sum.algorithm == algorithm).map(|sum| sum.value.clone())
    }
}

/// Puts a checksum, when there is one, into the fields of an output.
macro_rules! tell_checksum {
    ($output:expr, $sum:expr) => {{
        use $crate::checksum::{Algorithm, Checksum};
        $output.checksum_crc32 = Checksum::value_of($sum, Algorithm::Crc32);
        $output.checksum_crc32c = Checksum::value_of($sum, Algorithm::Crc32c);
        $output.checksum_crc64nvme = Checksum::value_of($sum, Algorithm::Crc64Nvme);
        $output.checksum_sha1 = Checksum::value_of($sum, Algorithm::Sha1);
        $output.checksum_sha256 = Checksum::value_of($sum, Algorithm::Sha256);
    }};
}
pub(crate) use tell_checksum;

/// Verifies a body by all the checksums that came with it; the one that is not MD5, if there is one.
pub(crate) fn verify(
    data: &[u8],
    headers: &HeaderMap,
    trailer: Option<&TrailingHeaders>,
) -> S3Result<Option<Checksum>> {
    if let Some(claim) = headers.get("content-md5") {
        let claim = STANDARD.decode(claim.as_bytes()).ok().filter(|digest| digest.len() == 16);
        let claim = claim.ok_or_else(|| s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid."))?;
        if claim != md5(data) {
            return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."));
        }
    }
    let mut claims = claims(headers);
    claims.extend(trailer.and_then(|trailer| trailer.read(claims_of_trailer)).unwrap_or_default());
    if claims.len() > 1 {
        return Err(s3_error!(InvalidRequest, "Expecting a single x-amz-checksum- header"));
    }
    if let Some(promised) = headers.get("x-amz-trailer").and_then(|names| names.to_str().ok()) {
        let promised = promised.trim().strip_prefix("x-amz-checksum-").and_then(Algorithm::named);
        if promised.is_some() && claims.first().map(|sum| sum.algorithm) != promised {
            return Err(s3_error!(InvalidRequest, "The trailer lacks the checksum it was to hold."));
        }
    }
    let claim = claims.pop();
    if let Some(sum) = claim.as_ref().filter(|sum| sum.algorithm.of(data) != sum.value) {
        let name = sum.algorithm.name().to_ascii_uppercase();
        return Err(s3_error!(BadDigest, "The {name} you specified did not match the calculated checksum."));
    }
    Ok(claim)
}

fn claims_of_trailer(headers: &HeaderMap) -> Vec<Checksum> {
    claims(headers)
}

fn claims(headers: &HeaderMap) -> Vec<Checksum> {
    let found = Algorithm::ALL.into_iter().filter_map(|algorithm| {
        let value = headers.get(format!("x-amz-checksum-{}", algorithm.name()))?;
        Some(Checksum { algorithm, value: value.to_str().unwrap_or_default().trim().to_owned() })
    });
    found.collect()
}

pub(crate) fn md5(data: &[u8]) -> [u8; 16] {
    let mut digest = [0; 16];
    digest.copy_from_slice(Md5::checksum(data).as_ref());
    digest
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
