//! A receiver of webhooks on loopback.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;

use crate::world::block_on;

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    came: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Mutex<(u16, String)>>,
}

impl Receiver {
    /// Answers with this.
    pub(crate) fn answering(status: u16, body: &str) -> Self {
        let came: Arc<Mutex<Vec<Received>>> = Arc::default();
        let answer = Arc::new(Mutex::new((status, body.to_owned())));
        let (keep, say) = (came.clone(), answer.clone());
        let hook = post(move |headers: HeaderMap, body: Bytes| async move {
            let body = String::from_utf8(body.to_vec()).unwrap();
            keep.lock().unwrap().push(Received { headers, body });
            let (status, text) = say.lock().unwrap().clone();
            (StatusCode::from_u16(status).unwrap(), text)
        });
        let url = block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/hook", listener.local_addr().unwrap());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let router = Router::new().route("/hook", hook.clone());
                    let service = hyper_util::service::TowerToHyperService::new(router);
                    let io = hyper_util::rt::TokioIo::new(stream);
                    tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
                }
            });
            url
        });
        Self { url, came, answer }
    }

    /// Answers with this from now on.
    pub(crate) fn answer(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    pub(crate) fn came(&self) -> Vec<Received> {
        self.came.lock().unwrap().clone()
    }

    /// Waits until so much has come; all of it.
    #[track_caller]
    pub(crate) fn wait(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} deliveries"), || self.came().len() >= count);
        self.came()
    }
}

/// Waits until it holds.
#[track_caller]
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::yield_now();
    }
}
