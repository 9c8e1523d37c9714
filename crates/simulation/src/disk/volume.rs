//! What a disk holds, and what of it is durable.
//!
//! ```text
//! file       bytes as read now      = durable bytes + pending writes, lengths, holes, in order
//! directory  names as seen now      = durable names + pending assignments (name := file, or nothing)
//! ```
//!
//! `sync_data` makes a file's pending changes durable, `sync_dir` a directory's; nothing else does. That is
//! less than most filesystems promise (ext4 commits names in order, and a new file's name with its
//! sync), and as much as POSIX does.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::hash::{Hash, Hasher};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::effect::{DiskEffect, Inode, Place};

/// The root directory.
pub const ROOT: Inode = 0;

/// A disk's contents. Cloning shares the bytes of files.
#[derive(Clone, Debug)]
pub struct Volume {
    pub(super) nodes: BTreeMap<Inode, Node>,
    next: Inode,
    /// Numbers the effects, so that both halves of a rename can be kept or lost together.
    effects: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(FileNode),
    Directory(DirectoryNode),
}

#[derive(Clone, Debug, Default)]
pub(super) struct FileNode {
    /// As read now.
    pub(super) bytes: Arc<Vec<u8>>,
    /// As it would be read after a power cut that leaves nothing that is not durable.
    pub(super) durable: Arc<Vec<u8>>,
    pub(super) pending: Vec<Change>,
}

/// A change of a file that is not durable.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write(u64, Bytes),
    SetLen(u64),
    Punch(u64, u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct DirectoryNode {
    pub(super) names: BTreeMap<OsString, Inode>,
    pub(super) durable: BTreeMap<OsString, Inode>,
    pub(super) pending: Vec<Assignment>,
}

/// A name that is not durable: what it stands for, or nothing.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) effect: u64,
    pub(super) name: OsString,
    pub(super) inode: Option<Inode>,
}

impl Default for Volume {
    /// A disk that holds nothing.
    fn default() -> Self {
        let nodes = BTreeMap::from([(ROOT, Node::Directory(DirectoryNode::default()))]);
        Self { nodes, next: ROOT + 1, effects: 0 }
    }
}

impl Volume {
    /// A disk that holds one empty, durable directory.
    pub fn with_directory(path: &Path) -> Self {
        let mut volume = Self::default();
        let mut directory = ROOT;
        for name in names(path) {
            let inode = volume.next_inode();
            volume.apply(&DiskEffect::CreateDir(Place { directory, name: name.to_owned() }, inode));
            volume.apply(&DiskEffect::SyncDir(directory));
            directory = inode;
        }
        volume
    }

    /// The number the next new file or directory has.
    pub fn next_inode(&self) -> Inode {
        self.next
    }

    /// Makes a change. Panics on one that cannot be made.
    pub fn apply(&mut self, effect: &DiskEffect) {
        self.effects += 1;
        match effect {
            DiskEffect::Create(place, inode) => self.add(place, *inode, Node::File(FileNode::default())),
            DiskEffect::CreateDir(place, inode) => self.add(place, *inode, Node::Directory(DirectoryNode::default())),
            DiskEffect::Write { inode, offset, data } => self.change(*inode, Change::Write(*offset, data.clone())),
            DiskEffect::SetLen(inode, len) => self.change(*inode, Change::SetLen(*len)),
            DiskEffect::Punch(inode, offset, len) => self.change(*inode, Change::Punch(*offset, *len)),
            DiskEffect::SyncData(inode) => {
                let file = self.file_mut(*inode);
                for change in std::mem::take(&mut file.pending) {
                    change.make(Arc::make_mut(&mut file.durable));
                }
            }
            DiskEffect::Forget(inode) => self.file_mut(*inode).pending.clear(),
            DiskEffect::Rename(from, to) => {
                let inode = self.name_in(from.directory, &from.name).unwrap();
                self.assign(from, None);
                self.assign(to, Some(inode));
            }
            DiskEffect::Link(inode, place) => self.assign(place, Some(*inode)),
            DiskEffect::Remove(place) => self.assign(place, None),
            DiskEffect::SyncDir(inode) => self.sync_directory(*inode),
        }
    }

    /// What stands at `path`.
    pub fn find(&self, path: &Path) -> Option<Inode> {
        names(path).try_fold(ROOT, |directory, name| self.name_in(directory, name))
    }

    /// What a name in a directory stands for.
    pub fn name_in(&self, directory: Inode, name: &OsStr) -> Option<Inode> {
        match self.nodes.get(&directory)? {
            Node::Directory(node) => node.names.get(name).copied(),
            Node::File(_) => None,
        }
    }

    /// The bytes of a file; none of a directory.
    pub fn bytes(&self, inode: Inode) -> Option<&[u8]> {
        match self.nodes.get(&inode)? {
            Node::File(file) => Some(&file.bytes),
            Node::Directory(_) => None,
        }
    }

    /// The names in a directory; none of a file.
    pub fn entries(&self, inode: Inode) -> Option<&BTreeMap<OsString, Inode>> {
        match self.nodes.get(&inode)? {
            Node::Directory(directory) => Some(&directory.names),
            Node::File(_) => None,
        }
    }

