//! Receivers that are down for hours, and for ever, beside one that is not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use livetape_catalog::{Change, DeliveryFilter, Selected};
use livetape_finalize::WallClock;
use livetape_finalize::sink::{Event, EventSink};
use livetape_record::SessionId;
use tokio::time::Instant;

use crate::announcer::{Announcing, Memory, of, refused, taken};
use crate::world::{World, simulated_clock};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const STREAMS: u32 = 20;

fn happens(world: &World, wall: &WallClock, session: SessionId, number: usize) {
    let (kind, detail, at) = ("test".to_owned(), format!("number {number}"), wall());
    world.apply(Change::Warning { session, recording: None, kind, detail, at });
    // Whoever delivers has been woken when the next answer comes, before the simulated time goes on.
    world.apply(Change::EndpointEnabled { endpoint: world.endpoint().to_owned() });
}

fn sinks(all: &[(&'static str, &Arc<Memory>)]) -> Vec<(&'static str, Arc<dyn EventSink>)> {
    all.iter().map(|(id, sink)| (*id, Arc::clone(*sink) as Arc<dyn EventSink>)).collect()
}

/// The place of each event among all of its node's.
fn places(world: &World) -> BTreeMap<String, i64> {
    world.catalog.events_after(0, 10_000).unwrap().into_iter().map(|event| (event.id, event.sequence)).collect()
}

#[tokio::test(start_paused = true)]
async fn one_that_is_down_for_two_hours_and_one_that_is_dead_delay_no_other_and_the_first_gets_all_when_it_is_back() {
    let world = World::new(&["down", "dead", "good"]);
    let (wall, begun) = (simulated_clock(), Instant::now());
    let down = Memory::new(move |_, _| if begun.elapsed() < 2 * HOUR { refused() } else { taken() });
    let dead = Memory::slow(Duration::from_secs(10), |_, _| refused());
    let good = Memory::new(|_, _| taken());
    let three = [("down", &down), ("dead", &dead), ("good", &good)];
    let sessions: Vec<SessionId> = (1..=STREAMS).map(|number| world.session(number)).collect();
    let mut announcing = Announcing::start(&world, &wall, &sinks(&three));
    let (mut world, mut happened) = (world, Vec::new());
    for number in 0..1000 {
        if number == 400 {
            // The program dies, whatever it was doing, and another one goes on.
            announcing.kill().await;
            world = world.restart();
            announcing = Announcing::start(&world, &wall, &sinks(&three));
        }
        let session = sessions[number * 7 % sessions.len()];
        happened.push(begun.elapsed());
        happens(&world, &wall, session, number);
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let places = places(&world);
    assert_eq!(places.len(), 1000 + sessions.len());
    assert!(announcing.handle.drain(MINUTE).await, "what is due has been tried");

    // The one that is well hears of each at once, as if it were alone.
    let ids = good.ids();
    assert_eq!(ids.len(), places.len(), "each once");
    let late: Vec<Duration> =
        good.times()[sessions.len()..].iter().zip(&happened).map(|(came, happened)| *came - *happened).collect();
    let latest = late.iter().max().unwrap();
    assert!(*latest < Duration::from_millis(500), "{latest:?}");
    for session in &sessions {
        let order: Vec<i64> = of(&ids, *session).iter().map(|id| places[id]).collect();
        assert!(order.is_sorted(), "{order:?}");
    }

    // The one that was down has all of them, soon after it was back, in order but for those that were its probes.
    let (ids, times) = (down.ids(), down.times());
    let back = times.iter().position(|time| *time >= 2 * HOUR).unwrap();
    assert!(back < 5 + 8 + 2 * 120 + 10, "{back} attempts while it was down");
    let before = happened.iter().filter(|at| **at < 2 * HOUR).count() + sessions.len();
    let caught_up = times[back..].iter().filter(|time| **time < 2 * HOUR + 2 * MINUTE).count();
    assert!(caught_up >= before, "{caught_up} of {before} two minutes after it was back");
    let mut taken_ids = ids[back..].to_vec();
    let breaks = sessions
        .iter()
        .flat_map(|session| {
            of(&taken_ids, *session).windows(2).map(|two| places[&two[0]] > places[&two[1]]).collect::<Vec<_>>()
        })
        .filter(|breaks| *breaks)
        .count();
    assert!(breaks <= 1, "{breaks} came before their turn");
    taken_ids.sort();
    let mut all: Vec<String> = places.keys().cloned().collect();
    all.sort();
    assert_eq!(taken_ids, all, "each once, with its id");

    // The dead one costs an attempt now and then.
    let attempts = dead.ids().len();
    assert!((200..450).contains(&attempts), "{attempts} attempts in three hours");
    assert!(announcing.handle.drain(HOUR).await, "nothing of it is waited for");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_one_that_stays_dead_is_given_up_after_three_days_however_much_it_is() {
    let world = World::new(&["dead"]);
    let (simulated, ahead) = (simulated_clock(), Arc::new(AtomicI64::new(0)));
    let offset = ahead.clone();
    let wall: WallClock = Arc::new(move || simulated().plus_millis(offset.load(Ordering::SeqCst)));
    let dead = Memory::new(|_, _| refused());
    let sessions: Vec<SessionId> = (1..=STREAMS).map(|number| world.session(number)).collect();
    for number in 0..400 {
        happens(&world, &wall, sessions[number % sessions.len()], number);
    }
    let _announcing = Announcing::start(&world, &wall, &sinks(&[("dead", &dead)]));
    let of_state = |state: &str| {
        let filter = DeliveryFilter { state: Some(state.parse().unwrap()), limit: 500, ..DeliveryFilter::default() };
        world.catalog.delivery_page(&filter).unwrap().items.len()
    };
    tokio::time::sleep(20 * HOUR).await;
    assert_eq!((of_state("pending"), of_state("given_up")), (420, 0));
    // As if two and a half days more had gone by.
    ahead.store(60 * 3_600_000, Ordering::SeqCst);
    happens(&world, &wall, sessions[0], 400);
    tokio::time::sleep(20 * MINUTE).await;
    assert_eq!((of_state("pending"), of_state("given_up")), (1, 420));
    let filter = DeliveryFilter { state: Some(Selected::Pending), ..DeliveryFilter::default() };
    let last = world.catalog.delivery_page(&filter).unwrap().items.remove(0);
    assert!(last.attempts > 0, "it has its turn: {last:?}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_replaced_while_it_delivers_and_removed() {
    let world = World::new(&["hook"]);
    let wall = simulated_clock();
    let hangs = Memory::slow(HOUR, |_, _| taken());
    let session = world.session(1);
    let announcing = Announcing::start(&world, &wall, &sinks(&[("hook", &hangs)]));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(hangs.ids().len(), 1);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let other = Memory::new(move |_: &Event, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        taken()
    });
    let endpoint =
        |sink: &Arc<Memory>| livetape_finalize::Endpoint { id: "hook".into(), sink: sink.clone(), concurrency: 4 };
    announcing.handle.set(endpoint(&other)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(count.load(Ordering::SeqCst), 1, "the attempt under way is made again");
    happens(&world, &wall, session, 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(count.load(Ordering::SeqCst), 2);
    announcing.handle.remove("hook").await;
    happens(&world, &wall, session, 2);
    tokio::time::sleep(MINUTE).await;
    assert_eq!((count.load(Ordering::SeqCst), hangs.ids().len()), (2, 1));
    announcing.handle.set(endpoint(&other)).await;
    assert!(announcing.handle.drain(MINUTE).await);
    assert_eq!(count.load(Ordering::SeqCst), 3);
    announcing.kill().await;
}
