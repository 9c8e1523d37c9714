//! A proxy that breaks requests, in front of any S3 server over http.
//!
//! ```text
//! client --- connection after connection, kept ---> proxy --- one connection a request ---> server
//! ```
//!
//! Heads are passed on byte for byte, the Host header too: the signature covers it. So the server is told
//! the proxy's address as its name, which servers with buckets in the path accept (Ceph does unless
//! `rgw_dns_name` is a suffix of it).

use std::collections::BTreeMap;
use std::io::Result;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::fault::{Fault, Faults};
use crate::host::{Host, Place};
use crate::operation::Operation;
use crate::wire::{Extent, Head, Peer, broken, carry, carry_bytes, discard};

/// The network between a client and a server. Stops when dropped.
pub struct FaultProxy {
    host: Host,
    shared: Arc<Shared>,
    door: watch::Sender<Door>,
}

/// Whether connections are taken, and whom to tell that it is so.
#[derive(Clone, Default)]
struct Door {
    closed: bool,
    tell: Option<mpsc::SyncSender<()>>,
}

struct Shared {
    /// `host:port` of the server.
    target: String,
    faults: Mutex<Faults>,
    passed: Mutex<BTreeMap<&'static str, u64>>,
    struck: Mutex<BTreeMap<&'static str, u64>>,
}

impl FaultProxy {
    /// In front of `target`, `http://host:port`; everything passes.
    pub fn start(target: &str) -> Self {
        let address = target.strip_prefix("http://").map(|address| address.trim_end_matches('/'));
        let address = address.unwrap_or_else(|| panic!("{target} is not http://host:port")).to_owned();
        let shared = Arc::new(Shared {
            target: address,
            faults: Mutex::default(),
            passed: Mutex::default(),
            struck: Mutex::default(),
        });
        let (door, knock) = watch::channel(Door::default());
        let state = Arc::clone(&shared);
        let host = Host::start("fault-proxy", |place, listener| serve(place, listener, state, knock));
        Self { host, shared, door }
    }

    /// Where clients connect to, `http://` and the address.
    pub fn endpoint(&self) -> String {
        self.host.endpoint()
    }

    /// From the next request on this is what happens. What is struck already stays so. When connections are
    /// refused, that has begun when this returns.
    pub fn set(&self, faults: impl Into<Faults>) {
        let faults = faults.into();
        let closed = faults.refuse;
        *self.shared.faults.lock().unwrap() = faults;
        if self.door.borrow().closed != closed {
            let (tell, told) = mpsc::sync_channel(1);
            self.door.send(Door { closed, tell: Some(tell) }).expect("the proxy has ended");
            told.recv_timeout(Duration::from_secs(30)).expect("the proxy did not do as it was told");
        }
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.set(Faults::default());
    }

    /// How many requests of an operation were passed on and answered by the server, whatever it said, without
    /// the answers that were lost.
    pub fn count(&self, operation: &str) -> u64 {
        self.shared.passed.lock().unwrap().get(operation).copied().unwrap_or(0)
    }

    /// How many requests of an operation were struck by a fault.
    pub fn struck(&self, operation: &str) -> u64 {
        self.shared.struck.lock().unwrap().get(operation).copied().unwrap_or(0)
    }
}

/// Takes connections while the door is open.
async fn serve(place: Place, first: TcpListener, shared: Arc<Shared>, mut door: watch::Receiver<Door>) {
    let mut listener = Some(first);
    loop {
        let mut connections = JoinSet::new();
        while let Some(open) = &listener {
            let knock = door.clone();
            tokio::select! {
                accepted = open.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    while connections.try_join_next().is_some() {}
                    connections.spawn(converse(Peer::new(stream), Arc::clone(&shared), knock));
                }
                _ = door.wait_for(|door| door.closed) => listener = None,
            }
        }
        // They see that the door is closed and end by themselves.
        while connections.join_next().await.is_some() {}
        answer(&door);
        if door.wait_for(|door| !door.closed).await.is_err() {
            return;
        }
        listener = Some(place.listen());
        answer(&door);
    }
}

fn answer(door: &watch::Receiver<Door>) {
    if let Some(tell) = &door.borrow().tell {
        let _ = tell.try_send(());
    }
}

