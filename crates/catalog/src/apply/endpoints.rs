//! Which endpoints there are, and which of them get events.

use livetape_media::WallTime;
use rusqlite::{Connection, OptionalExtension, params};

use super::Work;
use super::deliveries::MAX_ATTEMPT_TEXT_BYTES;
use crate::columns::bounded;
use crate::{Applied, CatalogError, EndpointId};

/// An endpoint as it stands.
pub(super) struct Endpoint {
    /// It gets no events.
    pub(super) disabled: bool,
    /// The settings of one that is not in the configuration.
    settings: Option<String>,
}

impl Work<'_> {
    pub(super) fn endpoint_disabled(
        &self,
        endpoint: &str,
        at: WallTime,
        reason: &str,
    ) -> Result<Applied, CatalogError> {
        if self.endpoint(endpoint)?.disabled {
            return Ok(Applied::Already);
        }
        self.connection
            .prepare_cached("UPDATE endpoints SET disabled_ms = ?2, disabled_reason = ?3 WHERE id = ?1")
            .and_then(|mut update| {
                update.execute(params![endpoint, at.as_unix_millis(), bounded(reason, MAX_ATTEMPT_TEXT_BYTES)])
            })
            .and_then(|_| drop_pending(self.connection, endpoint))
            .map_err(CatalogError::sqlite("disabling an endpoint"))?;
        Ok(Applied::Done)
    }

    pub(super) fn endpoint_enabled(&self, endpoint: &str) -> Result<Applied, CatalogError> {
        if !self.endpoint(endpoint)?.disabled {
            return Ok(Applied::Already);
        }
        self.connection
            .prepare_cached("UPDATE endpoints SET disabled_ms = NULL, disabled_reason = NULL WHERE id = ?1")
            .and_then(|mut update| update.execute([endpoint]))
            .map_err(CatalogError::sqlite("enabling an endpoint"))?;
        self.deliveries_due.set(true);
        Ok(Applied::Done)
    }

    pub(super) fn endpoint_set(&self, endpoint: &str, settings: &str) -> Result<Applied, CatalogError> {
        match self.find_endpoint(endpoint)? {
            Some(Endpoint { settings: None, .. }) => return Err(of_the_configuration(endpoint)),
            Some(Endpoint { settings: Some(before), disabled: false }) if before == settings => {
                return Ok(Applied::Already);
            }
            _ => {}
        }
        self.connection
            .prepare_cached(
                "INSERT INTO endpoints (id, configured, settings) VALUES (?1, 1, ?2) ON CONFLICT (id) DO UPDATE \
                 SET configured = 1, settings = ?2, disabled_ms = NULL, disabled_reason = NULL",
            )
            .and_then(|mut insert| insert.execute([endpoint, settings]))
            .map_err(CatalogError::sqlite("writing an endpoint"))?;
        Ok(Applied::Done)
    }

    pub(super) fn endpoint_removed(&self, endpoint: &str) -> Result<Applied, CatalogError> {
        match self.find_endpoint(endpoint)? {
            None => return Ok(Applied::Already),
            Some(Endpoint { settings: None, .. }) => return Err(of_the_configuration(endpoint)),
            Some(_) => {}
        }
        self.connection
            .prepare_cached("UPDATE endpoints SET configured = 0, settings = NULL WHERE id = ?1")
            .and_then(|mut update| update.execute([endpoint]))
            .and_then(|_| drop_pending(self.connection, endpoint))
            .map_err(CatalogError::sqlite("removing an endpoint"))?;
        Ok(Applied::Done)
    }

    pub(super) fn endpoint_recovered(&self, endpoint: &str, at: WallTime) -> Result<Applied, CatalogError> {
        let moved = self
            .connection
            .prepare_cached(
                "UPDATE deliveries INDEXED BY deliveries_due SET next_ms = ?2 \
                 WHERE endpoint = ?1 AND state IN ('head', 'aside') AND next_ms > ?2",
            )
            .and_then(|mut update| update.execute(params![endpoint, at.as_unix_millis()]))
            .map_err(CatalogError::sqlite("hurrying deliveries"))?;
        self.deliveries_due.set(true);
        Ok(if moved > 0 { Applied::Done } else { Applied::Already })
    }

    /// One that gets events, or would if it were not disabled.
    pub(super) fn endpoint(&self, id: &str) -> Result<Endpoint, CatalogError> {
        self.find_endpoint(id)?.ok_or_else(|| CatalogError::UnknownEndpoint(id.to_owned()))
    }

    fn find_endpoint(&self, id: &str) -> Result<Option<Endpoint>, CatalogError> {
        self.connection
            .prepare_cached("SELECT disabled_ms IS NOT NULL, settings FROM endpoints WHERE id = ?1 AND configured = 1")
            .and_then(|mut select| {
                let endpoint =
                    select.query_row([id], |row| Ok(Endpoint { disabled: row.get(0)?, settings: row.get(1)? }));
                endpoint.optional()
            })
            .map_err(CatalogError::sqlite("reading an endpoint"))
    }
}

fn of_the_configuration(endpoint: &str) -> CatalogError {
    CatalogError::ConfiguredEndpoint(endpoint.to_owned())
}

/// Makes the configured endpoints, and those that were made by [`crate::Change::EndpointSet`], those that get
/// events from now on; what is pending for others is dropped. One that was disabled gets another chance. A
/// name in the configuration is of the endpoint there.
pub(crate) fn register(connection: &Connection, endpoints: &[EndpointId]) -> rusqlite::Result<()> {
    let known: Vec<String> = connection
        .prepare("SELECT id FROM endpoints WHERE configured = 1 AND settings IS NULL")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for gone in known.iter().filter(|id| !endpoints.contains(id)) {
        connection.execute("UPDATE endpoints SET configured = 0 WHERE id = ?1", [gone])?;
        let dropped = drop_pending(connection, gone)?;
        tracing::warn!(endpoint = %gone, dropped, "endpoint is not configured any more; its pending deliveries are dropped");
    }
    connection
        .execute("UPDATE endpoints SET disabled_ms = NULL, disabled_reason = NULL WHERE settings IS NOT NULL", [])?;
    for endpoint in endpoints {
        connection.execute(
            "INSERT INTO endpoints (id, configured) VALUES (?1, 1) \
             ON CONFLICT (id) DO UPDATE SET configured = 1, disabled_ms = NULL, disabled_reason = NULL, \
             settings = NULL",
            [endpoint],
        )?;
    }
    Ok(())
}

/// Drops what is pending for an endpoint and says how many that were.
fn drop_pending(connection: &Connection, endpoint: &str) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE deliveries INDEXED BY deliveries_pending SET state = 'dropped' \
         WHERE endpoint = ?1 AND state IN ('waiting', 'head', 'aside')",
        [endpoint],
    )
}
