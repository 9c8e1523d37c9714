//! The stores there are, and which of them a recording goes to.

use std::sync::Arc;
use std::time::Duration;

use livetape_catalog::StoreRole;
use livetape_store::ObjectStore;

/// One of the configured stores.
#[derive(Clone)]
pub struct Target {
    /// Which.
    pub role: StoreRole,
    /// The store.
    pub store: Arc<dyn ObjectStore>,
}

/// Where recordings go that the first store could not take for long.
#[derive(Clone)]
pub struct Fallback {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// How long after its end a recording waits for the first store.
    pub after: Duration,
}
