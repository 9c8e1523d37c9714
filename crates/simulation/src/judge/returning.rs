//! Frames in = frames out, where publishers go and come back: each connection's frames once, in order, and recordings
//! that say what lies in between.
//!
//! After a crash the frames of before and after it may be in one recording or in two.

use std::collections::{BTreeMap, BTreeSet};

use livetape_catalog::RecordingRow;
use livetape_media::Format;
use livetape_record::{Gap, GapRule, RecordingId};

use super::frames::{LESS_MS, MORE_MS, TOLERANCE_MS, TORN_MS, tracks};
use super::{Cost, History};
use crate::clock::wall_at;
use crate::journal::Effect;
use crate::known::recording_event;
use crate::marker::Marker;
use crate::publisher::{PICTURE_MS, Script};
use crate::read::{Content, Found};
use crate::world::Life;

/// Two frames of one connection are no further apart.
const APART_MS: u32 = 200;
/// What is put directly behind something else is no further away.
const BEHIND_MS: f64 = 150.0;
/// How well it is known, across a crash, when media ended.
const ACROSS_MS: i64 = 1_500;

/// A life that a crash ended: what came in it, and what of that must be there.
#[derive(Clone, Debug, Default)]
pub struct PastLife {
    /// The frames that were pushed of each stream, in order.
    pushed: BTreeMap<u8, Vec<Marker>>,
    /// Streams whose publisher was away, so that everything was on the disk.
    safe: BTreeSet<u8>,
    /// How much media, in milliseconds, the end of each other stream may lack.
    bound_ms: u32,
}

impl PastLife {
    /// Of a life that was ended before its entry `at`.
    pub fn of(life: &Life, at: usize, bound_ms: u32) -> Self {
        let mut past = Self { bound_ms, ..Self::default() };
        for entry in &life.entries[..at] {
            match entry {
                Effect::Pushed(marker) => {
                    past.pushed.entry(marker.stream).or_default().push(*marker);
                    past.safe.remove(&marker.stream);
                }
                Effect::Away(stream) => drop(past.safe.insert(*stream)),
                _ => {}
            }
        }
        past
    }
}

/// Of which connection a frame is: in which life, and which of those of its stream.
type Visit = (usize, u32);

/// Holds what the recordings of one format hold against what was pushed in all lives.
///
/// # Errors
/// What does not hold.
pub(super) fn check(
    format: Format,
    recordings: &[(RecordingId, &Content)],
    life: &Life,
    history: &History,
    rule: GapRule,
    told: &BTreeMap<u8, u32>,
) -> Result<Cost, String> {
    let contents = recordings.iter().map(|(_, content)| *content);
    let tracks = tracks(format, contents.clone(), history)?;
    let last = PastLife::of(life, life.entries.len(), history.bound_ms);
    let lives: Vec<&PastLife> = history.lives.iter().chain([&last]).collect();
    let visits = visits(&lives);
    for content in contents.clone() {
        if let Some(marker) = content.frames().find(|marker| !visits.contains_key(marker)) {
            return Err(format!("{format} holds {marker:?}, which was not pushed"));
        }
    }
    let mut cost = Cost { lost_ms: 0, damaged: contents.clone().map(Content::damaged).sum() };
    let mut lost: BTreeMap<u8, u32> = BTreeMap::new();
    let is_there = |marker: &Marker| {
        let numbers = tracks.get(&(marker.stream, marker.video));
        numbers.is_some_and(|numbers| numbers.binary_search(&marker.number).is_ok())
    };
    for (number, past) in lives.iter().enumerate() {
        for (stream, pushed) in &past.pushed {
            let missing: Vec<Marker> = pushed.iter().copied().filter(|marker| !is_there(marker)).collect();
            let of = format!("{format} of stream {stream}, life {number},");
            let loss_ms = loss(&missing, pushed, history).map_err(|problem| format!("{of} {problem}"))?;
            let ended = number + 1 < lives.len();
            let safe = ended && past.safe.contains(stream) && !history.gaps;
            let bound_ms = if safe { 0 } else { past.bound_ms };
            if loss_ms > bound_ms {
                let first = missing.first();
                return Err(format!("{of} lacks {loss_ms} ms, from {first:?} on; allowed are {bound_ms} ms"));
            }
            cost.lost_ms = cost.lost_ms.max(loss_ms);
            *lost.entry(*stream).or_default() += loss_ms;
        }
    }
    if history.tells && !history.gaps {
        check_told(format, &lost, told, history)?;
    }
    for (id, content) in recordings {
        let row = life.rows.iter().find(|row| row.id == *id).ok_or("a recording without a row")?;
        check_row(row, life, history).map_err(|problem| format!("{id}: {problem}"))?;
        if history.gaps || content.damaged() > 0 {
            continue;
        }
        for part in &content.parts {
            check_times(part, &visits, rule).map_err(|problem| format!("{id}: {problem}"))?;
        }
        check_gaps(row, content, &visits).map_err(|problem| format!("{id}: {problem}"))?;
    }
    Ok(cost)
}

