//! Every state of a row with every state of its files, each brought to its end by starting again.

use std::fs;

use livetape_catalog::{Change, StoreRole};
use livetape_media::Format;
use livetape_mux::{FileName, Op};
use livetape_record::RecordingId;

use crate::recovery::{event_ids, recovered, settled, tree};
use crate::torn::{Tape, tape};
use crate::world::{World, start};

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Recording,
    Finished,
    Uploading,
    Ready,
    ReadyEvicted,
    Discarded,
    DiscardedEvicted,
    Failed,
    FailedEvicted,
    None,
}

/// What is in the spool under the recording's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spooled {
    Nothing,
    Empty,
    Label,
    /// Created, and nothing whole written.
    Begun,
    Growing,
    Whole,
    /// All its files but one.
    Partly,
    Rubbish,
    /// Whole, and a file that somebody put there.
    Visited,
    /// A file where the directory should be.
    File,
}

/// What is to come of it: the row's state, what of it is in the quarantine (`Whole` the directory or
/// what stands for it, `One` the stranger), whether objects are in the store.
type End = (&'static str, Kept, bool);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Nothing,
    Whole,
    One,
}

const ROWS: [Row; 10] = [
    Row::Recording,
    Row::Finished,
    Row::Uploading,
    Row::Ready,
    Row::ReadyEvicted,
    Row::Discarded,
    Row::DiscardedEvicted,
    Row::Failed,
    Row::FailedEvicted,
    Row::None,
];
const SPOOLED: [Spooled; 10] = [
    Spooled::Nothing,
    Spooled::Empty,
    Spooled::Label,
    Spooled::Begun,
    Spooled::Growing,
    Spooled::Whole,
    Spooled::Partly,
    Spooled::Rubbish,
    Spooled::Visited,
    Spooled::File,
];

/// The table.
fn expected(format: Format, row: Row, files: Spooled) -> End {
    use Spooled::{Begun, Empty, File, Growing, Label, Nothing, Partly, Rubbish, Visited, Whole};
    let kept = match files {
        Nothing => Kept::Nothing,
        File => Kept::Whole,
        Visited => Kept::One,
        _ => Kept::Nothing,
    };
    let all = if files == Nothing { Kept::Nothing } else { Kept::Whole };
    match (row, files) {
        (Row::None, _) => ("", all, false),
        (Row::Recording, Growing | Whole | Visited) => ("ready", kept, true),
        // The files of a single one are all or nothing; a playlist without its first segment is not.
        (Row::Recording, Partly) if format == Format::Hls => ("failed", Kept::Whole, false),
        (Row::Recording, Rubbish) => ("failed", Kept::Whole, false),
        (Row::Recording, Nothing | Empty | Label | Begun | Partly | File) => ("discarded", kept, false),
        (Row::Finished | Row::Uploading, Whole) => ("ready", Kept::Nothing, true),
        (Row::Finished | Row::Uploading, Visited) => ("ready", Kept::One, true),
        (Row::Finished | Row::Uploading, _) => ("failed", all, false),
        (Row::Ready | Row::ReadyEvicted, _) => ("ready", kept, false),
        (Row::Discarded | Row::DiscardedEvicted, _) => ("discarded", kept, false),
        (Row::Failed | Row::FailedEvicted, _) => ("failed", all, false),
    }
}

