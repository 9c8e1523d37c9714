//! A connection: any bytes after a good handshake, cut anywhere, with time passing. The first byte
//! says whether the handshake, a connect and a publish go before, so that media is reached.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use livetape_media::{Item, Now, WallTime};
use livetape_rtmp::{Limits, Output, Rejection, RejectionCode, Session};

fn chunk(stream: u8, kind: u8, message_stream: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    let mut out = vec![stream, 0, 0, 0, length[1], length[2], length[3], kind, message_stream, 0, 0, 0];
    for (n, part) in body.chunks(128).enumerate() {
        if n > 0 {
            out.push(0xc0 | stream);
        }
        out.extend_from_slice(part);
    }
    out
}

fn text(value: &str) -> Vec<u8> {
    let mut out = vec![2];
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
    out
}

fn number(value: f64) -> Vec<u8> {
    [&[0], &value.to_be_bytes()[..]].concat()
}

fn opening() -> Vec<u8> {
    let app = [&[0, 3][..], b"app", &text("live")].concat();
    let connect = [text("connect"), number(1.0), vec![3], app, vec![0, 0, 9]].concat();
    let create = [text("createStream"), number(2.0), vec![5]].concat();
    let publish = [text("publish"), number(3.0), vec![5], text("cam"), text("live")].concat();
    [chunk(3, 20, 0, &connect), chunk(3, 20, 0, &create), chunk(3, 20, 1, &publish)].concat()
}

fuzz_target!(|data: &[u8]| {
    let Some((flags, data)) = data.split_first() else { return };
    let mut now = Now { mono: Duration::ZERO, wall: WallTime::from_unix_millis(0) };
    let mut session = Session::new(Limits::default(), now);
    let mut input = Vec::new();
    if flags & 1 == 0 {
        input.push(3);
        input.extend_from_slice(&[0; 2 * 1536]);
    }
    if flags & 2 == 0 {
        input.extend_from_slice(&opening());
    }
    input.extend_from_slice(data);
    let cut = usize::from(flags >> 4) * 37 + 1;
    let cut = if flags & 4 == 0 { input.len() } else { cut };
    let mut closes = 0;
    let mut ends = 0;
    let mut accepted = 0;
    for part in input.chunks(cut.max(1)) {
        session.handle_input(part, now);
        now.mono += Duration::from_millis(u64::from(flags & 8));
        session.handle_timeout(now);
        drain(&mut session, now, flags & 0x80 == 0, &mut closes, &mut ends, &mut accepted);
    }
    session.handle_eof(now);
    drain(&mut session, now, true, &mut closes, &mut ends, &mut accepted);
    assert_eq!(closes, 1, "a connection closes once");
    assert_eq!(ends, accepted, "every accepted publish ends once");
});

fn drain(session: &mut Session, now: Now, accept: bool, closes: &mut u32, ends: &mut u32, accepted: &mut u32) {
    while let Some(output) = session.poll_output() {
        assert_eq!(*closes, 0, "nothing follows the close");
        match output {
            Output::PublishRequested(request) if accept => {
                *accepted += 1;
                session.accept(request.id, now);
            }
            Output::PublishRequested(request) => {
                let rejection = Rejection { code: RejectionCode::Denied, description: "no".to_owned() };
                session.reject(request.id, &rejection, now);
            }
            Output::Item { item: Item::End(_), .. } => *ends += 1,
            Output::Close { .. } => *closes += 1,
            Output::Item { .. } | Output::Send(_) => {}
        }
    }
}