fn visits(lives: &[&PastLife]) -> BTreeMap<Marker, Visit> {
    let mut visits = BTreeMap::new();
    for (life, past) in lives.iter().enumerate() {
        for pushed in past.pushed.values() {
            let (mut visit, mut last) = (0, None);
            for marker in pushed {
                let at = Script::timestamp(*marker);
                visit += u32::from(last.is_some_and(|last: u32| at.abs_diff(last) > APART_MS));
                last = Some(at);
                visits.insert(*marker, (life, visit));
            }
        }
    }
    visits
}

/// How much media the missing frames are, which are the last of those pushed; or all of them, where frames may be
/// missing anywhere.
fn loss(missing: &[Marker], pushed: &[Marker], history: &History) -> Result<u32, String> {
    let (Some(first), Some(last)) = (missing.iter().copied().min_by_key(at_ms), pushed.iter().map(at_ms).max()) else {
        return Ok(0);
    };
    if history.gaps {
        let pictures = missing.iter().filter(|marker| marker.video).count();
        return Ok(u32::try_from(pictures).unwrap() * PICTURE_MS);
    }
    let behind = |one: &Marker, other: &Marker| one.video == other.video && other.number > one.number;
    let hole = missing.iter().find(|one| pushed.iter().any(|other| behind(one, other) && !missing.contains(other)));
    match hole.filter(|_| !history.damage) {
        Some(marker) => Err(format!("{marker:?} is missing, and later frames are there")),
        // All that is missing is something, be it the last frame alone.
        None => Ok((last - at_ms(&first)).max(1)),
    }
}

fn at_ms(marker: &Marker) -> u32 {
    Script::timestamp(*marker)
}

fn check_told(
    format: Format,
    lost: &BTreeMap<u8, u32>,
    told: &BTreeMap<u8, u32>,
    history: &History,
) -> Result<(), String> {
    let less_ms = LESS_MS + if history.over { TORN_MS } else { 0 };
    for (stream, loss_ms) in lost {
        let told_ms = told.get(stream).copied().unwrap_or_default();
        if !(loss_ms.saturating_sub(less_ms)..=loss_ms + MORE_MS).contains(&told_ms) {
            return Err(format!(
                "{format} of stream {stream} lacks {loss_ms} ms, and its rows say {told_ms} ms are lost"
            ));
        }
    }
    Ok(())
}

/// It waits no longer, and events say when it did.
fn check_row(row: &RecordingRow, life: &Life, history: &History) -> Result<(), String> {
    if row.waiting_until.is_some() {
        return Err("it waits still".into());
    }
    let event = |verb: &str, number: usize| {
        let id = recording_event(&row.id, &format!("{verb}_{number}"));
        life.events.iter().find(|event| event.id == id).map(|event| event.sequence)
    };
    for number in 1..=row.gaps.len() {
        let (waits, continues) = (event("waiting", number), event("continued", number));
        if waits.is_none() || continues <= waits {
            return Err(format!("it waited by event {waits:?} and went on by event {continues:?}"));
        }
    }
    // After a crash nothing may be there of what it went on with.
    match event("continued", row.gaps.len() + 1).filter(|_| history.lives.is_empty()) {
        Some(_) => Err("an event says that it went on, and its row does not".into()),
        None => Ok(()),
    }
}

/// Each frame of a track is as far from the one before as the rule says.
fn check_times(part: &[Found], visits: &BTreeMap<Marker, Visit>, rule: GapRule) -> Result<(), String> {
    for video in [true, false] {
        let mut track = part.iter().filter_map(|(marker, at)| Some(((*marker)?, *at)));
        let of_track: Vec<(Marker, f64)> = track.by_ref().filter(|(marker, _)| marker.video == video).collect();
        for pair in of_track.windows(2) {
            let ((one, before), (other, at)) = (pair[0], pair[1]);
            let (from, to) = (visits[&one], visits[&other]);
            let (apart, sent) = (at - before, f64::from(at_ms(&other)) - f64::from(at_ms(&one)));
            let right = match rule {
                _ if from.0 != to.0 => apart > 0.0,
                GapRule::Collapse if from != to => apart > 0.0 && apart < BEHIND_MS,
                _ => (apart - sent).abs() <= TOLERANCE_MS,
            };
            if !right {
                return Err(format!("{other:?} is {apart} ms behind {one:?}, and was sent {sent} ms behind"));
            }
        }
    }
    Ok(())
}

