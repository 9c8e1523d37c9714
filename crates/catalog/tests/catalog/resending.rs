//! Deliveries that are made again, hurried or given up together, and how they are listed.

use livetape_catalog::{Applied, CatalogError, Change, DeliveryFilter, DeliveryState, DeliveryView};

use crate::deliveries::{check_queues, due, event, failed, start, state, succeeded};
use crate::fixture::{Fixture, at};

fn again(endpoint: &str, events: &[i64], seconds: i64) -> Change {
    Change::DeliveriesAgain { endpoint: endpoint.to_owned(), events: events.to_vec(), at: at(seconds) }
}

fn list(fixture: &Fixture, filter: DeliveryFilter) -> Vec<DeliveryView> {
    fixture.catalog.delivery_page(&filter).unwrap().items
}

#[test]
fn what_was_delivered_or_given_up_is_sent_again_and_holds_up_nothing() {
    let fixture = Fixture::with_endpoints(&["a"]);
    for number in 1..=3 {
        start(&fixture, number, "x", 0);
    }
    fixture.done(succeeded(1, "a", 1));
    fixture.done(failed(2, "a", 1, None));
    fixture.done(again("a", &[1, 2, 99], 30));
    assert_eq!((state(&fixture, 1, "a"), state(&fixture, 2, "a")), (DeliveryState::Aside, DeliveryState::Aside));
    assert_eq!(due(&fixture, "a", at(29)), [3], "the head is not held up");
    assert_eq!(due(&fixture, "a", at(30)), [1], "one of a stream at a time, in order");
    let one = fixture.catalog.deliveries_due("a", at(30), 1).unwrap().remove(0);
    assert_eq!((one.attempts, one.tries, one.owed_since), (1, 0, at(30)), "it is tried as if it were new");
    fixture.done(failed(1, "a", 2, Some(at(35))));
    fixture.done(succeeded(2, "a", 2));
    start(&fixture, 4, "x", 31);
    fixture.done(succeeded(3, "a", 1));
    assert_eq!(due(&fixture, "a", at(31)), [4]);
    fixture.done(succeeded(1, "a", 3));
    let view = fixture.catalog.deliveries(&event(1)).unwrap().remove(0);
    assert_eq!((view.attempts, view.state, view.again_at), (3, DeliveryState::Delivered, Some(at(30))));
    check_queues(&fixture);
}

#[test]
fn an_endpoint_that_came_later_gets_what_was_before_when_somebody_asks_for_it() {
    let fixture = Fixture::with_endpoints(&["a"]);
    (1..=4).for_each(|number| start(&fixture, number, "x", i64::try_from(number).unwrap() * 10));
    let fixture = fixture.reopened(&["a", "b"]);
    assert_eq!(fixture.catalog.events_since(at(20), 0, 100).unwrap(), [2, 3, 4]);
    assert_eq!(fixture.catalog.events_since(at(20), 2, 1).unwrap(), [3]);
    assert_eq!(fixture.catalog.events_since(at(41), 0, 100).unwrap(), [0; 0]);
    fixture.done(again("b", &[2, 3, 4], 50));
    for number in 2..=4 {
        assert_eq!(due(&fixture, "b", at(50)), [number]);
        fixture.done(succeeded(number, "b", 1));
    }
    assert!(matches!(fixture.apply(again("c", &[1], 50)), Err(CatalogError::UnknownEndpoint(_))));
    let disabled = Change::EndpointDisabled { endpoint: "b".to_owned(), at: at(1), reason: "410".to_owned() };
    fixture.done(disabled);
    assert!(matches!(fixture.apply(again("b", &[1], 50)), Err(CatalogError::DisabledEndpoint(_))));
    check_queues(&fixture);
}

#[test]
fn what_waits_for_another_attempt_is_tried_at_once_and_its_turn_stays() {
    let fixture = Fixture::with_endpoints(&["a"]);
    (1..=2).for_each(|number| start(&fixture, number, "x", 0));
    fixture.done(failed(1, "a", 1, Some(at(300))));
    assert_eq!(fixture.apply(again("a", &[2], 10)).unwrap(), Applied::Already, "it is behind another one");
    fixture.done(again("a", &[1, 2], 10));
    assert_eq!(due(&fixture, "a", at(10)), [1]);
    assert_eq!(state(&fixture, 1, "a"), DeliveryState::Head);
    fixture.done(failed(1, "a", 2, Some(at(300))));
    fixture.done(Change::EndpointRecovered { endpoint: "a".to_owned(), at: at(20) });
    assert_eq!(due(&fixture, "a", at(20)), [1]);
}

