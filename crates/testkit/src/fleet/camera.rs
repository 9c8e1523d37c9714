//! One publisher of a fleet.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::film::{Film, Mark};
use crate::flv::Kind;
use crate::publisher::{Publisher, chunk, goodbye};

/// How long it waits before it tries to publish again.
const RETRY: Duration = Duration::from_millis(100);
/// Streams come back one after the other over this long, so that they are not cut at the same moment.
const SPREAD: Duration = Duration::from_millis(1200);
/// What it holds of a film that the server does not take.
const UNSENT_MAX: usize = 64 << 20;
const CHUNK_BYTES: u32 = 60_000;

/// What became of one session.
#[derive(Clone, Debug)]
pub struct SessionLog {
    /// The stream.
    pub stream: u32,
    /// Which of its sessions, as its marks say.
    pub session: u32,
    /// Which kill ended it; `None`: it ended otherwise.
    pub kill: Option<u32>,
    /// Every frame: where it ends on the wire, its kind and its number.
    pub frames: Vec<(u64, Kind, u32)>,
    /// Bytes that were handed to the kernel.
    pub sent: u64,
    /// Bytes that the server had read; `None`: it is not known, the connection broke.
    pub reached: Option<u64>,
}

impl SessionLog {
    /// The last frame of a kind that is whole within the first `bytes` bytes.
    pub fn last_within(&self, bytes: u64, kind: Kind) -> Option<u32> {
        let within = self.frames.iter().take_while(|(end, _, _)| *end <= bytes);
        within.filter(|(_, of, _)| *of == kind).map(|(_, _, number)| *number).last()
    }
}

/// Pushes the first `media` of a film as fast as the server takes it, as session `session` of stream
/// `stream`, and says goodbye. `None`: the server did not let it begin.
pub fn rush(server: SocketAddr, film: &Film, stream: u32, session: u32, media: Duration) -> Option<SessionLog> {
    let publisher = Publisher::try_publish(server, "live", &name(stream)).ok()?;
    let mut session = Session::new(stream, session, publisher, film);
    session.play(film, media);
    session.goodbye(&name(stream));
    Some(session.log)
}

