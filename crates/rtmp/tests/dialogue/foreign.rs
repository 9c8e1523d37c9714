//! Another implementation as the client.

use livetape_media::EndReason;
use livetape_rtmp::{Rejection, RejectionCode};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionEvent, ClientSessionResult, PublishRequestType,
};
use rml_rtmp::time::RtmpTimestamp;

use crate::peer::{Event, Peer};
use crate::script::AAC_HEADER;

/// A client that is connected to a peer, and what it noticed.
struct Client {
    session: ClientSession,
    peer: Peer,
    /// How many of the peer's events the client has seen.
    seen: usize,
    noticed: Vec<ClientSessionEvent>,
}

impl Client {
    fn connected(mut peer: Peer) -> Self {
        let mut handshake = Handshake::new(PeerType::Client);
        peer.feed(&handshake.generate_outbound_p0_and_p1().unwrap());
        let HandshakeProcessResult::Completed { response_bytes, .. } = handshake.process_bytes(&peer.sent()).unwrap()
        else {
            panic!("the handshake is not over")
        };
        peer.feed(&response_bytes);
        let seen = peer.events.len();
        let (session, results) = ClientSession::new(ClientSessionConfig::new()).unwrap();
        let mut client = Self { session, peer, seen, noticed: Vec::new() };
        client.handle(results);
        let request = client.session.request_connection("live".to_owned()).unwrap();
        client.handle(vec![request]);
        client
    }

    /// Passes what the client says to the peer and back until both are silent.
    fn handle(&mut self, results: Vec<ClientSessionResult>) {
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => drop(self.peer.feed(&packet.bytes)),
                ClientSessionResult::RaisedEvent(event) => self.noticed.push(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        self.listen();
    }

    fn listen(&mut self) {
        while let Some(event) = self.peer.events.get(self.seen).cloned() {
            self.seen += 1;
            if let Event::Sent(bytes) = event {
                let results = self.session.handle_input(&bytes).unwrap();
                self.handle(results);
            }
        }
    }

    fn publish(&mut self, key: &str) {
        let request = self.session.request_publishing(key.to_owned(), PublishRequestType::Live).unwrap();
        self.handle(vec![request]);
    }

    fn audio(&mut self, timestamp: u32, body: &[u8]) {
        let body = body.to_vec().into();
        let result = self.session.publish_audio_data(body, RtmpTimestamp::new(timestamp), false).unwrap();
        self.handle(vec![result]);
    }
}

#[test]
fn a_foreign_client_publishes_and_stops() {
    let mut client = Client::connected(Peer::new());
    assert_eq!(client.noticed, [ClientSessionEvent::ConnectionRequestAccepted]);
    client.publish("key");
    assert_eq!(client.noticed[1..], [ClientSessionEvent::PublishRequestAccepted]);
    client.audio(0, &AAC_HEADER);
    for index in 0..50u32 {
        client.audio(index * 23, &[&[0xAF, 1][..], &vec![index as u8; 200 + index as usize * 50]].concat());
    }
    let results = client.session.stop_publishing().unwrap();
    client.handle(results);
    let frames = client.peer.frames();
    assert_eq!(frames.len(), 50);
    assert!(frames.iter().enumerate().all(|(index, frame)| *frame == vec![index as u8; 200 + index * 50]));
    assert_eq!((client.peer.ends(), client.peer.closed()), (vec![EndReason::Unpublish], None));
}

#[test]
fn a_foreign_client_understands_a_refusal() {
    let mut peer = Peer::new();
    peer.accepts = false;
    let mut client = Client::connected(peer);
    client.publish("key");
    let id = client.peer.requests()[0].id;
    let rejection = Rejection { code: RejectionCode::BadName, description: "Taken.".to_owned() };
    client.peer.then(|session, now| session.reject(id, &rejection, now));
    client.listen();
    let code = "NetStream.Publish.BadName".to_owned();
    assert_eq!(client.noticed[1..], [ClientSessionEvent::UnhandleableOnStatusCode { code }]);
    assert_eq!(client.peer.closed(), Some(&None));
}
