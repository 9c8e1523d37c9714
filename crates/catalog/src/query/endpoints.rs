//! Endpoints that were made by [`crate::Change::EndpointSet`].

use std::fmt;

use super::rows;
use crate::{Catalog, CatalogError, EndpointId};

/// An endpoint that is not in the configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredEndpoint {
    /// Its name.
    pub id: EndpointId,
    /// Its settings, as they were given; they may hold secrets.
    pub settings: String,
}

impl fmt::Debug for StoredEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredEndpoint").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Endpoints that are not in the configuration, by name.
    pub fn stored_endpoints(&self) -> Result<Vec<StoredEndpoint>, CatalogError> {
        let sql = "SELECT id, settings FROM endpoints WHERE configured = 1 AND settings IS NOT NULL ORDER BY id";
        self.readers().with("reading endpoints", |connection| {
            rows(connection, sql, [], |row| Ok(StoredEndpoint { id: row.get(0)?, settings: row.get(1)? }))
        })
    }
}
