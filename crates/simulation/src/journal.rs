//! The one order of all effects of a world.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;

use crate::disk::DiskEffect;
use crate::marker::Marker;

/// Something that outlasts the program, or a mark of how far the world had come.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A change of the disk.
    Disk(DiskEffect),
    /// A commit of the catalog. Which one: see [`crate::catalog::CatalogTape`].
    Commit(usize),
    /// An object is in the store.
    Put {
        /// Where.
        key: String,
        /// What.
        data: Bytes,
    },
    /// An upload has begun in the store.
    Begun {
        /// The store's name for it.
        id: String,
        /// Of which object.
        key: String,
    },
    /// A part is in the store.
    PartPut {
        /// Of which upload.
        id: String,
        /// Its place.
        number: u32,
        /// What it holds.
        data: Bytes,
    },
    /// An upload has become an object.
    Completed {
        /// Which.
        id: String,
        /// The object.
        data: Bytes,
    },
    /// An upload was given up.
    Aborted {
        /// Which.
        id: String,
    },
    /// A receiver has an event.
    Delivered(Delivery),
    /// No effect: a frame is about to be handed to the session.
    Pushed(Marker),
    /// No effect: the publisher of a stream has gone, and all it sent waits for it on the disk.
    Away(u8),
    /// No effect: so much time has passed since the first world began.
    Passed(Duration),
}

/// An event that reached a receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// To which endpoint.
    pub endpoint: String,
    /// The event's id.
    pub event: String,
    /// Its type.
    pub kind: String,
    /// Its JSON.
    pub body: Bytes,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.event, self.endpoint)
    }
}

impl Effect {
    /// Whether it changes the world, so that a crash may come right before it.
    pub fn is_effect(&self) -> bool {
        !matches!(self, Self::Pushed(_) | Self::Away(_) | Self::Passed(_))
    }
}

/// What happened in a world, in order. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Vec<Effect>>>);

impl Journal {
    /// Adds what has just happened.
    pub fn push(&self, effect: Effect) {
        self.lock().push(effect);
    }

    /// Everything so far.
    pub fn entries(&self) -> Vec<Effect> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Effect>> {
        self.0.lock().unwrap()
    }
}
