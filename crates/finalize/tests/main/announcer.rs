//! Events on their way to receivers that take them, and to those that do not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use livetape_catalog::{Change, DeliveryState};
use livetape_finalize::sink::{Delivering, Event, EventSink, Outcome};
use livetape_finalize::webhook::{Webhook, WebhookClient, WebhookOptions};
use livetape_finalize::{Announcer, Counters, Endpoint, WallClock, system_clock};
use livetape_media::Format;
use livetape_record::SessionId;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::receiver::{Answer, Receiver};
use crate::world::{World, simulated_clock, start};

const LONG: Duration = Duration::from_secs(3600);

/// What a receiver in memory does with an event, given its kind, stream and how often it came.
type Script = Box<dyn Fn(&Event, usize) -> Outcome + Send + Sync>;

/// A receiver in memory.
pub(crate) struct Memory {
    begun: Instant,
    script: Script,
    came: Mutex<Vec<(Duration, String)>>,
    takes: Duration,
}

impl Memory {
    pub(crate) fn new(script: impl Fn(&Event, usize) -> Outcome + Send + Sync + 'static) -> Arc<Self> {
        Self::slow(Duration::ZERO, script)
    }

    pub(crate) fn slow(
        takes: Duration,
        script: impl Fn(&Event, usize) -> Outcome + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { begun: Instant::now(), script: Box::new(script), came: Mutex::default(), takes })
    }

    /// Ids of the events that came, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.came.lock().unwrap().iter().map(|(_, id)| id.clone()).collect()
    }

    /// When events came, since the beginning.
    pub(crate) fn times(&self) -> Vec<Duration> {
        self.came.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }
}

impl EventSink for Memory {
    fn describe(&self) -> String {
        "memory".into()
    }

    fn deliver<'a>(&'a self, event: &'a Event) -> Delivering<'a> {
        Box::pin(async move {
            let times = {
                let mut came = self.came.lock().unwrap();
                came.push((self.begun.elapsed(), event.id.clone()));
                came.iter().filter(|(_, id)| *id == event.id).count()
            };
            tokio::time::sleep(self.takes).await;
            (self.script)(event, times)
        })
    }
}

pub(crate) fn taken() -> Outcome {
    Outcome::Delivered { status: 200, answer: String::new() }
}

pub(crate) fn refused() -> Outcome {
    Outcome::Failed { status: Some(500), error: "HTTP 500".into(), answer: String::new(), retry_after: None }
}

/// An announcer at work until it is dropped.
pub(crate) struct Announcing {
    pub(crate) handle: Announcer,
    pub(crate) counters: Arc<Counters>,
    task: tokio::task::JoinHandle<()>,
    stop: DropGuard,
}

impl Announcing {
    pub(crate) fn start(world: &World, wall: &WallClock, sinks: &[(&str, Arc<dyn EventSink>)]) -> Self {
        let endpoints = sinks
            .iter()
            .map(|(id, sink)| Endpoint { id: (*id).to_owned(), sink: sink.clone(), concurrency: 4 })
            .collect();
        let (counters, stop) = (Arc::new(Counters::default()), CancellationToken::new());
        let (handle, run) = Announcer::new(&world.catalog, endpoints, wall, &counters, stop.clone());
        Self { handle, counters, task: tokio::spawn(run), stop: stop.drop_guard() }
    }

    pub(crate) async fn kill(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }
}

/// So many events of the session's stream, the first of which began it.
fn happen(world: &World, session: SessionId, events: u32) {
    for number in 1..events {
        let (kind, detail) = ("test".to_owned(), format!("number {number}"));
        world.apply(Change::Warning { session, recording: None, kind, detail, at: start() });
    }
}

/// Ids of all events of a session, in order.
fn all_of(world: &World, session: SessionId) -> Vec<String> {
    let digits = session.0.simple().to_string();
    world.events().into_iter().map(|event| event.id).filter(|id| id.contains(&digits)).collect()
}

