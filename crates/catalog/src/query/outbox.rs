//! Listing deliveries.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::rows;
use crate::{AttemptView, Catalog, CatalogError, DEFAULT_LIMIT, DeliveryState, DeliveryView, MAX_LIMIT, Page, columns};

/// Which deliveries a caller asks for; all conditions hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// To this endpoint.
    pub endpoint: Option<String>,
    /// How far they have come.
    pub state: Option<Selected>,
    /// Of this stream's events: `APP/STREAM`.
    pub stream: Option<String>,
    /// Of the event with this id.
    pub event: Option<String>,
    /// [`Page::next_cursor`] of the page before.
    pub cursor: Option<String>,
    /// Items of a page, 1 to [`MAX_LIMIT`].
    pub limit: usize,
}

/// How far deliveries have come that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    /// As far as this.
    One(DeliveryState),
    /// They are still owed.
    Pending,
}

impl std::str::FromStr for Selected {
    type Err = <DeliveryState as std::str::FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "pending" { Ok(Self::Pending) } else { text.parse().map(Self::One) }
    }
}

impl Default for DeliveryFilter {
    fn default() -> Self {
        Self { endpoint: None, state: None, stream: None, event: None, cursor: None, limit: DEFAULT_LIMIT }
    }
}

const COLUMNS: &str = "events.id, deliveries.endpoint, deliveries.state, deliveries.attempts, deliveries.next_ms, \
     events.timestamp_ms, deliveries.again_ms, events.type, deliveries.event, deliveries.subject";

impl Catalog {
    /// Deliveries, those of the newest events first, with their last attempts.
    pub fn delivery_page(&self, filter: &DeliveryFilter) -> Result<Page<DeliveryView>, CatalogError> {
        if !(1..=MAX_LIMIT).contains(&filter.limit) {
            return Err(CatalogError::Filter(format!("limit is {}; it may be 1 to {MAX_LIMIT}", filter.limit)));
        }
        let (condition, values) = conditions(filter)?;
        // What is pending is little among all that ever was.
        let index = match (is_pending(filter.state), filter.stream.is_some() && filter.event.is_none()) {
            (true, _) => "INDEXED BY deliveries_pending",
            (false, true) => "INDEXED BY deliveries_stream",
            (false, false) => "",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM deliveries {index} JOIN events ON events.sequence = deliveries.event WHERE {condition} \
             ORDER BY deliveries.event DESC, deliveries.endpoint DESC LIMIT {}",
            filter.limit + 1
        );
        let mut items = self.readers().with("listing deliveries", |connection| {
            let mut views = rows(connection, &sql, params_from_iter(values), delivery)?;
            fill_logs(connection, &mut views)?;
            Ok(views)
        })?;
        let more = items.len() > filter.limit;
        items.truncate(filter.limit);
        let next_cursor = items.last().filter(|_| more).map(|last| format!("{}.{}", last.sequence, last.endpoint));
        Ok(Page { items, next_cursor })
    }

    /// The deliveries of an event, by endpoint, with their last attempts.
    pub fn deliveries(&self, event_id: &str) -> Result<Vec<DeliveryView>, CatalogError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events JOIN deliveries ON deliveries.event = events.sequence \
             WHERE events.id = ?1 ORDER BY deliveries.endpoint"
        );
        self.readers().with("reading deliveries", |connection| {
            let mut views = rows(connection, &sql, [event_id], delivery)?;
            fill_logs(connection, &mut views)?;
            Ok(views)
        })
    }

    /// The sequences of the first `limit` events after `sequence` that happened at `since` or later, in order.
    pub fn events_since(
        &self,
        since: livetape_media::WallTime,
        sequence: i64,
        limit: usize,
    ) -> Result<Vec<i64>, CatalogError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.readers().with("looking for events since a time", |connection| {
            // From the beginning the first that is late enough is found by its time; further on it is behind us.
            let from = match sequence {
                0 => connection
                    .prepare_cached("SELECT min(sequence) FROM events INDEXED BY events_time WHERE timestamp_ms >= ?1")?
                    .query_row([since.as_unix_millis()], |row| row.get::<_, Option<i64>>(0))?
                    .map(|first| first - 1),
                _ => Some(sequence),
            };
            let Some(from) = from else { return Ok(Vec::new()) };
            rows(
                connection,
                "SELECT sequence FROM events WHERE sequence > ?1 AND timestamp_ms >= ?2 ORDER BY sequence LIMIT ?3",
                params![from, since.as_unix_millis(), limit],
                |row| row.get(0),
            )
        })
    }
}

