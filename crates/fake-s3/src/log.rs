//! What the server was asked.

use std::collections::{BTreeMap, VecDeque};

use crate::operation::Operation;

/// One request, in the order they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// As S3 names it.
    pub operation: &'static str,
    /// The key; empty when it is about none.
    pub key: String,
    /// How many bytes of body it said it has, without aws-chunked's own.
    pub bytes: u64,
    /// What it was answered; `None`: nothing yet, or it never arrived whole.
    pub status: Option<u16>,
}

/// The last requests, and how many there were of each kind.
#[derive(Debug, Default)]
pub(crate) struct Log {
    kept: VecDeque<Request>,
    /// The place of the first that is kept.
    first: usize,
    counts: BTreeMap<&'static str, u64>,
}

/// Older requests than this many are forgotten, though not their number.
const KEPT: usize = 100_000;

impl Log {
    /// Notes a request that begins; its place.
    pub(crate) fn begin(&mut self, operation: &Operation, bytes: u64) -> usize {
        *self.counts.entry(operation.name).or_default() += 1;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
            self.first += 1;
        }
        self.kept.push_back(Request { operation: operation.name, key: operation.key.clone(), bytes, status: None });
        self.first + self.kept.len() - 1
    }

    /// Notes what the request at `place` is answered.
    pub(crate) fn end(&mut self, place: usize, status: u16) {
        if let Some(request) = place.checked_sub(self.first).and_then(|place| self.kept.get_mut(place)) {
            request.status = Some(status);
        }
    }

    pub(crate) fn kept(&self) -> Vec<Request> {
        self.kept.iter().cloned().collect()
    }

    pub(crate) fn count(&self, operation: &str) -> u64 {
        self.counts.get(operation).copied().unwrap_or(0)
    }
}
