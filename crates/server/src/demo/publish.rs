//! An RTMP publisher, paced like an encoder.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use livetape_flv::{Tag, TagKind, Tags};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult, PublishRequestType, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long the server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// What lies between the last picture of one round and the first of the next, at 30 a second.
const SEAM_MS: u32 = 33;

/// Publishes `sample`, an FLV file, to `APP/STREAM` at `server` in real time, over and over, for
/// `length`.
///
/// # Errors
/// When the server refuses or goes away.
pub(super) async fn publish(
    server: SocketAddr,
    app: &'static str,
    stream: &'static str,
    sample: &'static [u8],
    length: Duration,
) -> Result<(), anyhow::Error> {
    let tags: Vec<Tag> = Tags::of(Bytes::from_static(sample))?.collect::<Result<_, _>>()?;
    let mut connection = Connection::open(server, app, stream).await?;
    let start = Instant::now();
    for (timestamp_ms, tag) in rounds(&tags, length) {
        let due = start + Duration::from_millis(u64::from(timestamp_ms));
        connection.read_until(due).await?;
        connection.send(tag, timestamp_ms).await?;
    }
    connection.close().await
}

/// The tags of `length`, going round `tags`, with their times. What configures the decoders is only
/// in the first round.
fn rounds(tags: &[Tag], length: Duration) -> impl Iterator<Item = (u32, &Tag)> {
    let length_ms = u32::try_from(length.as_millis()).unwrap_or(u32::MAX);
    let pictures = tags.iter().filter(|tag| tag.kind == TagKind::Video);
    let round_ms = pictures.map(|tag| tag.timestamp_ms).max().unwrap_or(0) + SEAM_MS;
    let count = length_ms.div_ceil(round_ms);
    (0..count)
        .flat_map(move |round| {
            let wanted = move |tag: &&Tag| tag.kind != TagKind::Script && (round == 0 || !configures(tag));
            tags.iter().filter(wanted).map(move |tag| (round * round_ms + tag.timestamp_ms, tag))
        })
        .take_while(move |(timestamp_ms, _)| *timestamp_ms < length_ms)
}

/// Whether an AVC or AAC tag is a sequence header.
fn configures(tag: &Tag) -> bool {
    tag.body.get(1) == Some(&0)
}

struct Connection {
    socket: TcpStream,
    session: ClientSession,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects, shakes hands and begins to publish.
    async fn open(server: SocketAddr, app: &str, stream: &str) -> Result<Self, anyhow::Error> {
        let mut socket = TcpStream::connect(server).await.with_context(|| format!("connecting to {server}"))?;
        socket.set_nodelay(true)?;
        let rest = tokio::time::timeout(ANSWER_TIMEOUT, shake_hands(&mut socket)).await.context("the handshake")??;
        let mut config = ClientSessionConfig::new();
        config.flash_version = concat!("livetape/", env!("CARGO_PKG_VERSION")).to_owned();
        config.tc_url = Some(format!("rtmp://{server}/{app}"));
        let (session, results) = ClientSession::new(config)?;
        let mut connection = Self { socket, session, buffer: vec![0; 16 << 10] };
        connection.perform(results).await?;
        let results = connection.session.handle_input(&rest)?;
        connection.perform(results).await?;
        let request = connection.session.request_connection(app.to_owned())?;
        connection.perform(vec![request]).await?;
        connection.wait_for(&ClientSessionEvent::ConnectionRequestAccepted).await?;
        let request = connection.session.request_publishing(stream.to_owned(), PublishRequestType::Live)?;
        connection.perform(vec![request]).await?;
        connection.wait_for(&ClientSessionEvent::PublishRequestAccepted).await?;
        let mut metadata = StreamMetadata::new();
        metadata.encoder = Some(concat!("livetape demo ", env!("CARGO_PKG_VERSION")).to_owned());
        let message = connection.session.publish_metadata(&metadata)?;
        connection.perform(vec![message]).await?;
        Ok(connection)
    }

    async fn send(&mut self, tag: &Tag, timestamp_ms: u32) -> Result<(), anyhow::Error> {
        let timestamp = RtmpTimestamp::new(timestamp_ms);
        let result = match tag.kind {
            TagKind::Video => self.session.publish_video_data(tag.body.clone(), timestamp, false)?,
            TagKind::Audio => self.session.publish_audio_data(tag.body.clone(), timestamp, false)?,
            TagKind::Script => return Ok(()),
        };
        self.perform(vec![result]).await.map(drop)
    }