#[test]
fn what_is_too_old_is_given_up_together_and_the_queues_go_on() {
    let fixture = Fixture::with_endpoints(&["a"]);
    for (number, stream, seconds) in [(1, "x", 0), (2, "x", 5), (3, "x", 100), (4, "y", 3)] {
        start(&fixture, number, stream, seconds);
    }
    let expired = |seconds| Change::DeliveriesExpired { endpoint: "a".to_owned(), before: at(seconds) };
    assert_eq!(fixture.apply(expired(0)).unwrap(), Applied::Already);
    fixture.done(expired(50));
    let states: Vec<DeliveryState> = (1..=4).map(|number| state(&fixture, number, "a")).collect();
    assert_eq!(states[..2], [DeliveryState::GivenUp; 2]);
    assert_eq!((states[2], states[3]), (DeliveryState::Head, DeliveryState::GivenUp));
    // One that was asked for again meanwhile is not.
    fixture.done(again("a", &[1], 200));
    assert_eq!(fixture.apply(expired(150)).unwrap(), Applied::Done, "the third one");
    assert_eq!(state(&fixture, 1, "a"), DeliveryState::Aside);
    check_queues(&fixture);
}

#[test]
fn deliveries_are_listed_newest_first_by_any_filter_in_pages() {
    let fixture = Fixture::with_endpoints(&["a", "b"]);
    for (number, stream) in [(1, "x"), (2, "y"), (3, "x"), (4, "y"), (5, "x")] {
        start(&fixture, number, stream, i64::try_from(number).unwrap());
    }
    fixture.done(succeeded(1, "a", 1));
    fixture.done(Change::DeliveryFiltered { event: event(2), endpoint: "a".to_owned() });
    fixture.done(failed(3, "a", 1, None));
    let ids = |filter: DeliveryFilter| -> Vec<(i64, String)> {
        list(&fixture, filter).into_iter().map(|view| (view.sequence, view.endpoint)).collect()
    };
    let all = ids(DeliveryFilter::default());
    let expected: Vec<(i64, String)> =
        [5, 4, 3, 2, 1].iter().flat_map(|at| [(*at, "b".to_owned()), (*at, "a".to_owned())]).collect();
    assert_eq!(all, expected);
    let (mut paged, mut filter) = (Vec::new(), DeliveryFilter { limit: 3, ..DeliveryFilter::default() });
    loop {
        let page = fixture.catalog.delivery_page(&filter).unwrap();
        paged.extend(page.items.into_iter().map(|view| (view.sequence, view.endpoint)));
        match page.next_cursor {
            Some(cursor) => filter.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let of = |state: &str| {
        let (endpoint, state) = (Some("a".to_owned()), Some(state.parse().unwrap()));
        ids(DeliveryFilter { endpoint, state, ..DeliveryFilter::default() }).into_iter().map(|(at, _)| at)
    };
    for (state, found) in [
        ("delivered", vec![1]),
        ("filtered", vec![2]),
        ("given_up", vec![3]),
        ("pending", vec![5, 4]),
        ("waiting", vec![]),
    ] {
        assert_eq!(of(state).collect::<Vec<_>>(), found, "{state}");
    }
    assert!("late".parse::<livetape_catalog::Selected>().is_err());
    let stream = DeliveryFilter { stream: Some("live/y".to_owned()), ..DeliveryFilter::default() };
    assert_eq!(ids(stream).len(), 4);
    let one = DeliveryFilter { event: Some(event(4)), ..DeliveryFilter::default() };
    assert_eq!(ids(one), [(4, "b".to_owned()), (4, "a".to_owned())]);
    for cursor in ["", "x", "1", "x.a", "1'.a"] {
        let filter = DeliveryFilter { cursor: Some(cursor.to_owned()), ..DeliveryFilter::default() };
        assert!(matches!(fixture.catalog.delivery_page(&filter), Err(CatalogError::Cursor(_))), "{cursor}");
    }
    let view = list(&fixture, DeliveryFilter { event: Some(event(3)), ..DeliveryFilter::default() }).remove(1);
    assert_eq!((view.id, view.kind.as_str(), view.log.len()), (format!("{}.a", event(3)), "stream.started", 1));
}
