//! Figures beside each other.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::place;
use crate::trial::{Figures, Trial};

/// A column: its title, and how its figure is made.
type Column = (&'static str, fn(&Figures, u32) -> f64, usize);

/// Columns, and digits behind the point.
const COLUMNS: &[Column] = &[
    ("CPU s/GB", |figures, _| figures.used.cpu().as_secs_f64() / figures.gigabytes, 2),
    ("steady", |figures, _| figures.steady.map_or(f64::NAN, |(used, sent)| used.cpu().as_secs_f64() / sent), 2),
    ("user", |figures, _| figures.used.user.as_secs_f64() / figures.gigabytes, 2),
    ("system", |figures, _| figures.used.system.as_secs_f64() / figures.gigabytes, 2),
    // Pages that processes share count once.
    ("MB/stream", |figures, streams| figures.held.proportional_bytes as f64 / 1e6 / f64::from(streams), 3),
    ("RSS MB", |figures, _| figures.held.resident_bytes as f64 / 1e6, 0),
    ("threads", |figures, _| figures.held.threads as f64, 0),
    ("waits/s", |figures, _| figures.used.waits as f64 / figures.took.as_secs_f64(), 0),
    ("writes/s", |figures, _| figures.used.writes as f64 / figures.took.as_secs_f64(), 0),
    ("written/sent", |figures, _| figures.used.written_bytes as f64 / 1e9 / figures.gigabytes, 2),
    ("MB/s", |figures, _| figures.gigabytes * 1e3 / figures.took.as_secs_f64(), 0),
    ("stuck ms", |figures, _| figures.stuck_max.as_secs_f64() * 1e3, 0),
    ("unread kB", |figures, _| figures.unread_max as f64 / 1e3, 0),
    ("end p50 ms", |figures, _| quantile(&figures.finish_ms, 50), 0),
    ("max", |figures, _| quantile(&figures.finish_ms, 100), 0),
    ("hook p50 ms", |figures, _| quantile(&figures.webhook_ms, 50), 0),
    ("max", |figures, _| quantile(&figures.webhook_ms, 100), 0),
    ("crowd CPU s/GB", |figures, _| figures.crowd.as_secs_f64() / figures.gigabytes, 2),
    ("lost", |figures, _| figures.lost.map_or(f64::NAN, |lost| lost as f64), 0),
    ("problems", |figures, _| figures.problems.len() as f64, 0),
];

/// The table of all trials, each figure the median of its runs, in Markdown.
pub(crate) fn medians(trials: &[Trial]) -> String {
    let mut text = String::from("| recorder | formats | streams |");
    COLUMNS.iter().for_each(|(title, ..)| text += &format!(" {title} |"));
    text += "\n| --- | --- | --- |";
    COLUMNS.iter().for_each(|_| text += " ---: |");
    for trial in trials {
        let _ = write!(text, "\n| {} | {} | {} |", trial.name(), trial.formats.join("+"), trial.streams);
        for (_, figure, digits) in COLUMNS {
            let of_runs = trial.figures.iter().map(|figures| figure(figures, trial.streams)).collect();
            let _ = write!(text, " {} |", shown(median(of_runs), *digits));
        }
    }
    text
}

/// Those that recorders are compared by.
const COMPARED: &[&str] =
    &["CPU s/GB", "steady", "MB/stream", "waits/s", "writes/s", "written/sent", "stuck ms", "lost"];

/// The same with few columns, under what machine it was, above what each recorder is, and which are left out and why.
pub(crate) fn comparison(trials: &[Trial], left_out: &[&str]) -> String {
    let columns: Vec<&Column> = COLUMNS.iter().filter(|(title, ..)| COMPARED.contains(title)).collect();
    let mut text = format!("{}\n\n| recorder | formats | streams | spread |", place::sentence());
    columns.iter().for_each(|(title, ..)| text += &format!(" {title} |"));
    text += "\n| --- | --- | ---: | ---: |";
    columns.iter().for_each(|_| text += " ---: |");
    for trial in trials {
        let of_runs = |figure: fn(&Figures, u32) -> f64| -> Vec<f64> {
            trial.figures.iter().map(|figures| figure(figures, trial.streams)).collect()
        };
        let spread = shown(spread(&of_runs(COLUMNS[0].1)) * 100.0, 0);
        let _ = write!(text, "\n| {} | {} | {} |", trial.name(), trial.formats.join("+"), trial.streams);
        let _ = write!(text, " {spread} % |");
        for (_, figure, digits) in &columns {
            let _ = write!(text, " {} |", shown(median(of_runs(*figure)), *digits));
        }
    }
    text += "\n";
    let mut told = BTreeSet::new();
    for trial in trials.iter().filter(|trial| told.insert(trial.name())) {
        let _ = write!(text, "\n- **{}**: {}.", trial.name(), trial.about());
    }
    for line in left_out {
        let _ = write!(text, "\n- {line}.");
    }
    text
}

/// One run.
pub(crate) fn line(trial: &Trial, run: usize) -> String {
    let figures = &trial.figures[run];
    let mut text = format!("{:<15} {:<12} {:>5}", trial.name(), trial.formats.join("+"), trial.streams);
    for (title, figure, digits) in COLUMNS {
        let _ = write!(text, "  {title} {}", shown(figure(figures, trial.streams), *digits));
    }
    text + &format!("  frames {}", figures.frames)
}

fn shown(figure: f64, digits: usize) -> String {
    if figure.is_nan() { "-".to_owned() } else { format!("{figure:.digits$}") }
}

/// How far the largest is from the smallest, as a part of the median.
fn spread(figures: &[f64]) -> f64 {
    let most = figures.iter().copied().fold(f64::NAN, f64::max);
    let least = figures.iter().copied().fold(f64::NAN, f64::min);
    (most - least) / median(figures.to_vec())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Of figures in ascending order; not a number when there is none.
fn quantile(figures: &[i64], percent: usize) -> f64 {
    let place = (figures.len() * percent).div_ceil(100).saturating_sub(1);
    figures.get(place).map_or(f64::NAN, |figure| *figure as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_figures_that_occurred() {
        let figures = [1, 2, 3, 4, 100];
        assert_eq!([0, 50, 80, 100].map(|percent| quantile(&figures, percent)), [1.0, 3.0, 4.0, 100.0]);
        assert!(quantile(&[], 50).is_nan());
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert_eq!(spread(&[9.0, 4.0, 5.0]), 1.0);
    }
}
