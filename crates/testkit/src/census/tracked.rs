//! Frames in are frames out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Census, Gaps, Loss, words};
use crate::container::{self, Sample};
use crate::film::{Film, Mark};
use crate::fleet::SessionLog;
use crate::flv::Kind;
use crate::livetape::Livetape;

/// How far a frame's time may be from the pushed one, relative to the recording's first picture.
const TOLERANCE_US: i64 = 1_100;

/// What the recordings of one session in one format hold: the numbers of their frames, in order.
#[derive(Default)]
struct Track {
    video: Vec<u32>,
    audio: Vec<u32>,
    /// Where in these a recording begins.
    seams: [Vec<usize>; 2],
    said_ms: Option<u32>,
}

impl Census {
    pub(super) fn check_media(&mut self, livetape: &Livetape, film: &Film, sessions: &[SessionLog], rows: &[Value]) {
        let mut ready: Vec<&Value> = rows.iter().filter(|row| row["state"] == "ready").collect();
        let sequence = |row: &Value| -> u32 { words(row, "id").rsplit('_').next().unwrap().parse().unwrap() };
        ready.sort_by_key(|row| (words(row, "session").to_owned(), words(row, "format").to_owned(), sequence(row)));
        let mut tracks: BTreeMap<(u32, u32, String), Track> = BTreeMap::new();
        for row in ready {
            let file = livetape.media().join(words(row, "key"));
            let samples = match container::read(&file) {
                Ok(samples) if !samples.is_empty() => samples,
                Ok(_) => {
                    self.problems.push(format!("{} is empty", file.display()));
                    continue;
                }
                Err(problem) => {
                    self.problems.push(problem);
                    continue;
                }
            };
            self.frames += samples.len();
            if let Err(problem) = self.check_recording(film, row, &samples, &mut tracks) {
                self.problems.push(format!("{}: {problem}", row["id"]));
            }
        }
        for ((stream, session, format), track) in &tracks {
            self.check_order(film, &format!("cam{stream:04}, session {session}, {format}"), track);
        }
        let mut formats: Vec<&str> = rows.iter().map(|row| words(row, "format")).collect();
        formats.sort_unstable();
        formats.dedup();
        for log in sessions {
            for format in &formats {
                let track = tracks.get(&(log.stream, log.session, (*format).to_owned()));
                self.weigh(film, log, format, track);
            }
        }
    }

    /// Every frame is the one its mark says, with its own time.
    fn check_recording(
        &mut self,
        film: &Film,
        row: &Value,
        samples: &[Sample],
        tracks: &mut BTreeMap<(u32, u32, String), Track>,
    ) -> Result<(), String> {
        let marks: Vec<Mark> = samples
            .iter()
            .map(|sample| Mark::read(sample.kind, &sample.data).ok_or("a frame that nobody pushed"))
            .collect::<Result<_, _>>()?;
        let whose = |mark: &Mark| (mark.stream, mark.session);
        let first = &marks[0];
        if let Some(other) = marks.iter().find(|mark| whose(mark) != whose(first)) {
            return Err(format!("it holds frames of {first:?} and of {other:?}"));
        }
        if words(row, "stream") != format!("cam{:04}", first.stream) {
            return Err(format!("frames of {first:?} are in a recording of {}", row["stream"]));
        }
        let begin =
            marks.iter().zip(samples).find(|(mark, _)| mark.kind == Kind::Video).unwrap_or((first, &samples[0]));
        let offset = begin.1.dts - time_us(film, *begin.0);
        if begin.0.kind == Kind::Video && !film.is_key(begin.0.number) {
            return Err(format!("it begins with {:?}, where no decoder may start", begin.0));
        }
        for (mark, sample) in marks.iter().zip(samples) {
            if film.payload(*mark) != sample.data {
                return Err(format!("{mark:?} is not what was pushed"));
            }
            let off = sample.dts - time_us(film, *mark) - offset;
            if off.abs() > TOLERANCE_US {
                return Err(format!("{mark:?} is {off} us off"));
            }
        }
        let key = (first.stream, first.session, words(row, "format").to_owned());
        let track = tracks.entry(key).or_default();
        track.seams[0].push(track.video.len());
        track.seams[1].push(track.audio.len());
        for mark in &marks {
            if mark.kind == Kind::Video { &mut track.video } else { &mut track.audio }.push(mark.number);
        }
        track.said_ms = row["lost_ms"].as_u64().map(|ms| ms as u32);
        for (kind, column) in [(Kind::Video, "video_frames"), (Kind::Audio, "audio_frames")] {
            let found = marks.iter().filter(|mark| mark.kind == kind).count() as u64;
            if row[column].as_u64().unwrap_or(0) != found {
                return Err(format!("{column} is {}, it holds {found}", row[column]));
            }
        }
        Ok(())
    }

