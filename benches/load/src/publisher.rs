//! One publisher of a crowd: a socket that takes what is due, and a log of what it took.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use livetape_testkit::Publisher as Dialogue;
use livetape_testkit::fleet::SessionLog;
use livetape_testkit::publisher::goodbye;

use crate::wire::Wire;

/// Bytes that are made ready at once for a server that takes them as fast as it can.
const AHEAD_BYTES: usize = 256 << 10;

/// One publisher.
pub(crate) struct Publisher {
    socket: TcpStream,
    message_stream: u32,
    begun: Instant,
    /// The film's next frame, and when it is due, in milliseconds.
    next: usize,
    due_millis: u32,
    /// What the kernel has not taken, from `taken` on.
    out: Vec<u8>,
    taken: usize,
    queued: u64,
    /// Since when the kernel has not taken everything.
    stuck: Option<Instant>,
    /// What it sent.
    pub(crate) log: SessionLog,
    dead: bool,
}

impl Publisher {
    /// Goes on where a dialogue has come to the point of media.
    pub(crate) fn new(dialogue: Dialogue, wire: &Wire, stream: u32, session: u32) -> std::io::Result<Self> {
        let message_stream = dialogue.message_stream;
        let socket = dialogue.into_stream();
        socket.set_nonblocking(true)?;
        let log = SessionLog { stream, session, kill: None, frames: Vec::new(), sent: 0, reached: None };
        let out = wire.prologue(message_stream);
        Ok(Self {
            socket,
            message_stream,
            begun: Instant::now(),
            next: 0,
            due_millis: wire.due_millis(0),
            queued: out.len() as u64,
            out,
            taken: 0,
            stuck: None,
            log,
            dead: false,
        })
    }

    /// Sends the frames whose time has come.
    pub(crate) fn play(&mut self, wire: &Wire, now: Instant) {
        let playing = now.saturating_duration_since(self.begun).as_millis();
        while u128::from(self.due_millis) <= playing {
            self.queue(wire);
        }
        self.push(now);
    }

    /// Sends frames before `end` as fast as the server takes them; whether all are sent.
    pub(crate) fn rush(&mut self, wire: &Wire, end: Duration, now: Instant) -> bool {
        loop {
            while u128::from(self.due_millis) < end.as_millis() && self.out.len() - self.taken < AHEAD_BYTES {
                self.queue(wire);
            }
            if self.is_sent() || self.dead {
                return true;
            }
            if !self.push(now) {
                return false;
            }
        }
    }

    /// Whether the server has gone.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead
    }

    /// How long the kernel has not taken everything.
    pub(crate) fn stuck(&self, now: Instant) -> Duration {
        self.stuck.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    fn is_sent(&self) -> bool {
        self.taken == self.out.len()
    }

    fn queue(&mut self, wire: &Wire) {
        if self.is_sent() {
            self.out.clear();
            self.taken = 0;
        }
        let before = self.out.len();
        let whose = (self.log.stream, self.log.session);
        let (kind, number) = wire.append(self.next, whose, self.message_stream, &mut self.out);
        self.queued += (self.out.len() - before) as u64;
        self.log.frames.push((self.queued, kind, number));
        self.next += 1;
        self.due_millis = wire.due_millis(self.next);
    }

    /// Hands the kernel what it takes; whether it took something.
    fn push(&mut self, now: Instant) -> bool {
        let before = self.log.sent;
        while !self.is_sent() && !self.dead {
            match self.socket.write(&self.out[self.taken..]) {
                Ok(count) => {
                    self.taken += count;
                    self.log.sent += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stuck.get_or_insert(now);
                    return self.log.sent > before;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.dead = true,
            }
        }
        self.stuck = None;
        self.log.sent > before
    }

    /// Reads past what the server says; whether it still listens.
    pub(crate) fn listen(&mut self) -> bool {
        let mut buffer = [0; 4096];
        while !self.dead {
            match self.socket.read(&mut buffer) {
                Ok(0) => self.dead = true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.dead = true,
            }
        }
        false
    }

    /// Ends the publish as encoders do. What it still held is sent first, which may wait.
    pub(crate) fn say_goodbye(&mut self, key: &str) {
        let mut last = self.out.split_off(self.taken);
        last.extend(goodbye(key, self.message_stream, 128));
        let sent = self
            .socket
            .set_nonblocking(false)
            .and_then(|()| self.socket.set_write_timeout(Some(Duration::from_secs(60))))
            .and_then(|()| self.socket.write_all(&last))
            .and_then(|()| self.socket.shutdown(Shutdown::Write))
            .and_then(|()| self.socket.set_nonblocking(true));
        match sent {
            Ok(()) => {
                self.log.sent = self.queued;
                self.log.reached = Some(self.queued);
            }
            Err(_) => self.dead = true,
        }
    }

    /// Breaks the connection off without a word, as a network does. What was sent arrives.
    pub(crate) fn break_off(self) -> SessionLog {
        // An error says that it is broken already.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.log
    }
}
