//! Events: each once, each accepted, each stream's in order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Census, words};
use crate::index;
use crate::livetape::Livetape;
use crate::receiver::Receiver;

impl Census {
    pub(super) fn check_events(&mut self, livetape: &Livetape, receiver: Option<&Receiver>, rows: &[Value]) {
        let sql = "select id, type, subject, json_extract(body, '$.data.id') as about,
                   json_extract(body, '$.data.session_id') as session from events order by sequence";
        let events = index::query(livetape, sql);
        self.events = events.len();
        // `id` is unique in the table; what an event is about must be told once for each type.
        let mut told: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for event in &events {
            let about = event["about"].as_str().or(event["session"].as_str()).unwrap_or_default();
            *told.entry((words(event, "type"), about)).or_default() += 1;
        }
        let count = |kind: &str, about: &str| told.get(&(kind, about)).copied().unwrap_or(0);
        for row in rows {
            let id = words(row, "id");
            let last = match words(row, "state") {
                "ready" => "recording.ready",
                "discarded" => "recording.discarded",
                _ => "recording.failed",
            };
            for kind in ["recording.started", "recording.ready", "recording.discarded", "recording.failed"] {
                let wanted = usize::from(kind == "recording.started" || kind == last);
                if count(kind, id) != wanted {
                    self.problems.push(format!("{id} is {} and has {} {kind}", row["state"], count(kind, id)));
                }
            }
        }
        for session in index::query(livetape, "select id from sessions") {
            for kind in ["stream.started", "stream.ended"] {
                if count(kind, words(&session, "id")) != 1 {
                    self.problems.push(format!("{} has {} {kind}", session["id"], count(kind, words(&session, "id"))));
                }
            }
        }
        if let Some(receiver) = receiver {
            self.check_deliveries(receiver, &events);
        }
    }

    fn check_deliveries(&mut self, receiver: &Receiver, events: &[Value]) {
        let mut places: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for (place, event) in events.iter().enumerate() {
            places.insert(words(event, "id"), (place, words(event, "subject")));
        }
        let mut latest: BTreeMap<&str, usize> = BTreeMap::new();
        let mut accepted: BTreeSet<String> = BTreeSet::new();
        receiver.each(|delivery| {
            if let Some(problem) = &delivery.forged {
                self.problems.push(format!("{}: {problem}", delivery.id()));
            }
            if !delivery.reply.accepts() {
                return;
            }
            let Some((place, subject)) = places.get(delivery.id()) else {
                self.problems.push(format!("{} was delivered and is not in the index", delivery.id()));
                return;
            };
            if !accepted.insert(delivery.id().to_owned()) {
                self.repeated += 1;
                return;
            }
            let before = latest.insert(subject, *place);
            if before.is_some_and(|before| before > *place) {
                self.problems.push(format!("{} of {subject} came after a later one", delivery.id()));
            }
        });
        for event in events.iter().filter(|event| !accepted.contains(words(event, "id"))) {
            self.problems.push(format!("{} was never accepted", event["id"]));
        }
    }
}