pub(crate) fn of(ids: &[String], session: SessionId) -> Vec<String> {
    let digits = session.0.simple().to_string();
    ids.iter().filter(|id| id.contains(&digits)).cloned().collect()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn events_reach_a_receiver_once_each_and_in_the_order_of_their_stream() {
    let world = World::new(&["hook"]);
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let client = WebhookClient::new(WebhookOptions::default()).unwrap();
    let sink = Arc::new(Webhook::new(client, receiver.url("/").parse().unwrap(), Vec::new()));
    let announcing = Announcing::start(&world, &system_clock(), &[("hook", sink)]);
    let sessions: Vec<SessionId> = (1..=5).map(|number| world.session(number)).collect();
    sessions.iter().for_each(|session| happen(&world, *session, 10));
    assert!(announcing.handle.drain(LONG).await);
    let received = receiver.received();
    assert_eq!(received.len(), 50);
    let ids: Vec<String> = received.iter().map(|request| request.id().to_owned()).collect();
    for session in sessions {
        assert_eq!(of(&ids, session), all_of(&world, session));
    }
    let bodies: BTreeMap<String, String> = world.events().into_iter().map(|event| (event.id, event.body)).collect();
    assert!(received.iter().all(|request| request.body == bodies[request.id()]));
    assert_eq!(announcing.counters.snapshot().delivered, 50);
}

#[tokio::test]
async fn new_events_are_announced_at_once() {
    let world = World::new(&["hook"]);
    let sink = Memory::new(|_, _| taken());
    let announcing = Announcing::start(&world, &system_clock(), &[("hook", sink.clone())]);
    assert!(announcing.handle.drain(LONG).await, "it has looked, found nothing and waits");
    world.session(1);
    let arrived = async {
        while sink.ids().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    // Long before it would look by itself.
    tokio::time::timeout(Duration::from_secs(20), arrived).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_holds_up_its_own_stream_in_order_and_no_other() {
    let world = World::new(&["hook"]);
    let (first, second) = (world.session(1), world.session(2));
    let refuse = all_of(&world, first)[0].clone();
    let sink = Memory::new(move |event, times| if event.id == refuse && times < 4 { refused() } else { taken() });
    happen(&world, first, 5);
    happen(&world, second, 5);
    let announcing = Announcing::start(&world, &simulated_clock(), &[("hook", sink.clone())]);
    assert!(announcing.handle.drain(LONG).await);
    assert_eq!(of(&sink.ids(), second), all_of(&world, second));
    assert_eq!(of(&sink.ids(), first).len(), 1, "it waits, and those behind it with it");
    until("all are delivered", || sink.ids().len() == 5 + 5 + 3).await;
    let mut ids = of(&sink.ids(), first);
    ids.dedup();
    assert_eq!(ids, all_of(&world, first));
}

#[tokio::test(start_paused = true)]
async fn a_dead_receiver_holds_up_no_other() {
    let world = World::new(&["dead", "slow", "good"]);
    let dead = Memory::new(|_, _| refused());
    let slow = Memory::slow(Duration::from_secs(10), |_, _| refused());
    let good = Memory::new(|_, _| taken());
    let sessions: Vec<SessionId> = (1..=3).map(|number| world.session(number)).collect();
    sessions.iter().for_each(|session| happen(&world, *session, 20));
    let sinks: [(&str, Arc<dyn EventSink>); 3] =
        [("dead", dead.clone()), ("slow", slow.clone()), ("good", good.clone())];
    let announcing = Announcing::start(&world, &simulated_clock(), &sinks);
    until("the good one has all", || good.ids().len() == 60).await;
    assert!(good.times().last().unwrap() < &Duration::from_secs(5));
    assert!(dead.ids().len() < 60 && !slow.ids().is_empty());
    assert!(announcing.counters.snapshot().undelivered >= 3);
}

#[tokio::test(start_paused = true)]
async fn attempts_keep_to_the_schedule_and_end_after_three_days() {
    let world = World::new(&["hook"]);
    let sink = Memory::new(|_, _| refused());
    let session = world.session(1);
    let announcing = Announcing::start(&world, &simulated_clock(), &[("hook", sink.clone())]);
    let event = all_of(&world, session)[0].clone();
    let state = || world.catalog.deliveries(&event).unwrap()[0].state;
    while state() != DeliveryState::GivenUp {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(sink.begun.elapsed() < Duration::from_secs(80 * 3600), "{:?}", state());
    }
    let times = sink.times();
    assert!(sink.ids().iter().all(|id| *id == event), "the id is the same on every attempt");
    let waits: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    let expected = [5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0];
    for (wait, expected) in waits.iter().zip(expected) {
        assert!((expected * 0.79..=expected * 1.21 + 1.0).contains(wait), "{wait} s instead of {expected} s");
    }
    let last = times.last().unwrap().as_secs_f64() / 3600.0;
    assert!((71.9..72.1).contains(&last), "the last attempt was after {last} h");
    let view = &world.catalog.deliveries(&event).unwrap()[0];
    assert_eq!(view.attempts as usize, times.len());
    assert_eq!(view.log[0].status, Some(500));
    assert_eq!(announcing.counters.snapshot().given_up, 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_for_ten_minutes_steps_aside() {
    let world = World::new(&["hook"]);
    let session = world.session(1);
    let poison = all_of(&world, session)[0].clone();
    let expected = poison.clone();
    let sink = Memory::new(move |event, _| if event.id == poison { refused() } else { taken() });
    happen(&world, session, 3);
    let _announcing = Announcing::start(&world, &simulated_clock(), &[("hook", sink.clone())]);
    until("those behind it arrive", || sink.ids().last().is_some_and(|id| id.ends_with("warning_2"))).await;
    let passed = sink.times().last().unwrap().as_secs();
    assert!((599..700).contains(&passed), "after {passed} s");
    until("it is still tried", || sink.ids().last() == Some(&expected)).await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_asks_for_time_gets_it() {
    let world = World::new(&["hook"]);
    let sink = Memory::new(|_, times| match times {
        1 => Outcome::Failed {
            status: Some(503),
            error: "busy".into(),
            answer: String::new(),
            retry_after: Some(Duration::from_secs(300)),
        },
        _ => taken(),
    });
    world.session(1);
    let _announcing = Announcing::start(&world, &simulated_clock(), &[("hook", sink.clone())]);
    until("it is delivered", || sink.ids().len() == 2).await;
    let wait = (sink.times()[1] - sink.times()[0]).as_secs();
    assert!((299..=301).contains(&wait), "{wait} s");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_gone_is_asked_no_more_until_the_next_start() {
    let world = World::new(&["gone", "good"]);
    let gone = Memory::new(|_, _| Outcome::Gone);
    let good = Memory::new(|_, _| taken());
    let session = world.session(1);
    happen(&world, session, 3);
    let sinks: [(&str, Arc<dyn EventSink>); 2] = [("gone", gone.clone()), ("good", good.clone())];
    let announcing = Announcing::start(&world, &simulated_clock(), &sinks);
    until("the good one has all", || good.ids().len() == 3).await;
    world.session(2);
    tokio::time::sleep(LONG * 24).await;
    assert_eq!((gone.ids().len(), good.ids().len()), (1, 4));
    let event = &all_of(&world, session)[0];
    let deliveries = world.catalog.deliveries(event).unwrap();
    let to_gone = deliveries.iter().find(|delivery| delivery.endpoint == "gone").unwrap();
    assert_eq!((to_gone.state, to_gone.log[0].status), (DeliveryState::Dropped, Some(410)));
    assert!(announcing.handle.drain(Duration::from_secs(5)).await, "nothing is owed to it");
}

#[tokio::test]
async fn an_attempt_whose_outcome_was_not_recorded_is_made_again_with_the_same_id() {
    let world = World::new(&["hook"]);
    // It takes the event, and then the program is stopped before it hears of that.
    let first = Memory::slow(LONG, |_, _| taken());
    let event = all_of(&world, world.session(1));
    let announcing = Announcing::start(&world, &system_clock(), &[("hook", first.clone())]);
    while first.ids().is_empty() {
        tokio::task::yield_now().await;
    }
    announcing.kill().await;
    let world = world.restart();
    let second = Memory::new(|_, _| taken());
    let announcing = Announcing::start(&world, &system_clock(), &[("hook", second.clone())]);
    assert!(announcing.handle.drain(LONG).await);
    assert_eq!((first.ids(), second.ids()), (event.clone(), event));
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_attempts_under_way_but_not_for_ever() {
    let world = World::new(&["hook"]);
    let sink = Memory::slow(Duration::from_secs(8), |_, _| taken());
    let session = world.session(1);
    happen(&world, session, 3);
    let announcing = Announcing::start(&world, &simulated_clock(), &[("hook", sink.clone())]);
    assert!(!announcing.handle.drain(Duration::from_secs(10)).await);
    assert!(announcing.handle.drain(Duration::from_secs(30)).await);
    assert_eq!(announcing.counters.snapshot().delivered, 3);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_attempts_are_under_way_at_once() {
    let world = World::new(&["hook"]);
    let sink = Memory::slow(Duration::from_secs(1), |_, _| taken());
    (1..=20).for_each(|number| {
        world.session(number);
    });
    let announcing = Announcing::start(&world, &simulated_clock(), &[("hook", sink.clone())]);
    assert!(announcing.handle.drain(LONG).await);
    let times = sink.times();
    for window in times.windows(5) {
        assert!(window[4] - window[0] >= Duration::from_secs(1), "five at once: {window:?}");
    }
    assert!(times[19] < Duration::from_secs(7), "four at once: {times:?}");
}

#[tokio::test]
async fn a_ready_recording_is_announced_with_its_address() {
    let world = World::new(&["hook"]);
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let client = WebhookClient::new(WebhookOptions::default()).unwrap();
    let sink = Arc::new(Webhook::new(client, receiver.url("/").parse().unwrap(), Vec::new()));
    let announcing = Announcing::start(&world, &system_clock(), &[("hook", sink)]);
    let id = world.finished(world.session(1), Format::Mp4, 1);
    let working = world.finalizer();
    assert_eq!(working.handle.drain(LONG).await, 0);
    assert!(announcing.handle.drain(LONG).await);
    world.assert_ready_once(id);
    let received = receiver.received();
    let body: serde_json::Value = serde_json::from_str(&received.last().unwrap().body).unwrap();
    assert_eq!(body["type"], "recording.ready");
    assert_eq!(body["data"]["id"], id.to_string());
    assert_eq!(body["data"]["url"], "http://tape.example/media/live/room1/room1-1.mp4");
    assert_eq!(body["data"]["state"], "ready");
}
