//! Reads the sockets of RTMP publishers and writes what comes to files, as it comes: the plain limit that recorders are
//! measured against. It understands nothing: it says to every publisher what lets it begin.
//!
//! `sink ADDRESS DIRECTORY COPIES GATHER_MS`: with 0 it reads a socket as soon as there is something in it.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use livetape_testkit::publisher::{amf, chunk};
use rustix::event::epoll;

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;
const LISTENER: u64 = u64::MAX;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, directory, copies, gather_ms] = arguments.as_slice() else {
        bail!("it is: sink ADDRESS DIRECTORY COPIES GATHER_MS");
    };
    let gather = Duration::from_millis(gather_ms.parse().context("GATHER_MS")?);
    let address: SocketAddr = address.parse().context("ADDRESS")?;
    let mut sink = Sink {
        listener: TcpListener::bind(address).with_context(|| format!("listening at {address}"))?,
        directory: directory.into(),
        copies: copies.parse().context("COPIES")?,
        guests: Vec::new(),
        buffer: vec![0; READ_BYTES],
    };
    sink.listener.set_nonblocking(true)?;
    if gather.is_zero() { sink.run_at_once() } else { sink.run_gathering(gather) }
}

struct Sink {
    listener: TcpListener,
    directory: PathBuf,
    copies: usize,
    guests: Vec<Option<Guest>>,
    buffer: Vec<u8>,
}

/// One publisher.
struct Guest {
    socket: TcpStream,
    files: Vec<File>,
    /// What came before it may begin; the handshake has 3073 bytes.
    greeting: Vec<u8>,
    begun: bool,
}

impl Sink {
    fn run_at_once(&mut self) -> anyhow::Result<()> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let listener = epoll::EventData::new_u64(LISTENER);
        epoll::add(&epoll, &self.listener, listener, epoll::EventFlags::IN)?;
        let mut events = Vec::with_capacity(1024);
        loop {
            events.clear();
            epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
            for event in &events {
                let data = event.data.u64();
                if data == LISTENER {
                    while let Some(index) = self.accept()? {
                        let guest = self.guests[index].as_ref().context("it was just accepted")?;
                        let data = epoll::EventData::new_u64(index as u64);
                        epoll::add(&epoll, &guest.socket, data, epoll::EventFlags::IN)?;
                    }
                } else {
                    // Level-triggered: what is left comes again.
                    self.read(data as usize)?;
                }
            }
        }
    }

    fn run_gathering(&mut self, gather: Duration) -> anyhow::Result<()> {
        let mut next = Instant::now();
        loop {
            while self.accept()?.is_some() {}
            let greeting = self.guests.iter().flatten().any(|guest| !guest.begun);
            for index in 0..self.guests.len() {
                while self.read(index)? == READ_BYTES {}
            }
            next += if greeting { gather / 20 } else { gather };
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }

    fn accept(&mut self) -> anyhow::Result<Option<usize>> {
        let socket = match self.listener.accept() {
            Ok((socket, _)) => socket,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        socket.set_nonblocking(true)?;
        let index = self.guests.len();
        let path = |copy: usize| self.directory.join(format!("{index}.{copy}.bytes"));
        let files = (0..self.copies).map(|copy| File::create_new(path(copy))).collect::<Result<_, _>>()?;
        self.guests.push(Some(Guest { socket, files, greeting: Vec::new(), begun: false }));
        Ok(Some(index))
    }

    /// Reads once, and writes; how many bytes.
    fn read(&mut self, index: usize) -> anyhow::Result<usize> {
        let Some(guest) = &mut self.guests[index] else { return Ok(0) };
        let count = match guest.socket.read(&mut self.buffer) {
            Ok(0) => {
                self.guests[index] = None;
                return Ok(0);
            }
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(_) => {
                self.guests[index] = None;
                return Ok(0);
            }
        };
        let bytes = &self.buffer[..count];
        if guest.begun {
            for file in &mut guest.files {
                file.write_all(bytes)?;
            }
        } else {
            guest.greet(bytes)?;
        }
        Ok(count)
    }
}

impl Guest {
    /// Answers the handshake, and to whatever comes behind it everything that it wants to hear.
    fn greet(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let before = self.greeting.len();
        self.greeting.extend_from_slice(bytes);
        if before < 1537 && self.greeting.len() >= 1537 {
            let mut answer = vec![3];
            answer.extend([7; 1536]);
            answer.extend_from_slice(&self.greeting[1..1537]);
            self.socket.write_all(&answer)?;
        }
        // C2, and a command.
        if before <= 3073 && self.greeting.len() > 3073 {
            let (number, string) = (amf::Amf::Number, amf::string);
            let success = |code: &str| amf::object(&[("level", string("status")), ("code", string(code))]);
            for values in [
                vec![string("_result"), number(1.0), amf::Amf::Null, success("NetConnection.Connect.Success")],
                vec![string("_result"), number(2.0), amf::Amf::Null, number(1.0)],
                vec![string("onStatus"), number(0.0), amf::Amf::Null, success("NetStream.Publish.Start")],
            ] {
                let header = chunk::Header { csid: 3, kind: 20, timestamp: 0, message_stream: 0 };
                self.socket.write_all(&chunk::message(header, &amf::encode(&values), 128).concat())?;
            }
            self.begun = true;
        }
        Ok(())
    }
}