    /// Every file at or below `path`, with its bytes.
    pub fn files(&self, path: &Path) -> Vec<(PathBuf, &[u8])> {
        let mut found = Vec::new();
        if let Some(inode) = self.find(path) {
            self.walk(inode, path, &mut |path, node| {
                if let Node::File(file) = node {
                    found.push((path.to_owned(), file.bytes.as_slice()));
                }
            });
        }
        found
    }

    /// Makes everything as it is seen now durable, as after the machine has started anew.
    pub fn settle(&mut self) {
        for node in self.nodes.values_mut() {
            match node {
                Node::File(file) => {
                    file.durable = file.bytes.clone();
                    file.pending.clear();
                }
                Node::Directory(directory) => {
                    directory.durable = directory.names.clone();
                    directory.pending.clear();
                }
            }
        }
    }

    /// Something that is equal for disks on which the same is seen, whatever of it is durable.
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        let mut numbers: BTreeMap<Inode, usize> = BTreeMap::new();
        self.walk_numbered(ROOT, Path::new("/"), &mut |path, inode, node| {
            let next = numbers.len();
            numbers.entry(inode).or_insert(next).hash(hasher);
            path.hash(hasher);
            if let Node::File(file) = node {
                file.bytes.hash(hasher);
            }
        });
    }

    fn walk<'a>(&'a self, inode: Inode, path: &Path, visit: &mut impl FnMut(&Path, &'a Node)) {
        self.walk_numbered(inode, path, &mut |path, _, node| visit(path, node));
    }

    fn walk_numbered<'a>(&'a self, inode: Inode, path: &Path, visit: &mut impl FnMut(&Path, Inode, &'a Node)) {
        let mut waiting = vec![(path.to_owned(), inode)];
        // A directory that is its own ancestor cannot be made by any calls, but by a crash that loses half
        // of a rename.
        let mut seen = BTreeSet::new();
        while let Some((path, inode)) = waiting.pop() {
            let Some(node) = self.nodes.get(&inode) else { continue };
            visit(&path, inode, node);
            if let Node::Directory(directory) = node
                && seen.insert(inode)
            {
                waiting.extend(directory.names.iter().rev().map(|(name, inode)| (path.join(name), *inode)));
            }
        }
    }

    fn add(&mut self, place: &Place, inode: Inode, node: Node) {
        self.next = self.next.max(inode + 1);
        self.nodes.insert(inode, node);
        self.assign(place, Some(inode));
    }

    fn assign(&mut self, place: &Place, inode: Option<Inode>) {
        let effect = self.effects;
        let directory = self.directory_mut(place.directory);
        let assignment = Assignment { effect, name: place.name.clone(), inode };
        assignment.make(&mut directory.names);
        directory.pending.push(assignment);
    }

    fn sync_directory(&mut self, inode: Inode) {
        let directory = self.directory_mut(inode);
        directory.durable = directory.names.clone();
        let synced: BTreeSet<u64> = directory.pending.drain(..).map(|assignment| assignment.effect).collect();
        // A rename is atomic: when one directory has it, so has the other.
        for node in self.nodes.values_mut() {
            let Node::Directory(other) = node else { continue };
            let halves: Vec<Assignment> =
                other.pending.iter().filter(|assignment| synced.contains(&assignment.effect)).cloned().collect();
            for half in halves {
                other.pending.retain(|earlier| earlier.name != half.name || earlier.effect > half.effect);
                half.make(&mut other.durable);
            }
        }
    }

    fn change(&mut self, inode: Inode, change: Change) {
        let file = self.file_mut(inode);
        change.make(Arc::make_mut(&mut file.bytes));
        file.pending.push(change);
    }

    fn file_mut(&mut self, inode: Inode) -> &mut FileNode {
        match self.nodes.get_mut(&inode) {
            Some(Node::File(file)) => file,
            _ => panic!("{inode} is no file"),
        }
    }

    fn directory_mut(&mut self, inode: Inode) -> &mut DirectoryNode {
        match self.nodes.get_mut(&inode) {
            Some(Node::Directory(directory)) => directory,
            _ => panic!("{inode} is no directory"),
        }
    }
}

impl Assignment {
    /// Gives the name its meaning among `names`.
    pub(super) fn make(&self, names: &mut BTreeMap<OsString, Inode>) {
        match self.inode {
            Some(inode) => names.insert(self.name.clone(), inode),
            None => names.remove(&self.name),
        };
    }
}

impl Change {
    /// Makes the change to `bytes`.
    pub(super) fn make(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                let start = usize::try_from(*offset).unwrap();
                let end = start + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[start..end].copy_from_slice(data);
            }
            Self::SetLen(len) => bytes.resize(usize::try_from(*len).unwrap(), 0),
            Self::Punch(offset, len) => {
                let size = bytes.len();
                let start = usize::try_from(*offset).unwrap().min(size);
                let end = usize::try_from(offset.saturating_add(*len)).unwrap_or(size).min(size);
                bytes[start..end].fill(0);
            }
        }
    }
}

/// The names on the way to an absolute path.
fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        Component::RootDir => None,
        other => panic!("{other:?} in {}", path.display()),
    })
}
