//! `[events]`: how long it is remembered what happened.

use serde::{Deserialize, Serialize};

use super::Period;

/// The settings of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventSettings {
    /// How long an event is kept, and what became of it at each webhook. 0: for ever.
    pub retention: Period,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self { retention: Period::from_mins(30 * 24 * 60) }
    }
}
