//! Many publishers, all from one thread: a server shares the machine with them, so they cost little.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use livetape_testkit::fleet::SessionLog;
use livetape_testkit::{Dice, Publisher as Dialogue, machine};

use crate::publisher::Publisher;
use crate::wire::Wire;

/// How often it looks which frames are due.
const TICK: Duration = Duration::from_millis(2);
/// How often publishers are looked after that send as fast as they can.
const UNPACED_TICK: Duration = Duration::from_micros(200);
/// How often it reads what the server says, and looks at what waits for it in the kernel.
const LISTEN: Duration = Duration::from_millis(500);
/// How long a server may take to hear a goodbye.
const GOODBYE_MAX: Duration = Duration::from_secs(60);
/// Publishers that shake hands at the same time.
const CONNECTING_MAX: usize = 8;
/// How long one rests that was broken off.
const REST: Duration = Duration::from_millis(200);

/// What a crowd does.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Publishers: `live/cam0000` and so on.
    pub(crate) streams: u32,
    /// How long they play: live, from the moment when all have begun; unpaced, each.
    pub(crate) length: Duration,
    /// As it plays, or as fast as it is taken.
    pub(crate) pace: Pace,
    /// Time from the first to the last beginning.
    pub(crate) ramp: Duration,
    /// How long a publisher plays until its connection breaks and it comes back, on average; `None`: it does not break.
    pub(crate) break_after: Option<Duration>,
    /// Of the breaks.
    pub(crate) seed: u64,
}

/// How fast frames are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Pace {
    /// Each when it is due.
    Live,
    /// Each as soon as it is taken.
    Unpaced,
}

/// What became of it.
pub(crate) struct Outcome {
    /// What each session sent.
    pub(crate) sessions: Vec<SessionLog>,
    /// The longest that a socket did not take what was due.
    pub(crate) stuck_max: Duration,
    /// The most that waited unread in one of the server's sockets, in bytes.
    pub(crate) unread_max: u64,
    /// When all said goodbye, in milliseconds since 1970.
    pub(crate) ended_ms: i64,
}

impl Outcome {
    /// Bytes of all that was sent.
    pub(crate) fn bytes(&self) -> u64 {
        self.sessions.iter().map(|session| session.sent).sum()
    }
}

/// Has a crowd publish to `servers`: all to one, or each to its own. `told` is called when all have begun and, live, before all say goodbye.
///
/// # Errors
/// When a publisher is refused, or the server goes away where the script does not want it.
pub(crate) fn perform(
    servers: &[SocketAddr],
    wire: &Wire,
    script: &Script,
    mut told: impl FnMut(&[Seat]),
) -> anyhow::Result<Outcome> {
    let begun = Instant::now();
    let step = script.ramp / script.streams.max(1);
    let mut seats: Vec<Seat> = (0..script.streams).map(|stream| Seat::new(stream, begun + step * stream)).collect();
    let outcome = Outcome { sessions: Vec::new(), stuck_max: Duration::ZERO, unread_max: 0, ended_ms: 0 };
    let dice = Dice::new(script.seed);
    let ports: BTreeSet<u16> = servers.iter().map(SocketAddr::port).collect();
    let mut stage = Stage { servers, wire, script, dice, outcome, connecting: 0, now: begun, listens: false };
    let (mut all_begun, mut listened) = (None, begun);
    while !seats.iter().all(Seat::is_empty) {
        stage.now = Instant::now();
        stage.listens = stage.now >= listened + LISTEN;
        if stage.listens {
            listened = stage.now;
            stage.outcome.unread_max = stage.outcome.unread_max.max(machine::unread_max(&ports));
        }
        if all_begun.is_none() && seats.iter().all(|seat| seat.sessions > 0) {
            all_begun = Some(stage.now);
            told(&seats);
        }
        let over = all_begun.is_some_and(|all| stage.now >= all + script.length);
        if over && script.pace == Pace::Live && stage.outcome.ended_ms == 0 {
            told(&seats);
            stage.outcome.ended_ms = wall_ms();
            seats.iter_mut().for_each(|seat| seat.leave(stage.now));
        }
        for seat in &mut seats {
            seat.step(&mut stage)?;
        }
        let tick = if script.pace == Pace::Live { TICK } else { UNPACED_TICK };
        thread::sleep((stage.now + tick).saturating_duration_since(Instant::now()));
    }
    if stage.outcome.ended_ms == 0 {
        stage.outcome.ended_ms = wall_ms();
    }
    Ok(stage.outcome)
}

