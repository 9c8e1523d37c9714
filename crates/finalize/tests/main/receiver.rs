//! A receiver of webhooks that does what a script says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the receiver does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// An empty answer of this status.
    Status(u16),
    /// These bytes, and the connection stays open.
    Raw(String),
    /// The head of an answer, then bytes without end.
    Endless,
    /// Nothing at all.
    Hang,
    /// The connection is closed without an answer.
    Close,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) connection: usize,
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

type Script = Arc<dyn Fn(&Received, usize) -> Answer + Send + Sync>;

/// Serves until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// Answers each request as `script` says of it and its number, from 0.
    pub(crate) async fn start(script: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::with_tls(None, script).await
    }

    pub(crate) async fn with_tls(
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (script, seen): (Script, _) = (Arc::new(script), requests.clone());
        let task = tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, seen, tls) = (script.clone(), seen.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await {
                                serve(stream, connection, &script, &seen).await;
                            }
                        }
                        None => serve(stream, connection, &script, &seen).await,
                    }
                });
            }
        });
        Self { address, requests, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    script: &Script,
    seen: &Mutex<Vec<Received>>,
) {
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer, connection).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        match script(&request, number) {
            Answer::Status(status) => {
                let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            Answer::Raw(text) => {
                let _ = stream.write_all(text.as_bytes()).await;
            }
            Answer::Endless => {
                let _ = stream.write_all(b"HTTP/1.1 500 Said\r\nContent-Length: 1000000000\r\n\r\n").await;
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                return;
            }
            Answer::Hang => std::future::pending().await,
            Answer::Close => return,
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>, connection: usize) -> Option<Received> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let mut lines = head.split("\r\n");
            let line = lines.next()?.to_owned();
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers.get("content-length").map_or(0, |digits| digits.parse().unwrap());
            if rest.len() >= length {
                let body = rest[..length].to_owned();
                buffer.drain(..head.len() + 4 + length);
                return Some(Received { connection, line, headers, body });
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
