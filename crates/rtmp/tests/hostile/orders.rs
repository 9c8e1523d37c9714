//! Well-formed messages in any order, with time and the server's own acts between them.

use std::time::Duration;

use livetape_media::{Item, Value};
use livetape_rtmp::{CloseReason, Limits, PublishId, Rejection, RejectionCode};
use proptest::prelude::*;

use crate::peer::{Event, Peer};
use crate::script::{Script, number, text};
use crate::{Numbers, outcome};

#[derive(Clone, Debug)]
enum Act {
    Connect,
    CreateStream,
    Publish { stream: u32, name: u8 },
    Command { name: &'static str, stream: u32, argument: Value },
    Audio { stream: u32, length: usize },
    Control { type_id: u8, number: u32 },
    ChunkSize(usize),
    Wait(u64),
    Accept,
    Reject,
    EndPublish(usize),
    Close(CloseReason),
}

/// What a client does.
fn client_act() -> impl Strategy<Value = Act> {
    let names = ["FCPublish", "FCUnpublish", "releaseStream", "deleteStream", "closeStream", "play", "nonsense"];
    let argument = prop_oneof![
        Just(Value::Null),
        (0..5u8).prop_map(|name| text(&name.to_string())),
        (0..4u32).prop_map(|stream| number(f64::from(stream))),
        Just(number(f64::NAN)),
    ];
    prop_oneof![
        2 => Just(Act::Connect),
        3 => Just(Act::CreateStream),
        4 => (0..4u32, 0..5u8).prop_map(|(stream, name)| Act::Publish { stream, name }),
        6 => (proptest::sample::select(names.to_vec()), 0..4u32, argument)
            .prop_map(|(name, stream, argument)| Act::Command { name, stream, argument }),
        8 => (0..4u32, 0..2000usize).prop_map(|(stream, length)| Act::Audio { stream, length }),
        2 => (2..7u8, any::<u32>()).prop_map(|(type_id, number)| Act::Control { type_id, number }),
        1 => (1..3000usize).prop_map(Act::ChunkSize),
    ]
}

/// What a client, a server and time do.
fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => client_act(),
        2 => (0..12_000u64).prop_map(Act::Wait),
        4 => Just(Act::Accept),
        1 => Just(Act::Reject),
        1 => (0..4usize).prop_map(Act::EndPublish),
        1 => prop_oneof![Just(CloseReason::Takeover), Just(CloseReason::Shutdown)].prop_map(Act::Close),
    ]
}

/// Writes what a client does; other acts write nothing.
fn write(script: &mut Script, act: &Act) {
    match act {
        Act::Connect => drop(script.connect("live")),
        Act::CreateStream => drop(script.create_stream(2.0)),
        Act::Publish { stream, name } => drop(script.publish(*stream, &name.to_string())),
        Act::Command { name, stream, argument } => {
            script.command(*stream, &[text(name), number(4.0), Value::Null, argument.clone()]);
        }
        Act::Audio { stream, length } => drop(script.aac_header(*stream).aac(*stream, 0, &vec![7; *length])),
        Act::Control { type_id, number } => drop(script.control(*type_id, &number.to_be_bytes())),
        Act::ChunkSize(size) => drop(script.wire.set_chunk_size(*size)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn outputs_do_not_depend_on_the_cut(acts in proptest::collection::vec(client_act(), 1..60), seed in 1u64..) {
        let mut script = Script::new();
        script.connect("live");
        acts.iter().for_each(|act| write(&mut script, act));
        let bytes = script.take();
        let mut numbers = Numbers(seed);
        let whole = outcome([&bytes].into_iter());
        for most in [3, 30, 3000] {
            prop_assert_eq!(&outcome(numbers.cut(&bytes, most).into_iter()), &whole);
        }
    }

    #[test]
    fn every_accepted_publish_ends_once_whatever_is_done(acts in proptest::collection::vec(any_act(), 1..60)) {
        let mut peer = Peer::with(Limits { bytes_before_publish: 1 << 20, ..Limits::default() });
        peer.accepts = false;
        let mut script = Script::new();
        script.connect("live");
        let mut accepted: Vec<PublishId> = Vec::new();
        for act in &acts {
            write(&mut script, act);
            peer.feed(&script.take());
            let waiting = (!peer.session.wants_input() && !peer.session.is_closed())
                .then(|| peer.requests().last().unwrap().id);
            match act {
                Act::Wait(millis) => drop(peer.wait(Duration::from_millis(*millis))),
                Act::Accept => {
                    if let Some(id) = waiting {
                        accepted.push(id);
                        peer.then(|session, now| session.accept(id, now));
                    }
                }
                Act::Reject => {
                    if let Some(id) = waiting {
                        let rejection = Rejection { code: RejectionCode::BadName, description: String::new() };
                        peer.then(|session, now| session.reject(id, &rejection, now));
                    }
                }
                Act::EndPublish(which) => {
                    if let Some(id) = accepted.get(*which) {
                        peer.then(|session, now| session.end_publish(*id, CloseReason::Disconnect, now));
                    }
                }
                Act::Close(reason) => drop(peer.then(|session, now| session.close(*reason, now))),
                _ => {}
            }
        }
        peer.then(|session, now| session.handle_eof(now));
        let closes = peer.events.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        prop_assert_eq!(closes, 1);
        let mut ended: Vec<_> = Vec::new();
        for (id, item) in peer.items() {
            prop_assert!(accepted.contains(&id) && !ended.contains(&id), "an item of none or behind its end");
            if matches!(item, Item::End(_)) {
                ended.push(id);
            }
        }
        ended.sort();
        accepted.sort();
        prop_assert_eq!(ended, accepted);
    }
}
