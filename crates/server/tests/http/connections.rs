//! The accept loop, over loopback.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use livetape_server::http::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::block_on;

/// No answer of these tests takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

async fn serving(max: usize, head_timeout: Duration) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let router = Router::new().route("/", get(|| async { "hello" }));
    let task = tokio::spawn(serve(listener, router, max, head_timeout, shutdown.clone()));
    (address, shutdown, task)
}

/// What comes until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is reset has been closed, too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn answered(stream: &mut TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"hello") {
        let byte = tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap();
        bytes.push(byte);
    }
}

#[test]
fn a_request_that_never_ends_is_cut_off() {
    block_on(async {
        let (address, _shutdown, _task) = serving(10, Duration::from_millis(200)).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        assert!(!rest(&mut slow).await.contains("200 OK"));
    });
}

#[test]
fn one_connection_too_many_is_closed_and_the_others_go_on() {
    block_on(async {
        let (address, _shutdown, _task) = serving(1, PATIENCE).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        answered(&mut first).await;
        let mut second = TcpStream::connect(address).await.unwrap();
        assert_eq!(rest(&mut second).await, "");
        answered(&mut first).await;
    });
}

#[test]
fn stopping_waits_for_no_idle_connection() {
    block_on(async {
        let (address, shutdown, task) = serving(10, Duration::from_secs(600)).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        answered(&mut idle).await;
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET / HT").await.unwrap();
        let start = Instant::now();
        shutdown.cancel();
        tokio::time::timeout(PATIENCE, task).await.expect("it goes on serving").unwrap();
        assert!(start.elapsed() < Duration::from_secs(10));
        assert_eq!(rest(&mut idle).await, "");
        assert!(TcpStream::connect(address).await.is_err(), "it still listens");
    });
}
