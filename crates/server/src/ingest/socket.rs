//! A connection's socket: read as soon as something comes or, while media flows, when some has gathered.
//!
//! Nobody waits for a single frame of a recording, and a read of one costs as much as a read of many. So the socket of a
//! publisher is looked at by the clock: what came meanwhile waits in the kernel, and no packet wakes anybody.
//!
//! ```text
//! read at once          | handshake, commands | readiness (epoll)
//! read when gathered    | media               | a pause: longer when little came, shorter when much did
//! ```

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::ops::RangeInclusive;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use rustix::net::sockopt;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;
/// How much may gather, whatever the kernel has room for.
const PLENTY_BYTES: RangeInclusive<usize> = (32 << 10)..=READ_BYTES;
/// The shortest pause.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Looks are taken at moments so far apart, unless their pauses are shorter.
const GRID: Duration = Duration::from_millis(25);

thread_local! {
    /// What is read is taken over before the thread does anything else, so one buffer does for all its connections.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A connection's socket.
pub(super) struct Socket {
    stream: Stream,
    /// The longest pause.
    gather: Duration,
}

enum Stream {
    /// `None` only while it changes.
    AtOnce(Option<TcpStream>),
    Gathering {
        stream: std::net::TcpStream,
        look: Instant,
        pause: Duration,
    },
}

impl Socket {
    /// One that is read at once. While it gathers, what comes waits for as long as `gather`.
    pub(super) fn new(stream: TcpStream, gather: Duration) -> Self {
        Self { stream: Stream::AtOnce(Some(stream)), gather }
    }

    /// From now on it is read when some has gathered, unless that is not wanted. Once is enough.
    pub(super) fn begin_to_gather(&mut self) -> io::Result<()> {
        let Stream::AtOnce(stream) = &mut self.stream else { return Ok(()) };
        if self.gather.is_zero() {
            return Ok(());
        }
        if let Some(stream) = stream.take() {
            let (stream, pause) = (stream.into_std()?, self.gather / 4);
            self.stream = Stream::Gathering { stream, look: Instant::now(), pause };
        }
        Ok(())
    }

    /// When it is looked at next; `None`: it is read at once.
    pub(super) fn next_look(&self) -> Option<Instant> {
        match self.stream {
            Stream::AtOnce(_) => None,
            Stream::Gathering { look, .. } => Some(look),
        }
    }

    /// How long it is not read, after it was; `None`: it is read at once.
    pub(super) fn pause(&self) -> Option<Duration> {
        match self.stream {
            Stream::AtOnce(_) => None,
            Stream::Gathering { pause, .. } => Some(pause),
        }
    }

    /// Waits until it is worth while to read or write.
    pub(super) async fn ready(&self, reads: bool, writes: bool) {
        match &self.stream {
            Stream::AtOnce(Some(stream)) => {
                let interest = match (reads, writes) {
                    (true, true) => Interest::READABLE | Interest::WRITABLE,
                    (true, false) => Interest::READABLE,
                    (false, true) => Interest::WRITABLE,
                    (false, false) => return std::future::pending().await,
                };
                // An error shows itself when it is read or written.
                let _ = stream.ready(interest).await;
            }
            Stream::Gathering { look, .. } if reads || writes => sleep_until(*look).await,
            _ => std::future::pending().await,
        }
    }

    /// Reads what is there and shows it to `take`; how many bytes, 0 at the end. `WouldBlock`: there is nothing.
    pub(super) fn read(&mut self, take: impl FnOnce(&[u8])) -> io::Result<usize> {
        BUFFER.with_borrow_mut(|buffer| {
            let count = match &mut self.stream {
                Stream::AtOnce(Some(stream)) => stream.try_read(buffer)?,
                Stream::AtOnce(None) => return Err(io::ErrorKind::NotConnected.into()),
                Stream::Gathering { stream, look, pause } => {
                    let now = Instant::now();
                    if now < *look {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    let result = stream.read(buffer);
                    let count = *result.as_ref().unwrap_or(&0);
                    if count > *PLENTY_BYTES.start() || *pause < self.gather {
                        *pause = next_pause(*pause, count, plenty(stream), self.gather);
                    }
                    *look = if count == buffer.len() { now } else { after(*pause, now) };
                    result?
                }
            };
            take(buffer.get(..count).unwrap_or_default());
            Ok(count)
        })
    }

    /// Writes what the kernel takes of `out`. `WouldBlock`: it takes nothing.
    pub(super) fn write(&mut self, out: &mut BytesMut) -> io::Result<()> {
        let count = match &mut self.stream {
            Stream::AtOnce(Some(stream)) => stream.try_write(out)?,
            Stream::AtOnce(None) => return Err(io::ErrorKind::NotConnected.into()),
            Stream::Gathering { stream, look, pause } => {
                let result = stream.write(out);
                if result.is_err() {
                    // Whoever waits to write as well looks no sooner.
                    *look = (*look).max(Instant::now() + *pause);
                }
                result?
            }
        };
        out.advance(count);
        Ok(())
    }

    /// Writes all of `out` and says that nothing more comes, as far as the peer takes it.
    pub(super) async fn finish(mut self, mut out: BytesMut, patience: Duration) {
        let written = async {
            while !out.is_empty() {
                match self.write(&mut out) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_writable().await,
                    Err(_) => break,
                    Ok(()) => {}
                }
            }
        };
        // Then it gets no more of it.
        let _ = tokio::time::timeout(patience, written).await;
        // An error says that the peer has gone.
        let _ = match self.stream {
            Stream::AtOnce(Some(stream)) => stream.into_std().and_then(|stream| stream.shutdown(Shutdown::Write)),
            Stream::AtOnce(None) => Ok(()),
            Stream::Gathering { stream, .. } => stream.shutdown(Shutdown::Write),
        };
    }

    async fn wait_writable(&self) {
        match &self.stream {
            Stream::Gathering { .. } => tokio::time::sleep(PAUSE_MIN).await,
            Stream::AtOnce(_) => self.ready(false, true).await,
        }
    }
}

/// When to look after `pause`: at moments that all share, so that one that wakes serves many.
fn after(pause: Duration, now: Instant) -> Instant {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let moment = now + pause;
    if pause < GRID {
        return moment;
    }
    let into = moment.saturating_duration_since(*ORIGIN).as_nanos() % GRID.as_nanos();
    moment - Duration::from_nanos(u64::try_from(into).unwrap_or(0))
}

/// How much may gather in the kernel so that the publisher is not held up: the window that the peer sees is half of the
/// buffer, which the kernel enlarges when it turns out too small.
fn plenty(stream: &std::net::TcpStream) -> usize {
    let window = sockopt::socket_recv_buffer_size(stream).unwrap_or(0) / 2;
    (window / 4 * 3).clamp(*PLENTY_BYTES.start(), *PLENTY_BYTES.end())
}

/// How long to wait after a look that found `count` bytes, so that the next finds less than `plenty`.
fn next_pause(pause: Duration, count: usize, plenty: usize, longest: Duration) -> Duration {
    if count > plenty {
        (pause / 2).max(PAUSE_MIN)
    } else if count + count / 4 < plenty {
        (pause + pause / 4).min(longest)
    } else {
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_follow_what_comes() {
        let (longest, plenty) = (Duration::from_millis(300), 48 << 10);
        let after = |pause: Duration, bytes_per_second: usize| {
            (0..60).fold(pause, |pause, _| {
                let count = (bytes_per_second as f64 * pause.as_secs_f64()) as usize;
                next_pause(pause, count, plenty, longest)
            })
        };
        assert_eq!(after(longest, 1 << 30), PAUSE_MIN);
        assert_eq!(after(PAUSE_MIN, 0), longest);
        assert_eq!(after(PAUSE_MIN, 100 << 10), longest);
        let pause = after(longest, 1 << 20);
        let gathers = (1 << 20) as f64 * pause.as_secs_f64();
        assert!(gathers > plenty as f64 / 2.5 && gathers <= plenty as f64, "{pause:?}");
    }
}