    /// Each frame once and in order, across all recordings of the session, from its first on.
    fn check_order(&mut self, film: &Film, what: &str, track: &Track) {
        for (kind, numbers, seams) in
            [(Kind::Video, &track.video, &track.seams[0]), (Kind::Audio, &track.audio, &track.seams[1])]
        {
            for (place, pair) in numbers.windows(2).enumerate().filter(|(_, pair)| pair[1] != pair[0] + 1) {
                if self.allowed == Gaps::BetweenRecordings && seams.contains(&(place + 1)) && pair[1] > pair[0] {
                    self.gaps.push(film.time(kind, pair[1]) - film.time(kind, pair[0]));
                } else {
                    self.problems.push(format!("{what}: of {kind:?}, {} follows {}", pair[1], pair[0]));
                }
            }
        }
        if self.allowed == Gaps::BetweenRecordings {
            return;
        }
        // A session that died in its first moments may have left nothing but its first sounds.
        if track.video.first().is_some_and(|first| *first != 0) {
            self.problems.push(format!("{what}: the first picture is {:?}", track.video.first()));
        }
        // Sound before the first picture may be left out.
        let early = track.audio.first().is_none_or(|first| {
            (0..*first).any(|left_out| film.time(Kind::Audio, left_out) >= film.time(Kind::Video, 0))
        });
        if early && track.video.len() > 2 {
            self.problems.push(format!("{what}: the first sound is {:?}", track.audio.first()));
        }
    }

    /// What of the session's media is in no recording of a format.
    fn weigh(&mut self, film: &Film, log: &SessionLog, format: &str, track: Option<&Track>) {
        let Some(reached) = log.reached else { return };
        let [ms, of_sent_ms] = [reached, log.sent].map(|bytes| {
            let lost = [Kind::Video, Kind::Audio].map(|kind| {
                let Some(came) = log.last_within(bytes, kind) else { return 0 };
                let numbers = track.map(|track| if kind == Kind::Video { &track.video } else { &track.audio });
                match numbers.and_then(|numbers| numbers.last()) {
                    // All there is, and the last one's own length.
                    None => i64::from(film.time(kind, came)) + 40,
                    Some(last) => i64::from(film.time(kind, came)) - i64::from(film.time(kind, *last)),
                }
            });
            lost[0].max(lost[1])
        });
        let what = format!("cam{:04}, session {}, {format}", log.stream, log.session);
        if ms < 0 {
            self.problems.push(format!("{what}: {} ms more are recorded than had reached the process", -ms));
        }
        if log.kill.is_none() && ms > 0 {
            self.problems.push(format!("{what}: it ended well and {ms} ms are missing"));
        }
        self.losses.push(Loss {
            stream: log.stream,
            session: log.session,
            kill: log.kill,
            format: format.to_owned(),
            ms: ms.max(0) as u32,
            of_sent_ms: of_sent_ms.max(0) as u32,
            said_ms: track.and_then(|track| track.said_ms),
        });
    }
}

fn time_us(film: &Film, mark: Mark) -> i64 {
    i64::from(film.time(mark.kind, mark.number)) * 1000
}
