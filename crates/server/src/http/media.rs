//! `GET /media/{key}`: the files of recordings, whole and in ranges.
//!
//! Contract: what is in the store is served with an entity tag and never changes while it has that
//! tag. What still grows is served from the spool, as far as it has come, `no-store`: an MP4's head
//! changes once more when it is finished, so no tag may put its bytes together with later ones. A
//! path that is not an object's key is 404, whatever it tries. What is in a store on another machine is not
//! passed through: the answer says where it is, for a while.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::response::Builder;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use livetape_catalog::{RecordingRow, RecordingState, StoreRole, object_url};
use livetape_media::Format;
use livetape_mux::{FileName, hls};
use livetape_store::{ContentType, ObjectKey, StoreError};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use tracing::warn;

use super::query::percent_decode;
use super::range::{self, ByteRange, Validators};
use super::{Api, Problem, off_thread, problem};

/// Bytes read from a file at a time.
const CHUNK: usize = 64 << 10;
/// No playlist that is passed on is larger.
const PLAYLIST_MAX_BYTES: u64 = 64 << 20;

/// Where the bytes of a key are.
enum Found {
    /// In the store: they never change, unless it is a playlist, which may be replaced.
    Stored(PathBuf),
    /// In the spool: they may grow.
    Growing(PathBuf),
    /// In a store that is not on this machine.
    Remote(StoreRole),
    /// Not yet, but this file of the same recording is what a player wants meanwhile.
    Instead(&'static str),
}

/// A file of a recording.
#[utoipa::path(
    get,
    path = "/media/{key}",
    tag = "media",
    params(
        ("key" = String, Path, description = "The recording's `key`, or for HLS that of a file beside it. Each component is percent-encoded; the slashes between them are not"),
        ("range" = Option<String>, Header, description = "One range of bytes"),
    ),
    responses(
        (status = 200, description = "All of it, or all there is yet"),
        (status = 206, description = "The range"),
        (status = 304, description = "It has not changed"),
        (status = 307, description = "It is at another address: signed ones expire"),
        (status = 404, description = "There is no such file", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "The store that has it does not answer", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "It has no such range", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn media(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let missing = || Problem::not_found("there is no such file");
    let key = request.uri().path().strip_prefix("/media/").and_then(key_of_path).ok_or_else(missing)?;
    let content_type = ContentType::of_key(&key).as_str();
    let locating = (api.clone(), key.clone());
    let found = off_thread(move || locate(&locating.0, &locating.1)).await;
    match found.map_err(|error| problem::fault("looking a file up", &error))?? {
        Some(Found::Stored(path)) => {
            let immutable = ContentType::of_key(&key) != ContentType::Playlist;
            answer(&path, content_type, Some(immutable), request.headers()).await
        }
        Some(Found::Growing(path)) => answer(&path, content_type, None, request.headers()).await,
        Some(Found::Remote(role)) => elsewhere(&api, role, &key, content_type, request.method()).await,
        Some(Found::Instead(name)) => redirect(name),
        None => Err(missing()),
    }
}

/// The key that a URL's path (behind `/media/`) means. Components are decoded one by one, so that
/// no encoded slash makes two of one.
fn key_of_path(path: &str) -> Option<ObjectKey> {
    let mut key = String::new();
    for component in path.split('/') {
        let decoded = String::from_utf8(percent_decode(component)).ok()?;
        if decoded.contains('/') {
            return None;
        }
        if !key.is_empty() {
            key.push('/');
        }
        key.push_str(&decoded);
    }
    // An empty first component is lost above; a key never begins with a slash.
    if path.starts_with('/') { None } else { key.parse().ok() }
}

fn locate(api: &Api, key: &ObjectKey) -> Result<Option<Found>, Problem> {
    if let Some(path) = local_path(api, key) {
        return Ok(Some(Found::Stored(path)));
    }
    let Some(row) = row_of(api, key)? else { return Ok(None) };
    if let Some(found) = in_spool(api, &row, key) {
        return Ok(Some(found));
    }
    // It may have gone from the spool to the store while we looked.
    match local_path(api, key) {
        Some(path) => Ok(Some(Found::Stored(path))),
        None => Ok(row_of(api, key)?.filter(is_stored).map(|row| Found::Remote(row.store))),
    }
}

/// Whether the recording is in a store, and will stay there.
fn is_stored(row: &RecordingRow) -> bool {
    row.state == RecordingState::Ready && row.deleting.is_none()
}

/// Where the object is, in stores whose objects are files.
fn local_path(api: &Api, key: &ObjectKey) -> Option<PathBuf> {
    let fallback = || api.stores.fallback.as_ref().and_then(|fallback| fallback.store.local_path(key));
    api.stores.primary.local_path(key).or_else(fallback)
}

/// The recording that has `key`, or whose directory it is in.
fn row_of(api: &Api, key: &ObjectKey) -> Result<Option<RecordingRow>, Problem> {
    let by_key = |key: &ObjectKey| {
        let row = api.catalog.recording_by_key(key.as_str());
        row.map_err(|error| problem::fault("looking a recording up by its key", &error))
    };
    // What is put beside a recording is where that is.
    if let Some(of) = key.as_str().strip_suffix(".json").and_then(|of| of.parse().ok())
        && let Some(row) = by_key(&of)?
    {
        return Ok(Some(row).filter(is_stored));
    }
    match (by_key(key)?, key.sibling("index.m3u8")) {
        (None, Ok(index)) => Ok(by_key(&index)?.filter(|row| row.id.format == Format::Hls)),
        (row, _) => Ok(row),
    }
}

/// What of a recording is in the spool under `key`.
fn in_spool(api: &Api, row: &RecordingRow, key: &ObjectKey) -> Option<Found> {
    if row.spool_evicted || row.state == RecordingState::Discarded {
        return None;
    }
    let name = match row.id.format {
        Format::Mp4 => FileName::mp4(),
        Format::Flv => FileName::flv(),
        Format::Hls => FileName::new(key.name())?,
    };
    if row.media_of.is_some() && !hls::is_media(name.as_str()) && ContentType::of_key(key) != ContentType::Playlist {
        return None;
    }
    // Playlists over an MP4 lie among its files.
    let directory = row.media_of.unwrap_or(row.id).to_string();
    let path = api.spool.path(&directory, &name).ok()?;
    if path.is_file() {
        return Some(Found::Growing(path));
    }
    let growing = path.with_file_name(format!("{name}.part"));
    if growing.is_file() {
        return Some(Found::Growing(growing));
    }
    // The multivariant playlist is written at the end; until then the media playlist is played.
    let is_index = row.id.format == Format::Hls && name.as_str() == "index.m3u8";
    (is_index && row.state == RecordingState::Recording).then_some(Found::Instead("media.m3u8"))
}

/// The answer for an object in a store that is not on this machine: where it can be fetched. A playlist is
/// passed on, so that what it lists is asked for here and not there.
async fn elsewhere(
    api: &Api,
    role: StoreRole,
    key: &ObjectKey,
    content_type: &'static str,
    method: &Method,
) -> Result<Response, Problem> {
    let addresses = api.catalog.addresses();
    let (objects, lifetime) = match role {
        StoreRole::Primary => (&addresses.objects, api.url_lifetime.primary),
        StoreRole::Fallback => (&addresses.fallback_objects, api.url_lifetime.fallback),
    };
    if !objects.is_empty() {
        return redirect(&object_url(objects, key.as_str()));
    }
    let store = api.stores.of(role);
    let failed = |error: StoreError| {
        warn!(key = key.as_str(), "an object could not be fetched: {error}");
        let detail = "the store does not answer as it should; try again";
        Problem::new(StatusCode::BAD_GATEWAY, "store_unavailable", detail.to_owned())
    };
    if ContentType::of_key(key) == ContentType::Playlist {
        let playlist = store.read(key, PLAYLIST_MAX_BYTES).await.map_err(failed)?;
        let playlist = playlist.ok_or_else(|| Problem::not_found("the store does not have it"))?;
        let response = Response::builder()
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CACHE_CONTROL, cache_control(Some(false)));
        return finish(response, Body::from(playlist));
    }
    if method == Method::HEAD {
        // A signed address is good for one method.
        let found = store.head(key).await.map_err(failed)?;
        let found = found.ok_or_else(|| Problem::not_found("the store does not have it"))?;
        let response = Response::builder()
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CONTENT_LENGTH, found.size_bytes)
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::CACHE_CONTROL, "no-store");
        return finish(response, Body::empty());
    }
    match store.presigned(key, lifetime).await.map_err(failed)? {
        Some(url) => redirect(&url),
        None => Err(Problem::not_found("the store does not have it")),
    }
}

