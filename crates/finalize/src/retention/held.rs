//! What is held comes on top of how much is to be stored. That there is more than that is told.

use livetape_catalog::StoredBytes;
use tracing::{info, warn};

use super::{Memory, Shared};
use crate::FinalizeError;
use crate::environment::blocking;

impl Shared {
    /// Tells, once, when with what is held there is more than is wanted, and when that is over.
    pub(super) async fn watch_held(&self, memory: &mut Memory) -> Result<(), FinalizeError> {
        let Some(max_bytes) = self.policy().max_bytes else {
            memory.overfull = false;
            return Ok(());
        };
        let catalog = self.tools.catalog.clone();
        let StoredBytes { all, held } = blocking::<_, FinalizeError, _>(move || Ok(catalog.stored_bytes()?)).await?;
        let overfull = held > 0 && all > max_bytes;
        match (std::mem::replace(&mut memory.overfull, overfull), overfull) {
            (false, true) => warn!(
                stored_bytes = all,
                held_bytes = held,
                max_bytes,
                "there is more in the store than store.max_size: what is held is not deleted and comes on top; take holds \
                 off that are not needed any more, or have room for it"
            ),
            (true, false) => {
                info!(stored_bytes = all, held_bytes = held, max_bytes, "the store is within store.max_size")
            }
            _ => {}
        }
        Ok(())
    }
}
