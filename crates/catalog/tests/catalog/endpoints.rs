//! Endpoints that come and go while the catalog is open.

use livetape_catalog::{Applied, CatalogError, Change, DeliveryState};

use crate::deliveries::{check_queues, due, start, state, succeeded};
use crate::fixture::{Fixture, at};

fn set(name: &str, settings: &str) -> Change {
    Change::EndpointSet { endpoint: name.to_owned(), settings: settings.to_owned() }
}

fn removed(name: &str) -> Change {
    Change::EndpointRemoved { endpoint: name.to_owned() }
}

fn names(fixture: &Fixture) -> Vec<(String, String)> {
    let stored = fixture.catalog.stored_endpoints().unwrap();
    stored.into_iter().map(|endpoint| (endpoint.id, endpoint.settings)).collect()
}

#[test]
fn an_endpoint_that_is_made_gets_events_from_then_on_and_outlasts_the_process() {
    let fixture = Fixture::with_endpoints(&["file"]);
    start(&fixture, 1, "x", 0);
    fixture.done(set("made", "{}"));
    assert_eq!(fixture.apply(set("made", "{}")).unwrap(), Applied::Already);
    start(&fixture, 2, "x", 0);
    assert_eq!((due(&fixture, "made", at(0)), due(&fixture, "file", at(0))), (vec![2], vec![1]));
    fixture.done(set("made", "{\"url\":1}"));
    let fixture = fixture.reopened(&["file"]);
    assert_eq!(names(&fixture), [("made".to_owned(), "{\"url\":1}".to_owned())]);
    assert_eq!(due(&fixture, "made", at(0)), [2], "what is pending stays so");
    fixture.done(removed("made"));
    assert_eq!(fixture.apply(removed("made")).unwrap(), Applied::Already);
    assert_eq!((names(&fixture), state(&fixture, 2, "made")), (vec![], DeliveryState::Dropped));
    start(&fixture, 3, "x", 0);
    assert_eq!(fixture.catalog.deliveries(&crate::deliveries::event(3)).unwrap().len(), 1, "of file only");
    check_queues(&fixture);
}

#[test]
fn an_endpoint_of_the_configuration_is_changed_there() {
    let fixture = Fixture::with_endpoints(&["file"]);
    for change in [set("file", "{}"), removed("file")] {
        assert!(matches!(fixture.apply(change), Err(CatalogError::ConfiguredEndpoint(_))));
    }
    fixture.done(set("made", "{}"));
    // One that is put into the configuration later is of that.
    let fixture = fixture.reopened(&["file", "made"]);
    assert_eq!(names(&fixture), []);
    assert!(matches!(fixture.apply(removed("made")), Err(CatalogError::ConfiguredEndpoint(_))));
}

#[test]
fn an_endpoint_that_was_disabled_is_enabled_without_what_came_meanwhile() {
    let fixture = Fixture::with_endpoints(&["a"]);
    let disabled = Change::EndpointDisabled { endpoint: "a".to_owned(), at: at(1), reason: "410".to_owned() };
    let enabled = Change::EndpointEnabled { endpoint: "a".to_owned() };
    assert_eq!(fixture.apply(enabled.clone()).unwrap(), Applied::Already);
    fixture.done(disabled);
    start(&fixture, 1, "x", 2);
    assert_eq!(fixture.catalog.counts().unwrap().endpoints[0].disabled_at, Some(at(1)));
    fixture.done(enabled);
    start(&fixture, 2, "x", 3);
    assert_eq!(due(&fixture, "a", at(3)), [2]);
    fixture.done(succeeded(2, "a", 1));
    let unknown = Change::EndpointEnabled { endpoint: "none".to_owned() };
    assert!(matches!(fixture.apply(unknown), Err(CatalogError::UnknownEndpoint(_))));
}