/// A world with the row and the files.
fn world_of(id: RecordingId, row: Row, files: Spooled, tape: &Tape) -> World {
    let world = World::new(&[]);
    world.session(1);
    if row != Row::None {
        world.open_row(id);
    }
    let name = id.to_string();
    let whole = || [&tape.growing[..], &tape.ending[..]].concat();
    match files {
        Spooled::Nothing => {}
        Spooled::File => fs::write(world.spooled(id), "in its place").unwrap(),
        _ => {
            let label: &[u8] = if files == Spooled::Empty { b"" } else { b"{}" };
            let mut writer = world.spool.create_recording(&name, label).unwrap();
            match files {
                Spooled::Begun => {
                    let first = tape.growing.iter().find(|op| matches!(op, Op::Create { .. })).unwrap();
                    writer.perform(std::slice::from_ref(first)).unwrap();
                }
                Spooled::Growing => writer.perform(&tape.growing).unwrap(),
                Spooled::Whole | Spooled::Partly | Spooled::Visited => writer.perform(&whole()).unwrap(),
                Spooled::Rubbish => {
                    let file = match id.format {
                        Format::Mp4 => FileName::mp4(),
                        Format::Flv => FileName::flv(),
                        Format::Hls => FileName::new("segment-000000.m4s").unwrap(),
                    };
                    let slices = vec![vec![b'x'; 10_000].into()];
                    let ops = [Op::Create { file: file.clone() }, Op::Append { file: file.clone(), slices }];
                    writer.perform(&ops).unwrap();
                    if id.format == Format::Hls {
                        writer.perform(&[Op::Finish { file }]).unwrap();
                    }
                }
                _ => {}
            }
        }
    }
    match files {
        Spooled::Partly => {
            let file = if id.format == Format::Hls {
                "segment-000000.m4s".to_owned()
            } else {
                format!("recording.{}", id.format)
            };
            fs::remove_file(world.spooled(id).join(file)).unwrap();
        }
        Spooled::Visited => fs::write(world.spooled(id).join("notes.txt"), "mine").unwrap(),
        _ => {}
    }
    let (at, size_bytes) = (start(), tape.summary.size_bytes);
    match row {
        Row::Recording | Row::None => {}
        Row::Finished => world.finish_row(id, size_bytes),
        Row::Uploading => {
            world.finish_row(id, size_bytes);
            world.apply(Change::UploadStarted { id });
        }
        Row::Ready | Row::ReadyEvicted => {
            world.finish_row(id, size_bytes);
            world.apply(Change::RecordingReady { id, at, size_bytes: 1, store: StoreRole::Primary });
        }
        Row::Discarded | Row::DiscardedEvicted => {
            world.apply(Change::RecordingDiscarded { id, at, reason: "unpublish".into(), lost: Default::default() });
        }
        Row::Failed | Row::FailedEvicted => world.apply(Change::RecordingFailed { id, at, error: "it broke".into() }),
    }
    if matches!(row, Row::ReadyEvicted | Row::DiscardedEvicted | Row::FailedEvicted) {
        world.apply(Change::SpoolEvicted { id });
    }
    world
}

async fn check_all(format: Format) {
    let tape = tape(format);
    for row in ROWS {
        for files in SPOOLED {
            check(format, row, files, &tape).await;
        }
    }
}

#[tokio::test]
async fn every_row_of_an_mp4_with_every_state_of_its_file_comes_to_its_end() {
    check_all(Format::Mp4).await;
}

#[tokio::test]
async fn every_row_of_a_playlist_with_every_state_of_its_files_comes_to_its_end() {
    check_all(Format::Hls).await;
}

#[tokio::test]
async fn every_row_of_an_flv_with_every_state_of_its_file_comes_to_its_end() {
    check_all(Format::Flv).await;
}

async fn check(format: Format, row: Row, files: Spooled, tape: &Tape) {
    let case = format!("{format}: row {row:?}, files {files:?}");
    let id = RecordingId { session: format!("ses_{:032x}", 1).parse().unwrap(), format, sequence: 1 };
    let mut world = world_of(id, row, files, tape);
    let before = if files == Spooled::Nothing { Default::default() } else { tree(&world.path("spool")) };
    let (state, kept, stored) = expected(format, row, files);
    let mut ends = Vec::new();
    for _ in 0..2 {
        world = world.restart();
        let found = recovered(&world).await;
        assert!(found.left.is_empty(), "{case}");
        let objects = settled(&world).await;
        assert_eq!(!objects.is_empty(), stored, "{case}");
        let names = match kept {
            Kept::Nothing => vec![],
            Kept::Whole => vec![id.to_string()],
            Kept::One => vec![format!("{id}.notes.txt")],
        };
        // A stranger is aside; with a row that failed so is all the rest.
        let quarantined = world.quarantined();
        assert!(
            names.iter().all(|name| quarantined.contains(name)),
            "{case}: {quarantined:?} {:?} {:?}",
            world.row(id),
            objects.keys()
        );
        assert!(quarantined.len() <= names.len() + usize::from(files == Spooled::Visited), "{case}: {quarantined:?}");
        if row != Row::None {
            let row = world.row(id);
            assert_eq!((row.state.name(), row.spool_evicted), (state, true), "{case}: {:?}", row.error);
        }
        if kept == Kept::Whole && files != Spooled::File {
            // Nothing of it was deleted or changed.
            let aside = tree(&world.path(&format!("quarantine/{id}")));
            let was = before.iter().map(|(name, bytes)| (name.split_once('/').unwrap().1, bytes));
            assert!(aside.iter().map(|(name, bytes)| (name.as_str(), bytes)).eq(was), "{case}");
        }
        ends.push((event_ids(&world), objects, quarantined));
    }
    assert_eq!(ends[0], ends[1], "{case}: a second start changes nothing");
    let told = |verb: &str| world.events_of(&format!("recording.{verb}")).len();
    if row != Row::None {
        assert_eq!(told(state), 1, "{case}");
        assert_eq!(told("ready") + told("failed") + told("discarded"), 1, "{case}");
    }
}