/// As the index has it.
const PENDING: &str = "deliveries.state IN ('waiting', 'head', 'aside')";

fn is_pending(state: Option<Selected>) -> bool {
    match state {
        Some(Selected::Pending) => true,
        Some(Selected::One(state)) => state.pending(),
        None => false,
    }
}

/// What holds of the deliveries asked for, and the values in it.
fn conditions(filter: &DeliveryFilter) -> Result<(String, Vec<Value>), CatalogError> {
    let mut conditions = vec!["1".to_owned()];
    let mut values = Vec::new();
    let mut add = |condition: &str, value: &str| {
        values.push(Value::Text(value.to_owned()));
        conditions.push(format!("{condition} ?{}", values.len()));
    };
    if let Some(endpoint) = &filter.endpoint {
        add("deliveries.endpoint =", endpoint);
    }
    if let Some(stream) = &filter.stream {
        add("deliveries.subject =", stream);
    }
    if let Some(event) = &filter.event {
        add("deliveries.event = (SELECT sequence FROM events WHERE id =", event);
        if let Some(last) = conditions.last_mut() {
            last.push(')');
        }
    }
    // Written out, so that indexes of one state can be used.
    match filter.state {
        None => {}
        Some(Selected::Pending) => conditions.push(PENDING.to_owned()),
        Some(Selected::One(state)) if state.pending() => {
            conditions.push(format!("{PENDING} AND deliveries.state = '{state}'"));
        }
        Some(Selected::One(DeliveryState::Filtered)) => {
            conditions.push("deliveries.state = 'delivered' AND deliveries.attempts = 0".to_owned());
        }
        Some(Selected::One(DeliveryState::Delivered)) => {
            conditions.push("deliveries.state = 'delivered' AND deliveries.attempts > 0".to_owned());
        }
        Some(Selected::One(state)) => conditions.push(format!("deliveries.state = '{state}'")),
    }
    if let Some(cursor) = &filter.cursor {
        const MALFORMED: CatalogError = CatalogError::Cursor("is not one this server gave");
        let (sequence, endpoint) = cursor.split_once('.').ok_or(MALFORMED)?;
        let sequence: i64 = sequence.parse().map_err(|_| MALFORMED)?;
        let at = values.len();
        values.extend([Value::Integer(sequence), Value::Text(endpoint.to_owned())]);
        conditions.push(format!("(deliveries.event, deliveries.endpoint) < (?{}, ?{})", at + 1, at + 2));
    }
    Ok((conditions.join(" AND "), values))
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryView> {
    let (event, endpoint): (String, String) = (row.get(0)?, row.get(1)?);
    let attempts = row.get(3)?;
    let state = match columns::parsed(row, 2)? {
        DeliveryState::Delivered if attempts == 0 => DeliveryState::Filtered,
        state => state,
    };
    // Zero means at once, which was when the event happened.
    let next_ms = match row.get(4)? {
        0 => row.get(5)?,
        next_ms => next_ms,
    };
    let tried = matches!(state, DeliveryState::Head | DeliveryState::Aside);
    Ok(DeliveryView {
        id: format!("{event}.{endpoint}"),
        event,
        kind: row.get(7)?,
        sequence: row.get(8)?,
        stream: row.get(9)?,
        endpoint,
        state,
        timestamp: columns::time(row, 5)?,
        again_at: columns::optional_time(row, 6)?,
        attempts,
        next_at: tried.then(|| livetape_media::WallTime::from_unix_millis(next_ms)),
        log: Vec::new(),
    })
}

fn fill_logs(connection: &Connection, views: &mut [DeliveryView]) -> rusqlite::Result<()> {
    for view in views {
        view.log = rows(
            connection,
            "SELECT attempt, at_ms, status, error, took_ms, answer FROM attempts \
             WHERE endpoint = ?1 AND event = ?2 ORDER BY attempt",
            params![view.endpoint, view.sequence],
            attempt,
        )?;
    }
    Ok(())
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<AttemptView> {
    Ok(AttemptView {
        attempt: row.get(0)?,
        at: columns::time(row, 1)?,
        took_ms: columns::optional_unsigned(row, 4)?,
        status: row.get(2)?,
        answer: row.get(5)?,
        error: row.get(3)?,
    })
}