/// What all of a crowd share.
struct Stage<'a> {
    servers: &'a [SocketAddr],
    wire: &'a Wire,
    script: &'a Script,
    dice: Dice,
    outcome: Outcome,
    connecting: usize,
    now: Instant,
    /// Whether what the server says is read in this round.
    listens: bool,
}

/// One stream's place.
pub(crate) struct Seat {
    stream: u32,
    /// How many have begun.
    sessions: u32,
    state: State,
}

enum State {
    Waiting(Instant),
    Connecting(JoinHandle<Result<Dialogue, String>>),
    /// And when its connection will break.
    Playing(Box<Publisher>, Option<Instant>),
    /// Since when.
    Leaving(Box<Publisher>, Instant),
    Empty,
}

impl Seat {
    fn new(stream: u32, begins: Instant) -> Self {
        Self { stream, sessions: 0, state: State::Waiting(begins) }
    }

    /// Bytes that its session of now has sent.
    pub(crate) fn sent_bytes(&self) -> u64 {
        match &self.state {
            State::Playing(publisher, _) => publisher.log.sent,
            _ => 0,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self.state, State::Empty)
    }

    /// Says goodbye.
    fn leave(&mut self, now: Instant) {
        self.state = match std::mem::replace(&mut self.state, State::Empty) {
            State::Playing(mut publisher, _) => {
                publisher.say_goodbye(&name(self.stream));
                State::Leaving(publisher, now)
            }
            connecting @ State::Connecting(_) => connecting,
            _ => State::Empty,
        };
    }

    /// Does what is due.
    fn step(&mut self, stage: &mut Stage<'_>) -> anyhow::Result<()> {
        let now = stage.now;
        match &mut self.state {
            State::Waiting(until) if now >= *until && stage.connecting < CONNECTING_MAX => {
                stage.connecting += 1;
                let server = stage.servers[self.stream as usize % stage.servers.len()];
                let key = name(self.stream);
                self.state = State::Connecting(thread::spawn(move || Dialogue::try_publish(server, "live", &key)));
            }
            State::Connecting(dial) if dial.is_finished() => {
                stage.connecting -= 1;
                let State::Connecting(dial) = std::mem::replace(&mut self.state, State::Empty) else { return Ok(()) };
                let dialogue = dial.join().unwrap_or_else(|_| Err("the publisher panicked".to_owned()));
                self.connected(dialogue, stage)?;
            }
            State::Playing(publisher, breaks) => {
                let all_sent = match stage.script.pace {
                    Pace::Live => {
                        publisher.play(stage.wire, now);
                        false
                    }
                    Pace::Unpaced => publisher.rush(stage.wire, stage.script.length, now),
                };
                stage.outcome.stuck_max = stage.outcome.stuck_max.max(publisher.stuck(now));
                if (stage.listens && !publisher.listen()) || publisher.is_dead() {
                    bail!("the server closed the connection of {}", name(self.stream));
                }
                if breaks.is_some_and(|at| now >= at)
                    && let State::Playing(publisher, _) = std::mem::replace(&mut self.state, State::Waiting(now + REST))
                {
                    stage.outcome.sessions.push(publisher.break_off());
                } else if all_sent {
                    self.leave(now);
                }
            }
            State::Leaving(publisher, since) => {
                if now > *since + GOODBYE_MAX {
                    bail!("{} was not heard when it said goodbye", name(self.stream));
                }
                if !publisher.listen()
                    && let State::Leaving(publisher, _) = std::mem::replace(&mut self.state, State::Empty)
                {
                    stage.outcome.sessions.push(publisher.log);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn connected(&mut self, dialogue: Result<Dialogue, String>, stage: &mut Stage<'_>) -> anyhow::Result<()> {
        let now = stage.now;
        match dialogue {
            // The others have said goodbye meanwhile.
            Ok(dialogue) if stage.outcome.ended_ms > 0 => drop(dialogue),
            Ok(dialogue) => {
                let publisher = Publisher::new(dialogue, stage.wire, self.stream, self.sessions)?;
                self.sessions += 1;
                let breaks = stage.script.break_after.map(|mean| now + stage.dice.between(mean / 2, mean * 3 / 2));
                self.state = State::Playing(Box::new(publisher), breaks);
            }
            // The server may not have noticed yet that the connection before is broken.
            Err(_) if stage.script.break_after.is_some() => self.state = State::Waiting(now + REST),
            Err(problem) => bail!("{} is refused: {problem}", name(self.stream)),
        }
        Ok(())
    }
}

/// The stream's name.
fn name(stream: u32) -> String {
    format!("cam{stream:04}")
}

/// Milliseconds since 1970.
fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
