//! What one look at a publisher's socket brings is in nobody's hands any more when it has been written, but for the last
//! picture and the last sound: they wait for what comes next, to know how long they are shown.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use bytes::Bytes;
use livetape_benches::{Wire, now_at, policy, session_of};
use livetape_media::{Format, Item};
use livetape_record::{Recorder, SessionId, StreamPath};
use livetape_rtmp::Output;

const LOOK: Duration = Duration::from_millis(300);
/// Somewhat more than comes in that time: fragments become whole in the middle of what a look brings.
const LOOK_BYTES: usize = 96 << 10;

#[test]
fn what_a_look_brought_is_free_once_it_is_written_but_for_the_last_of_it() {
    let wire = Wire::new(20, 2_500_000, 4096);
    let stream = StreamPath { app: "live".into(), name: "cam".into() };
    let new = |format: Format| Recorder::new(policy(format), SessionId(uuid::Uuid::nil()), stream.clone());
    let mut session = session_of(&wire);
    let mut recorders = Format::ALL.map(new);
    let mut effects = Vec::new();
    let mut looks = 0;
    for (look, bytes) in wire.media.chunks(LOOK_BYTES).enumerate() {
        let at = LOOK * look as u32;
        session.handle_input(bytes, now_at(at));
        let mut came: Vec<Bytes> = Vec::new();
        while let Some(output) = session.poll_output() {
            let Output::Item { mut item, .. } = output else { continue };
            if let Item::Frame(frame) = &mut item {
                frame.data = frame.data.to_vec().into();
                came.push(frame.data.clone());
            }
            recorders.iter_mut().for_each(|recorder| recorder.push(&item, now_at(at), &mut effects));
        }
        recorders.iter_mut().for_each(|recorder| recorder.flush_before(at + LOOK, now_at(at), &mut effects));
        // They have been written.
        effects.clear();
        let from_the_end = came.iter().rev().enumerate();
        let held: Vec<usize> = from_the_end.filter(|(_, data)| !data.is_unique()).map(|(at, _)| at).collect();
        assert!(held.len() <= 2 && held.iter().all(|&at| at < 4), "look {look}: {held:?}");
        looks += usize::from(came.len() > 8);
    }
    assert!(looks > 50, "{looks}");
}