/// Its gaps are those between the connections whose frames it holds, in the calendar and for a player.
fn check_gaps(row: &RecordingRow, content: &Content, visits: &BTreeMap<Marker, Visit>) -> Result<(), String> {
    let mut of_visit: BTreeMap<Visit, Vec<Marker>> = BTreeMap::new();
    for marker in content.frames() {
        of_visit.entry(visits[&marker]).or_default().push(marker);
    }
    let held: Vec<(&Visit, &Vec<Marker>)> = of_visit.iter().collect();
    if row.gaps.len() + 1 != held.len() {
        return Err(format!("it holds frames of {} connections, and its gaps are {:?}", held.len(), row.gaps));
    }
    let wall = |stream: u8, ms: u32| Script::begins_ms(stream) + u64::from(ms);
    let mut played = 0.0;
    for (pair, gap) in held.windows(2).zip(&row.gaps) {
        let ((from, before), (to, after)) = (pair[0], pair[1]);
        let stream = row.id.session.0.as_bytes()[15];
        let ends = before.iter().map(|marker| at_ms(marker) + Script::lasts(*marker)).max().unwrap_or_default();
        let begins = after.iter().map(at_ms).min().unwrap_or_default();
        let exact_ms = if from.0 == to.0 { 5 } else { ACROSS_MS };
        let off = |said: livetape_media::WallTime, ms: u32| {
            let expected = wall_at(std::time::Duration::from_millis(wall(stream, ms)));
            (said.as_unix_millis() - expected.as_unix_millis()).abs()
        };
        if off(gap.from, ends) > exact_ms || off(gap.to, begins) > exact_ms || gap.from > gap.to {
            return Err(format!("{gap:?} is to be from {ends} to {begins} ms of its stream"));
        }
        played += length(content, before);
        let (begins, ends) = place(content, before, after, played);
        let exact = if from.0 == to.0 { 5.0 } else { ACROSS_MS as f64 };
        let said = (millis(gap.at), millis(gap.at + gap.length));
        if (said.0 - begins).abs() > exact || (said.1 - ends).abs() > exact {
            return Err(format!("{gap:?} is to be from {begins} to {ends} ms of what is played"));
        }
    }
    check_end(row, content, &held.last().map(|(_, markers)| (*markers).clone()).unwrap_or_default())
}

fn millis(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// How much media the frames are.
fn length(content: &Content, markers: &[Marker]) -> f64 {
    let times = found(content, markers);
    let begins = times.iter().map(|(_, at)| *at).fold(f64::MAX, f64::min);
    times.iter().map(|(marker, at)| at + f64::from(Script::lasts(*marker))).fold(0.0, f64::max) - begins
}

/// Where a player is when the frames `before` end, and when those `after` begin. `played` is how much media there is
/// up to there.
fn place(content: &Content, before: &[Marker], after: &[Marker], played: f64) -> (f64, f64) {
    if content.parts.len() > 1 {
        return (played, played);
    }
    let zero = content.parts.iter().flatten().map(|(_, at)| *at).fold(f64::MAX, f64::min);
    let ends = found(content, before).into_iter().map(|(marker, at)| at + f64::from(Script::lasts(marker)));
    let begins = found(content, after).into_iter().map(|(_, at)| at).fold(f64::MAX, f64::min);
    (ends.fold(0.0, f64::max) - zero, begins - zero)
}

fn found(content: &Content, markers: &[Marker]) -> Vec<(Marker, f64)> {
    let all = content.parts.iter().flatten().filter_map(|(marker, at)| Some(((*marker)?, *at)));
    all.filter(|(marker, _)| markers.contains(marker)).collect()
}

/// It ended, by the calendar, when its last frame did.
fn check_end(row: &RecordingRow, content: &Content, markers: &[Marker]) -> Result<(), String> {
    let stream = row.id.session.0.as_bytes()[15];
    let Some(ends) = markers.iter().map(|marker| at_ms(marker) + Script::lasts(*marker)).max() else { return Ok(()) };
    let expected = wall_at(std::time::Duration::from_millis(Script::begins_ms(stream) + u64::from(ends)));
    let Some(ended_at) = row.ended_at else { return Err("it has no end".into()) };
    let off = ended_at.as_unix_millis() - expected.as_unix_millis();
    let exact_ms = if row.gaps.iter().all(is_short) { 100 } else { ACROSS_MS };
    if off.abs() > exact_ms {
        let parts = content.parts.len();
        return Err(format!("it ended {off} ms behind its last frame; it has {parts} parts, gaps {:?}", row.gaps));
    }
    Ok(())
}

/// Between two connections of one life.
fn is_short(gap: &Gap) -> bool {
    gap.to.as_unix_millis() - gap.from.as_unix_millis() < 10_000
}