/// Pushes the first `media` of a film so many times as fast as it plays, as [`rush`] does, however long it is.
pub fn hurry(server: SocketAddr, film: &Film, stream: u32, media: Duration, speed: u32) -> Option<SessionLog> {
    let publisher = Publisher::try_publish(server, "live", &name(stream)).ok()?;
    let mut session = Session::new(stream, 1, publisher, film);
    loop {
        let playing = media.min(session.begun.elapsed() * speed);
        session.play(film, playing);
        session.push();
        if playing == media && session.unsent.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    session.goodbye(&name(stream));
    Some(session.log)
}

/// One stream's publisher.
pub struct Camera {
    stream: u32,
    sessions: u32,
    film: Arc<Film>,
    state: State,
    /// It sends nothing while this is set, and catches up afterwards.
    pub paused: bool,
    /// What the server said when it last refused.
    pub refusal: Option<String>,
}

enum State {
    Idle(Instant),
    Connecting(JoinHandle<Result<Publisher, String>>),
    Live(Box<Session>),
}

struct Session {
    socket: TcpStream,
    port: u16,
    message_stream: u32,
    begun: Instant,
    /// The film's next frame.
    next: usize,
    /// What the kernel has not taken yet.
    unsent: Vec<u8>,
    log: SessionLog,
    /// Bytes that are in the log.
    queued: u64,
    dead: bool,
}

impl Camera {
    pub(super) fn new(stream: u32, film: Arc<Film>) -> Self {
        let state = State::Idle(Instant::now());
        Self { stream, sessions: 0, film, state, paused: false, refusal: None }
    }

    /// The stream's name.
    pub fn name(&self) -> String {
        name(self.stream)
    }

    /// How much media its session has handed to the kernel.
    pub fn sent(&self) -> Duration {
        let State::Live(session) = &self.state else { return Duration::ZERO };
        let last = session.log.frames.iter().rev().find(|(end, ..)| *end <= session.log.sent);
        last.map_or(Duration::ZERO, |(_, kind, number)| {
            Duration::from_millis(u64::from(self.film.time(*kind, *number)))
        })
    }

    /// How much of its session's film has played.
    pub fn played(&self) -> Duration {
        match &self.state {
            State::Live(session) => session.begun.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// Whether it is publishing, and bytes that the kernel does not take.
    pub fn unsent(&self) -> Option<usize> {
        match &self.state {
            State::Live(session) => Some(session.unsent.len()),
            _ => None,
        }
    }

    /// Does what is due; the session that is over, and how late the latest frame was.
    pub(super) fn step(&mut self, server: SocketAddr, now: Instant) -> (Option<SessionLog>, Duration) {
        match &mut self.state {
            State::Idle(until) if now >= *until => {
                let key = name(self.stream);
                let connect = std::thread::spawn(move || Publisher::try_publish(server, "live", &key));
                self.state = State::Connecting(connect);
            }
            State::Connecting(thread) if thread.is_finished() => {
                let State::Connecting(thread) = std::mem::replace(&mut self.state, State::Idle(now + RETRY)) else {
                    return (None, Duration::ZERO);
                };
                // A panic of the publisher has been printed; it is tried again like any other refusal.
                match thread.join().unwrap_or_else(|_| Err("the publisher panicked".to_owned())) {
                    Ok(publisher) => {
                        self.state =
                            State::Live(Box::new(Session::new(self.stream, self.sessions, publisher, &self.film)));
                        self.sessions += 1;
                    }
                    Err(refusal) => self.refusal = Some(refusal),
                }
            }
            State::Live(session) => {
                let late = if self.paused { Duration::ZERO } else { session.play(&self.film, now - session.begun) };
                session.push();
                session.listen();
                if session.dead {
                    return (Some(self.end(now)), late);
                }
                return (None, late);
            }
            _ => {}
        }
        (None, Duration::ZERO)
    }

    fn end(&mut self, now: Instant) -> SessionLog {
        let back = now + RETRY + SPREAD / 20 * (self.stream * 7 % 20);
        match std::mem::replace(&mut self.state, State::Idle(back)) {
            State::Live(session) => session.log,
            _ => unreachable!("only a session ends"),
        }
    }

    /// The server has just died: what it had read, given what is unread at its side.
    pub(super) fn server_died(&mut self, unread: &BTreeMap<u16, u64>, kill: u32) {
        if let State::Live(session) = &mut self.state
            && !session.dead
        {
            session.log.kill = Some(kill);
            let unread = unread.get(&session.port).copied().unwrap_or(0);
            session.log.reached = Some(session.log.sent.saturating_sub(unread));
            session.dead = true;
        }
    }

    /// Sends what it still holds, says goodbye, and waits until the server has heard it.
    pub(super) fn finish(&mut self) -> Option<SessionLog> {
        match std::mem::replace(&mut self.state, State::Idle(Instant::now())) {
            State::Idle(_) => None,
            State::Connecting(thread) => {
                // A session without a frame has nothing to be judged.
                let _ = thread.join();
                None
            }
            State::Live(mut session) => {
                session.goodbye(&name(self.stream));
                Some(session.log)
            }
        }
    }
}

fn name(stream: u32) -> String {
    format!("cam{stream:04}")
}

impl Session {
    fn new(stream: u32, number: u32, publisher: Publisher, film: &Film) -> Self {
        let message_stream = publisher.message_stream;
        let socket = publisher.into_stream();
        socket.set_nonblocking(true).unwrap();
        let port = socket.local_addr().unwrap().port();
        let log = SessionLog { stream, session: number, kill: None, frames: Vec::new(), sent: 0, reached: None };
        let mut session = Self {
            socket,
            port,
            message_stream,
            begun: Instant::now(),
            next: 0,
            unsent: Vec::new(),
            log,
            queued: 0,
            dead: false,
        };
        let control = chunk::Header { csid: 2, kind: 1, timestamp: 0, message_stream: 0 };
        session.queue(&chunk::message(control, &CHUNK_BYTES.to_be_bytes(), 128).concat());
        for header in film.headers() {
            session.tag(header);
        }
        session
    }

    /// Queues every frame whose time has come; how late the first of them is.
    fn play(&mut self, film: &Film, playing: Duration) -> Duration {
        let mut late = Duration::ZERO;
        while self.unsent.len() < UNSENT_MAX {
            let (kind, number) = film.nth(self.next);
            let due = Duration::from_millis(u64::from(film.time(kind, number)));
            if due > playing {
                break;
            }
            late = late.max(playing - due);
            let mark = Mark { stream: self.log.stream, session: self.log.session, kind, number };
            self.tag(&film.tag(mark));
            self.log.frames.push((self.queued, kind, number));
            self.next += 1;
        }
        late
    }

    fn tag(&mut self, tag: &crate::flv::Tag) {
        let csid = if tag.kind == Kind::Video { 6 } else { 4 };
        let (kind, timestamp, message_stream) = (tag.kind.number(), tag.timestamp, self.message_stream);
        let header = chunk::Header { csid, kind, timestamp, message_stream };
        self.queue(&chunk::message(header, &tag.body, CHUNK_BYTES as usize).concat());
    }

    fn queue(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
        self.queued += bytes.len() as u64;
    }

    /// Hands the kernel as much as it takes.
    fn push(&mut self) {
        while !self.unsent.is_empty() && !self.dead {
            match self.socket.write(&self.unsent) {
                Ok(count) => {
                    self.unsent.drain(..count);
                    self.log.sent += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.dead = true,
            }
        }
    }

    /// Reads past what the server says; notices when it has gone.
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        while !self.dead {
            match self.socket.read(&mut buffer) {
                Ok(0) => self.dead = true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.dead = true,
            }
        }
    }

    fn goodbye(&mut self, key: &str) {
        self.socket.set_nonblocking(false).unwrap();
        self.socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        self.socket.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
        self.unsent.extend(goodbye(key, self.message_stream, CHUNK_BYTES as usize));
        let unsent = std::mem::take(&mut self.unsent);
        if self.socket.write_all(&unsent).is_ok() {
            self.log.sent = self.queued;
            self.log.reached = Some(self.queued);
        }
        // It closes when it has read everything: nothing more comes from here.
        let _ = self.socket.shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        if self.socket.read_to_end(&mut rest).is_err() {
            // It died on the way: what it had read is not known.
            self.log.reached = None;
        }
    }
}
