//! The objects that recordings become.

use proptest::prelude::*;

use super::crash::{complete, ops};
use super::*;
use crate::object::{Fit, ObjectLayout, OneFile, finished, growing};
use crate::{Files, SalvageError};

const FITS: [Fit; 2] = [Fit::Exact, Fit::Same];

fn of_growing(disk: &Disk, fit: Fit) -> Option<ObjectLayout> {
    growing(OneFile::Flv, &*disk.open(&FileName::flv()).unwrap(), fit).unwrap()
}

fn of_finished(disk: &Disk, fit: Fit) -> Result<ObjectLayout, SalvageError> {
    finished(OneFile::Flv, &*disk.open(&FileName::flv()).unwrap(), fit)
}

fn object(layout: &ObjectLayout, file: &[u8]) -> Vec<u8> {
    let body = &file[layout.body.start as usize..layout.body.end as usize];
    let object = [&layout.head[..], body].concat();
    assert_eq!(layout.size_bytes(), object.len() as u64);
    object
}

/// In every state, also while the metadata is patched: the object of a growing file is the file as it was before.
#[test]
fn an_object_is_its_file_and_only_its_head_changes() {
    let (ops, _) = ops();
    let mut whole = Disk::default();
    whole.perform_all(&ops);
    let mut disk = Disk::default();
    let mut before = Vec::new();
    for op in &ops[..ops.len() - 1] {
        if let Op::Patch { file, offset, data } = op {
            disk.perform(&Op::Patch { file: file.clone(), offset: *offset, data: data.slice(..data.len() / 2) });
        } else {
            disk.perform(op);
            before = disk.growing(&FileName::flv()).clone();
        }
        for fit in FITS {
            let late = of_finished(&whole, fit).unwrap();
            assert!(object(&late, whole.finished()) == whole.finished());
            let Some(early) = of_growing(&disk, fit) else {
                assert!(before.len() as u64 <= late.body.start);
                continue;
            };
            assert!(object(&early, disk.growing(&FileName::flv())) == before);
            assert_eq!((early.body.start, early.head.len()), (late.body.start, late.head.len()));
            assert!(whole.finished()[late.body.start as usize..].starts_with(&before[early.body.start as usize..]));
            assert!(tags(&before).len() >= 3, "with its sequence headers");
        }
    }
    let late = of_finished(&whole, Fit::Exact).unwrap();
    assert_eq!(of_growing(&whole, Fit::Exact).unwrap().body, late.body);
}

#[test]
fn a_file_that_is_not_finished_has_no_finished_object() {
    let (ops, _) = ops();
    for upto in 1..ops.len() - 1 {
        let mut disk = Disk::default();
        disk.perform_all(&ops[..upto]);
        let error = of_finished(&disk, Fit::Exact).unwrap_err().to_string();
        assert!(error.contains("not finished") || error.contains("ends before its media"), "{error}");
    }
}

#[test]
fn a_salvaged_object_goes_on_from_the_growing_one() {
    let (ops, _) = ops();
    let mut whole = Disk::default();
    whole.perform_all(&ops[..ops.len() - 2]);
    let file = whole.growing(&FileName::flv()).clone();
    let first_frame = tags(&file)[3].position;
    for len in (first_frame..file.len()).step_by(13) {
        let mut disk = whole.clone();
        disk.growing(&FileName::flv()).truncate(len);
        let Some((done, _, _)) = complete(&disk) else { continue };
        let (early, late) = (of_growing(&disk, Fit::Exact).unwrap(), of_finished(&done, Fit::Exact).unwrap());
        assert_eq!(early.body.start, late.body.start);
        assert!(early.body.end >= late.body.end);
        assert!(object(&late, done.finished()) == done.finished());
    }
}

struct Cut<'a>(&'a [u8]);

impl crate::ReadAt for Cut<'_> {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        let range = offset as usize..offset as usize + buffer.len();
        buffer.copy_from_slice(self.0.get(range).ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

fn check_any(file: &[u8]) -> Result<(), SalvageError> {
    if let Ok(Some(layout)) = growing(OneFile::Flv, &Cut(file), Fit::Exact) {
        assert!(object(&layout, file).len() == file.len());
    }
    finished(OneFile::Flv, &Cut(file), Fit::Exact).map(|layout| assert!(object(&layout, file) == file))
}

#[test]
fn a_finished_file_that_is_cut_is_refused() {
    let mut whole = Disk::default();
    whole.perform_all(&ops().0);
    let file = whole.finished();
    for len in (0..file.len()).step_by(37).chain(file.len() - 20..file.len()) {
        assert!(check_any(&file[..len]).is_err(), "{len}");
    }
    assert!(check_any(&[file, &[0]].concat()).is_err());
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(damage in proptest::collection::vec((0usize..700, any::<u8>()), 1..6)) {
        let mut whole = Disk::default();
        whole.perform_all(&ops().0);
        let mut file = whole.finished().to_vec();
        damage.into_iter().for_each(|(at, byte)| file[at] = byte);
        let _ = check_any(&file);
    }

    #[test]
    fn bytes_nobody_wrote_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..3_000), real in 0usize..600) {
        let mut whole = Disk::default();
        whole.perform_all(&ops().0);
        let file = [&whole.finished()[..real], &bytes].concat();
        prop_assert!(check_any(&file).is_err());
    }
}