/// One client's connection: request after request.
async fn converse(mut near: Peer, shared: Arc<Shared>, mut door: watch::Receiver<Door>) {
    let end = tokio::select! {
        end = requests(&mut near, &shared) => end,
        _ = door.wait_for(|door| door.closed) => End::Reset,
    };
    if end == End::Reset {
        near.reset();
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
}

async fn requests(near: &mut Peer, shared: &Shared) -> End {
    loop {
        match Head::read(&mut near.reader).await {
            Ok(Some(head)) => match request(near, &head, shared).await {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                // The client or the server is gone in the middle; the other is told by a reset.
                Err(_) => return End::Reset,
            },
            Ok(None) => return End::Closed,
            Err(_) => return End::Reset,
        }
    }
}

/// One request; how the connection ends, unless it goes on.
async fn request(near: &mut Peer, head: &Head, shared: &Shared) -> Result<Option<End>> {
    let [method, target, _] = &head.start;
    let operation = Operation::of(method, target, head.header("x-amz-copy-source").is_some());
    let length = match head.extent()? {
        None => 0,
        Some(Extent::Bytes(length)) => length,
        Some(_) => return Err(broken("a request that does not say how long it is")),
    };
    let fault = {
        let mut faults = shared.faults.lock().unwrap();
        faults.rules.iter_mut().find_map(|rule| rule.strikes(&operation).then(|| rule.fault.clone()))
    };
    if fault.is_some() {
        *shared.struck.lock().unwrap().entry(operation.name).or_default() += 1;
    }
    let end = match &fault {
        Some(Fault::Hang(time)) => {
            tokio::time::sleep(*time).await;
            Some(End::Reset)
        }
        Some(Fault::Swallow) => {
            take(near, head, length).await?;
            // Until the client closes.
            while near.reader.read(&mut [0; 1024]).await? > 0 {}
            Some(End::Closed)
        }
        Some(Fault::Reply(reply)) => {
            take(near, head, length).await?;
            let answer = reply.response();
            // What answers HEAD has no body.
            let head_bytes = answer.find("\r\n\r\n").map_or(answer.len(), |end| end + 4);
            let sent = if method == "HEAD" { &answer[..head_bytes] } else { &answer };
            near.writer.write_all(sent.as_bytes()).await?;
            None
        }
        Some(Fault::Reset { after_bytes }) => {
            let mut far = shared.connect().await?;
            far.writer.write_all(&head.raw).await?;
            let sent = carry_bytes(&mut near.reader, &mut far.writer, length.min(*after_bytes), None).await;
            far.reset();
            sent?;
            Some(End::Reset)
        }
        passing => {
            let far = shared.connect().await?;
            pass(near, far, head, length, passing.as_ref(), || shared.count_passed(operation.name)).await?
        }
    };
    Ok(end)
}

impl Shared {
    async fn connect(&self) -> Result<Peer> {
        TcpStream::connect(&self.target).await.map(Peer::new)
    }

    fn count_passed(&self, operation: &'static str) {
        *self.passed.lock().unwrap().entry(operation).or_default() += 1;
    }
}

/// Reads the rest of a request that the server does not see.
async fn take(near: &mut Peer, head: &Head, length: u64) -> Result<()> {
    if head.header("expect").is_some() {
        near.writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    discard(&mut near.reader, length).await
}

/// Passes a request to the server and its answer back; `passes` is told before the client can know.
async fn pass(
    near: &mut Peer,
    mut far: Peer,
    head: &Head,
    length: u64,
    fault: Option<&Fault>,
    passes: impl FnOnce(),
) -> Result<Option<End>> {
    let pace = match fault {
        Some(Fault::Throttle { bytes_per_second }) => Some(*bytes_per_second),
        _ => None,
    };
    far.writer.write_all(&head.raw).await?;
    let (answer, whole) = {
        let mut body = pin!(carry_bytes(&mut near.reader, &mut far.writer, length, pace));
        let mut answer = pin!(async {
            loop {
                let head = Head::read(&mut far.reader).await?.ok_or_else(|| broken("no answer"))?;
                if head.status() >= 200 {
                    return Ok::<Head, std::io::Error>(head);
                }
                near.writer.write_all(&head.raw).await?;
            }
        });
        // A server may answer before it has read everything, and stop reading.
        tokio::select! {
            biased;
            sent = &mut body => (answer.await?, sent.is_ok()),
            head = &mut answer => (head?, false),
        }
    };
    match fault {
        Some(Fault::LoseAnswer) => return Ok(Some(End::Reset)),
        Some(Fault::Late(time)) => tokio::time::sleep(*time).await,
        _ => {}
    }
    let extent = match answer.status() {
        204 | 304 => Extent::Bytes(0),
        _ if head.start[0] == "HEAD" => Extent::Bytes(0),
        _ => answer.extent()?.unwrap_or(Extent::Closed),
    };
    passes();
    near.writer.write_all(&answer.raw).await?;
    carry(&mut far.reader, &mut near.writer, extent, pace).await?;
    let closes = |head: &Head| head.header("connection").is_some_and(|word| word.eq_ignore_ascii_case("close"));
    let ends = !whole || extent == Extent::Closed || closes(&answer) || closes(head);
    Ok(ends.then_some(End::Closed))
}
