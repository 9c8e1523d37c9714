//! HTTP/1.1 messages as bytes: where a head ends, how long a body is, and carrying it at some pace.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// One end of a connection.
pub(crate) struct Peer {
    pub(crate) reader: BufReader<OwnedReadHalf>,
    pub(crate) writer: OwnedWriteHalf,
}

/// A request's or a response's head.
pub(crate) struct Head {
    /// As it came, with the empty line.
    pub(crate) raw: Vec<u8>,
    /// The words of its first line.
    pub(crate) start: [String; 3],
    headers: Vec<(String, String)>,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Bytes(u64),
    Chunked,
    Closed,
}

/// The longest head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How much is carried at once at full speed.
const CARRY_BYTES: u64 = 64 << 10;
/// How often something is carried at less.
const BEAT: Duration = Duration::from_millis(20);

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Throttled bodies go in little pieces.
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::with_capacity(CARRY_BYTES as usize, reader), writer }
    }

    /// Whoever is at the other end sees a reset, not an end.
    pub(crate) fn reset(self) {
        let _ = self.writer.as_ref().set_zero_linger();
    }
}

impl Head {
    /// The next one; `None` when the connection ends before it.
    pub(crate) async fn read(reader: &mut BufReader<OwnedReadHalf>) -> Result<Option<Self>> {
        let mut raw = Vec::new();
        loop {
            let begun = raw.len();
            let count = reader.read_until(b'\n', &mut raw).await?;
            match &raw[begun..] {
                _ if count == 0 && raw.is_empty() => return Ok(None),
                [.., b'\n'] if raw.len() <= HEAD_BYTES_MAX => {}
                _ => return Err(broken("a head that does not end")),
            }
            if matches!(&raw[begun..], b"\r\n" | b"\n") && begun > 0 {
                return Self::parse(raw).map(Some);
            }
        }
    }

    fn parse(raw: Vec<u8>) -> Result<Self> {
        let text = std::str::from_utf8(&raw).map_err(|_| broken("a head that is not text"))?;
        let mut lines = text.lines();
        let mut words = lines.next().unwrap_or_default().splitn(3, ' ').map(str::to_owned);
        let start = [(); 3].map(|()| words.next().unwrap_or_default());
        let fields = lines.filter_map(|line| line.split_once(':'));
        let headers = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Ok(Self { raw, start, headers })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The body's end, when nothing but the headers decides.
    pub(crate) fn extent(&self) -> Result<Option<Extent>> {
        if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Ok(Some(Extent::Chunked));
        }
        let length = self.header("content-length").map(|length| length.parse().map(Extent::Bytes));
        length.transpose().map_err(|_| broken("a content-length that is no number"))
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        self.start[1].parse().unwrap_or(0)
    }
}

/// Carries a body.
pub(crate) async fn carry(
    from: &mut BufReader<OwnedReadHalf>,
    to: &mut OwnedWriteHalf,
    extent: Extent,
    pace: Option<u64>,
) -> Result<()> {
    match extent {
        Extent::Bytes(bytes) => carry_bytes(from, to, bytes, pace).await,
        Extent::Closed => match carry_bytes(from, to, u64::MAX, pace).await {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            other => other,
        },
        Extent::Chunked => loop {
            let mut line = String::new();
            from.read_line(&mut line).await?;
            to.write_all(line.as_bytes()).await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16).map_err(|_| broken("a chunk without a size"))?;
            if size > 0 {
                carry_bytes(from, to, size + 2, pace).await?;
                continue;
            }
            // Trailers, if any, and the empty line.
            loop {
                let mut line = String::new();
                from.read_line(&mut line).await?;
                to.write_all(line.as_bytes()).await?;
                if line.trim().is_empty() {
                    return Ok(());
                }
            }
        },
    }
}

/// Carries so many bytes; an error when there are fewer.
pub(crate) async fn carry_bytes(
    from: &mut BufReader<OwnedReadHalf>,
    to: &mut OwnedWriteHalf,
    mut bytes: u64,
    pace: Option<u64>,
) -> Result<()> {
    let most = pace.map_or(CARRY_BYTES, |pace| (pace / 50).clamp(1, CARRY_BYTES));
    let mut buffer = vec![0; CARRY_BYTES as usize];
    while bytes > 0 {
        let count = from.read(&mut buffer[..most.min(bytes) as usize]).await?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        to.write_all(&buffer[..count]).await?;
        bytes -= count as u64;
        if pace.is_some() {
            tokio::time::sleep(BEAT).await;
        }
    }
    Ok(())
}

/// Reads a body that nobody gets.
pub(crate) async fn discard(from: &mut BufReader<OwnedReadHalf>, bytes: u64) -> Result<()> {
    let count = tokio::io::copy(&mut from.take(bytes), &mut tokio::io::sink()).await?;
    if count == bytes { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

pub(crate) fn broken(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}