    /// Says that it is done, and waits until the server has closed the connection or a while has passed.
    async fn close(mut self) -> Result<(), anyhow::Error> {
        let results = self.session.stop_publishing()?;
        self.perform(results).await?;
        self.socket.shutdown().await?;
        let read = async { while self.socket.read(&mut self.buffer).await.is_ok_and(|count| count > 0) {} };
        // The stream has ended; how the server closes does not matter.
        let _ = tokio::time::timeout(ANSWER_TIMEOUT, read).await;
        Ok(())
    }

    /// Reads what the server says until `due`.
    async fn read_until(&mut self, due: Instant) -> Result<(), anyhow::Error> {
        while let Ok(events) = tokio::time::timeout_at(due, self.read()).await {
            for event in events? {
                if let ClientSessionEvent::UnhandleableOnStatusCode { code } = event {
                    bail!("the server ended the stream: {code}");
                }
            }
        }
        Ok(())
    }

    async fn wait_for(&mut self, wanted: &ClientSessionEvent) -> Result<(), anyhow::Error> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            let events = tokio::time::timeout_at(deadline, self.read()).await;
            for event in events.with_context(|| format!("waiting for {wanted:?}"))?? {
                match event {
                    event if event == *wanted => return Ok(()),
                    ClientSessionEvent::ConnectionRequestRejected { description } => {
                        bail!("the server refused the connection: {description}")
                    }
                    ClientSessionEvent::UnhandleableOnStatusCode { code } => bail!("the server refused: {code}"),
                    _ => {}
                }
            }
        }
    }

    /// Reads once. May be dropped while it waits.
    async fn read(&mut self) -> Result<Vec<ClientSessionEvent>, anyhow::Error> {
        let count = self.socket.read(&mut self.buffer).await?;
        if count == 0 {
            bail!("the server closed the connection");
        }
        let results = self.session.handle_input(self.buffer.get(..count).unwrap_or_default())?;
        self.perform(results).await
    }

    /// Sends what is to be sent; what happened.
    async fn perform(&mut self, results: Vec<ClientSessionResult>) -> Result<Vec<ClientSessionEvent>, anyhow::Error> {
        let mut events = Vec::new();
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => self.socket.write_all(&packet.bytes).await?,
                ClientSessionResult::RaisedEvent(event) => events.push(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        Ok(events)
    }
}

/// The client's side of the handshake; what the server sent behind it.
async fn shake_hands(socket: &mut TcpStream) -> Result<Vec<u8>, anyhow::Error> {
    let mut handshake = Handshake::new(PeerType::Client);
    socket.write_all(&handshake.generate_outbound_p0_and_p1()?).await?;
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            bail!("the server closed the connection during the handshake");
        }
        match handshake.process_bytes(buffer.get(..count).unwrap_or_default())? {
            HandshakeProcessResult::InProgress { response_bytes } => socket.write_all(&response_bytes).await?,
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                socket.write_all(&response_bytes).await?;
                return Ok(remaining_bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: TagKind, timestamp_ms: u32, body: &'static [u8]) -> Tag {
        Tag { kind, timestamp_ms, body: Bytes::from_static(body), position: 0 }
    }

    #[test]
    fn rounds_follow_each_other_without_their_headers() {
        let tags = [
            tag(TagKind::Script, 0, b""),
            tag(TagKind::Video, 0, &[0x17, 0]),
            tag(TagKind::Video, 0, &[0x17, 1]),
            tag(TagKind::Audio, 500, &[0xaf, 1]),
            tag(TagKind::Video, 967, &[0x27, 1]),
        ];
        let sent: Vec<(u32, TagKind)> =
            rounds(&tags, Duration::from_millis(2_400)).map(|(at, tag)| (at, tag.kind)).collect();
        use TagKind::{Audio, Video};
        assert_eq!(
            sent,
            [
                (0, Video),
                (0, Video),
                (500, Audio),
                (967, Video),
                (1_000, Video),
                (1_500, Audio),
                (1_967, Video),
                (2_000, Video)
            ]
        );
    }
}
