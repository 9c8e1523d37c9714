//! How many connections there are, in all and from each address.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::warn;

use super::Context;
use super::episode::Episode;
use crate::metrics;

/// The count.
#[derive(Default)]
pub(super) struct Counts(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    by_address: BTreeMap<IpAddr, usize>,
    /// Refused because of all connections, and because of those from one address.
    too_many: Episode,
    too_many_from_address: Episode,
}

/// One connection's place in the count.
pub(super) struct Ticket {
    counts: Arc<Counts>,
    address: IpAddr,
}

impl Counts {
    /// Takes a place; `None` when there is none, which is logged once for many.
    pub(super) fn admit(self: &Arc<Self>, remote: SocketAddr, context: &Context) -> Option<Ticket> {
        let address = remote.ip().to_canonical();
        let now = context.clock.now().mono;
        let mut inner = self.lock();
        let total: usize = inner.by_address.values().sum();
        let here = inner.by_address.get(&address).copied().unwrap_or(0);
        if total >= context.max_connections {
            metrics::connection_refused("too_many");
            if let Some(refused) = inner.too_many.happened(now) {
                warn!(%remote, refused, "refused: {total} connections are open (rtmp.max_connections)");
            }
            return None;
        }
        if here >= context.max_connections_per_address {
            metrics::connection_refused("too_many_from_address");
            if let Some(refused) = inner.too_many_from_address.happened(now) {
                warn!(%remote, refused, "refused: {here} connections from this address are open (rtmp.max_connections_per_address)");
            }
            return None;
        }
        if let Some(refused) = inner.too_many.ended() {
            warn!(refused, "connections were refused until now (rtmp.max_connections)");
        }
        inner.by_address.insert(address, here + 1);
        metrics::connection_opened();
        Some(Ticket { counts: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inner = self.counts.lock();
        if let Some(count) = inner.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                inner.by_address.remove(&self.address);
            }
        }
        metrics::connection_closed();
    }
}
