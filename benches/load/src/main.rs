//! Puts recorders under the load of many streams, and says what they used: processor time for each gigabyte of media,
//! memory for each stream, how soon recordings were finished, and whether every frame is in them.
//!
//! ```text
//! wire       a film as it goes over the wire, cut into chunks once
//! publisher  one connection        crowd      many, from one thread
//! recorder/  what is measured      usage      what the kernel counts of it
//! trial      one measurement       table      medians beside each other
//! place      the machine, and its room
//! ```
//!
//! All runs of one call are interleaved, so that its figures can be compared; those of two calls cannot.

#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, reason = "a tool, not a library")]

mod crowd;
mod place;
mod publisher;
mod recorder;
mod table;
mod trial;
mod usage;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use livetape_testkit::{Film, clip};

use crowd::{Pace, Script};
use trial::Trial;
use wire::Wire;

/// Measures recorders under load.
#[derive(Parser)]
#[command(name = "livetape-load")]
struct Arguments {
    /// What is measured: livetape, nginx-rtmp, xiu, node-media-server, ffmpeg, sink, gathering-sink
    #[arg(long, value_delimiter = ',', default_value = "livetape")]
    recorders: Vec<String>,
    /// The formats recorded at once, as in flv or mp4+hls+flv; several, separated by commas, are measured each
    #[arg(long, value_delimiter = ',', default_value = "flv,mp4,hls,mp4+hls+flv")]
    formats: Vec<String>,
    /// Publishers; several numbers are measured each
    #[arg(long, value_delimiter = ',', default_value = "200")]
    streams: Vec<u32>,
    /// Livetape tells a receiver of webhooks of every event
    #[arg(long)]
    webhooks: bool,
    /// How long they publish
    #[arg(long, default_value = "20")]
    seconds: u64,
    /// Whether frames are sent when they are due, or as fast as they are taken
    #[arg(long, value_enum, default_value = "live")]
    pace: Pace,
    /// What each of them pushes
    #[arg(long, value_enum, default_value = "usual")]
    clip: Clip,
    /// Bytes of a chunk, at least 128
    #[arg(long, default_value = "4096")]
    chunk_size: u32,
    /// How often everything is measured
    #[arg(long, default_value = "3")]
    rounds: u32,
    /// Seconds from the first to the last beginning
    #[arg(long, default_value = "2")]
    ramp: u64,
    /// Seconds after which a connection breaks and comes back, on average
    #[arg(long)]
    break_after: Option<u64>,
    /// Of the breaks
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Prints the columns that recorders are compared by, and what each recorder is
    #[arg(long)]
    compare: bool,
    /// Where recorders write; a RAM disk unless the disk is what is measured
    #[arg(long, default_value = "/dev/shm")]
    directory: PathBuf,
}

/// A clip that is pushed over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Clip {
    /// 2.66 Mbit/s, as streams usually have
    Usual,
    /// As many frames at a twelfth of it, so that many streams fit onto a disk for long
    Light,
}

impl Clip {
    fn film(self) -> Film {
        Film::new(&match self {
            Self::Usual => clip::usual(),
            Self::Light => clip::long(),
        })
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.chunk_size >= 128, "--chunk-size is {}, and cannot be below 128", arguments.chunk_size);
    let longest = Duration::from_millis(wire::MAX_MILLIS.into());
    ensure!(arguments.seconds < longest.as_secs(), "--seconds cannot be beyond {}", longest.as_secs());
    let wire = Wire::new(&arguments.clip.film(), arguments.chunk_size);
    let (mut trials, missing) = trials(&arguments)?;
    let what = if arguments.pace == Pace::Live { "as they play" } else { "as fast as they are taken" };
    println!(
        "{} s of streams of {:.2} Mbit/s, {what}, chunks of {}, below {}; medians of {}",
        arguments.seconds,
        wire.film().bits_per_second() as f64 / 1e6,
        arguments.chunk_size,
        arguments.directory.display(),
        arguments.rounds
    );
    for round in 0..arguments.rounds {
        for trial in trials.iter_mut().filter(|trial| trial.failed.is_none()) {
            let script = Script {
                streams: trial.streams,
                length: Duration::from_secs(arguments.seconds),
                pace: arguments.pace,
                ramp: Duration::from_secs(arguments.ramp),
                break_after: arguments.break_after.map(Duration::from_secs),
                seed: arguments.seed + u64::from(round),
            };
            let playing = arguments.seconds + arguments.ramp + 1;
            let stream_bytes = wire.film().bits_per_second() / 8 * playing * trial.formats.len() as u64;
            place::ensure_room(&arguments.directory, stream_bytes * u64::from(trial.streams) * 21 / 20)?;
            let place = tempfile::Builder::new().prefix("livetape-load-").tempdir_in(&arguments.directory);
            let place = place.with_context(|| format!("making a directory in {}", arguments.directory.display()))?;
            match trial.run(&wire, &script, place.path()) {
                Ok(()) => eprintln!("{}", table::line(trial, trial.figures.len() - 1)),
                // The others are measured all the same.
                Err(problem) => {
                    let (name, formats) = (trial.name(), trial.formats.join("+"));
                    let told = format!("**{name}** failed with {formats} of {} streams: {problem:#}", trial.streams);
                    eprintln!("{told}");
                    trial.failed = Some(told);
                }
            }
        }
    }
    let left_out: Vec<&str> =
        missing.iter().chain(trials.iter().filter_map(|trial| trial.failed.as_ref())).map(String::as_str).collect();
    if arguments.compare {
        println!("{}", table::comparison(&trials, &left_out));
    } else {
        println!("{}", table::medians(&trials));
        left_out.iter().for_each(|line| println!("{line}"));
    }
    let is_to_work = |trial: &&Trial| !arguments.compare || trial.is_ours();
    let failed: Vec<&str> = trials.iter().filter(is_to_work).filter_map(|trial| trial.failed.as_deref()).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    let problems: usize = trials.iter().flat_map(|trial| &trial.figures).map(|figures| figures.problems.len()).sum();
    ensure!(problems == 0, "{problems} things are not as they must be");
    Ok(())
}

/// Everything that is measured, and a sentence for each recorder that cannot be.
fn trials(arguments: &Arguments) -> anyhow::Result<(Vec<Trial>, Vec<String>)> {
    let (mut trials, mut missing) = (Vec::new(), Vec::new());
    for name in &arguments.recorders {
        if let Some(problem) = recorder::named(name, arguments.webhooks)?.missing() {
            missing.push(format!("**{name}** is left out: {problem}"));
            eprintln!("{name} is left out: {problem}");
        }
    }
    for &streams in &arguments.streams {
        for formats in &arguments.formats {
            for name in &arguments.recorders {
                let recorder = recorder::named(name, arguments.webhooks)?;
                let formats: Vec<String> = formats.split('+').map(str::to_owned).collect();
                let records = recorder.records(&formats.iter().map(String::as_str).collect::<Vec<_>>());
                if records && recorder.missing().is_none() {
                    trials.push(Trial::new(recorder, formats, streams));
                }
            }
        }
    }
    ensure!(!trials.is_empty(), "none of these recorders is here and records one of these formats");
    Ok((trials, missing))
}