/// Temporary: where it is may change, and a signed address expires.
fn redirect(url: &str) -> Result<Response, Problem> {
    let response = Response::builder()
        .status(StatusCode::TEMPORARY_REDIRECT)
        .header(header::LOCATION, url)
        .header(header::CACHE_CONTROL, "no-store");
    finish(response, Body::empty())
}

/// The answer made of a file. `immutable` is `None` for one that grows.
async fn answer(
    path: &Path,
    content_type: &'static str,
    immutable: Option<bool>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let mut file = match File::open(path).await {
        Ok(file) => file,
        // It went to the store, or away, a moment ago.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Problem::not_found("the file has just moved; try again"));
        }
        Err(error) => return Err(problem::fault("opening a recording's file", &error)),
    };
    let metadata = file.metadata().await.map_err(|error| problem::fault("looking at a recording's file", &error))?;
    let len = metadata.len();
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, content_type)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CACHE_CONTROL, cache_control(immutable));
    let mut may_be_part = true;
    match immutable {
        Some(_) => {
            let modified = metadata.modified().unwrap_or(std::time::UNIX_EPOCH);
            let validators = Validators::of_file(len, modified);
            response = response
                .header(header::ETAG, &validators.etag)
                .header(header::LAST_MODIFIED, &validators.last_modified);
            if validators.not_modified(header(header::IF_NONE_MATCH), header(header::IF_MODIFIED_SINCE)) {
                return finish(response.status(StatusCode::NOT_MODIFIED), Body::empty());
            }
            may_be_part = validators.allow_range(header(header::IF_RANGE));
        }
        // Nothing was promised to stay the same, so no condition on it holds.
        None => may_be_part &= header(header::IF_RANGE).is_none(),
    }
    let range = match header(header::RANGE).filter(|_| may_be_part) {
        Some(range) => range::parse(range, len),
        None => ByteRange::Whole,
    };
    let (first, count) = match range {
        ByteRange::Whole => (0, len),
        ByteRange::Part { first, last } => {
            response = response
                .status(StatusCode::PARTIAL_CONTENT)
                .header(header::CONTENT_RANGE, format!("bytes {first}-{last}/{len}"));
            (first, last - first + 1)
        }
        ByteRange::Unsatisfiable => {
            let detail = format!("the file has {len} bytes");
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", detail);
            let content_range = [(header::CONTENT_RANGE, format!("bytes */{len}"))];
            return Ok((content_range, problem).into_response());
        }
    };
    if first > 0 {
        let seek = file.seek(SeekFrom::Start(first)).await;
        seek.map_err(|error| problem::fault("seeking in a recording's file", &error))?;
    }
    let stream = ReaderStream::with_capacity(file.take(count), CHUNK);
    finish(response.header(header::CONTENT_LENGTH, count), Body::from_stream(stream))
}

fn cache_control(immutable: Option<bool>) -> &'static str {
    match immutable {
        Some(true) => "private, max-age=86400, immutable",
        Some(false) => "no-cache",
        None => "no-store",
    }
}

fn finish(response: Builder, body: Body) -> Result<Response, Problem> {
    response.body(body).map_err(|error| problem::fault("making an answer", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_a_key_or_nothing() {
        let key = |path: &str| key_of_path(path).map(|key| key.as_str().to_owned());
        assert_eq!(key("live/a/a-1.mp4").as_deref(), Some("live/a/a-1.mp4"));
        assert_eq!(key("live/x%252Fy/a.mp4").as_deref(), Some("live/x%2Fy/a.mp4"));
        for hostile in [
            "",
            "/",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a/%2e%2e/b",
            "..%2fx",
            "a%2fb",
            "a%00b",
            "a//b",
            "a/",
            "a%5c..%5cb",
            "%ff",
            "a%0ab",
            &"a/".repeat(2000),
            &"a".repeat(10_000),
        ] {
            assert_eq!(key(hostile), None, "{hostile:.40}");
        }
    }
}
