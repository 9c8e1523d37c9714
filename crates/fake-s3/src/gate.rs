//! What happens to a request before `s3s` sees it: it is noted and taken whole, and bodies that the server
//! at hand does not take are refused.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use s3s::service::S3Service;
use s3s::{Body, S3Error, S3ErrorCode, s3_error};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::log::Log;
use crate::operation::Operation;
use crate::profile::{Chunked, Profile};

/// The largest body; a part of real S3 may have 5 GiB, but this is in memory.
const BODY_BYTES_MAX: usize = 1 << 30;

#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) inner: S3Service,
    pub(crate) log: Arc<Mutex<Log>>,
    pub(crate) profile: Arc<Profile>,
}

impl Gate {
    /// Serves connections for ever.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            while connections.try_join_next().is_some() {}
            let gate = self.clone();
            connections.spawn(async move {
                let service = hyper::service::service_fn(|request| gate.answer(request));
                // A client that goes away in the middle is no error of the server.
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    /// An error ends the connection: the request never arrived whole.
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let copies = head.headers.contains_key("x-amz-copy-source");
        let operation = Operation::of(head.method.as_str(), target, copies);
        let length = body.size_hint().exact();
        let bytes = number(&head.headers, "x-amz-decoded-content-length").or(length).unwrap_or(0);
        let place = self.log.lock().unwrap().begin(&operation, bytes);
        let refusal = self.refusal(&head.headers, length);
        // Real servers answer earlier at times; then a client may see a broken connection and no answer.
        let data = match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => match error.downcast::<hyper::Error>() {
                Ok(error) => return Err(*error),
                Err(_) => return Ok(self.end(place, refused(s3_error!(EntityTooLarge)))),
            },
        };
        let response = match refusal {
            Some(refusal) => refused(refusal),
            None => self.ask(Request::from_parts(head, data)).await,
        };
        Ok(self.end(place, response))
    }

    async fn ask(&self, request: Request<Bytes>) -> Response<Body> {
        match self.inner.call(request.map(Body::from)).await {
            Ok(response) => response,
            Err(error) => refused(s3_error!(InternalError, "{error:?}")),
        }
    }

    fn end(&self, place: usize, response: Response<Body>) -> Response<Body> {
        self.log.lock().unwrap().end(place, response.status().as_u16());
        response
    }

    /// Why this server takes no such body.
    fn refusal(&self, headers: &HeaderMap, length: Option<u64>) -> Option<S3Error> {
        if length.is_none() {
            return Some(s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."));
        }
        let payload = headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (chunked, trailer) = (payload.starts_with("STREAMING-"), payload.ends_with("-TRAILER"));
        let signed = trailer && !payload.contains("UNSIGNED");
        match self.profile.chunked {
            Chunked::Unknown if chunked => Some(s3_error!(NotImplemented, "Transferring payloads in multiple chunks")),
            Chunked::TrailerUnknown if trailer => Some(s3_error!(NotImplemented, "{payload} not implemented")),
            Chunked::TrailerMismatch if trailer => Some(payload_mismatch()),
            Chunked::SignedTrailerForbidden if signed => Some(s3_error!(AccessDenied, "Invalid payload signature")),
            _ => None,
        }
    }
}

/// `s3s` does not know this code.
pub(crate) fn payload_mismatch() -> S3Error {
    let code: Result<S3ErrorCode, _> = "XAmzContentSHA256Mismatch".parse();
    let mut error = S3Error::new(code.expect("any text is a code"));
    error.set_message("The provided 'x-amz-content-sha256' header does not match what was computed.");
    error.set_status_code(hyper::StatusCode::BAD_REQUEST);
    error
}

fn refused(error: S3Error) -> Response<Body> {
    error.to_http_response().expect("an error is written as XML")
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}
