//! Faults for minutes, real and simulated: each is a test that the ordinary tests leave out, of
//! `crates/e2e/tests/soak` or of `crates/simulation`.

use crate::ceph::Ceph;
use crate::run::{Outcome, cargo, run, step};
use crate::setup;

/// What there is: its name, what it does, and the settings it takes with their defaults.
const SOAKS: &[(&str, &str, &str)] = &[
    ("kill", "kill -9 at moments of chance, under streams cut every few seconds", "kills=200 streams=20"),
    ("crash", "death and failure at every call that changes the disk", "step=1 most=1000"),
    ("disk", "a disk that stands still, and one that is full, for so many seconds", "stall=30 full=60"),
    ("net", "connections that break, freeze and crawl, for so many seconds", "seconds=120 streams=20"),
    (
        "bucket",
        "on a Ceph: how soon recordings are whole, what so many megabytes cost; and an outage of so many seconds",
        "rounds=5 megabytes=1000 outage=600 streams=20",
    ),
    ("world", "the simulated world crashed at every step-th effect, and again while it recovers", "step=1"),
    ("flood", "noise, half handshakes, lies, crowds and haste, for so many seconds", "seconds=600"),
];

/// Runs one of them with these settings (`NAME=NUMBER`), in the environment `LIVETAPE_SOAK_NAME`.
pub(crate) fn soak(arguments: &[&str]) -> Outcome {
    let Some((name, settings)) = arguments.split_first() else {
        SOAKS.iter().for_each(|(name, what, settings)| println!("{name:<8} {what} ({settings})"));
        return Ok(());
    };
    let Some((_, _, known)) = SOAKS.iter().find(|(known, ..)| known == name) else {
        return Err(format!("there is no soak '{name}'; `cargo xtask soak` lists them"));
    };
    let simulated = *name == "world";
    let mut nextest = cargo("nextest run --no-capture --run-ignored only --package");
    if simulated {
        nextest.args(["livetape-simulation", "--filterset", "test(/^exhaustive_/)"]);
    } else {
        nextest.args(["livetape-e2e", "--filterset", &format!("test(/^soak::{name}::/)")]);
    }
    for setting in settings {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        if !known.split([' ', '=']).step_by(2).any(|known| known == key) || value.parse::<u64>().is_err() {
            return Err(format!("'{setting}' is no setting of the soak '{name}', which has: {known}"));
        }
        nextest.env(format!("LIVETAPE_SOAK_{}", key.to_uppercase()), value);
    }
    if !simulated {
        step("tools", setup::for_tests)?;
        step("build", || run(&mut cargo("build --package livetape-server")))?;
    }
    let wanted = *name == "bucket" && std::env::var_os("LIVETAPE_TEST_S3").is_none();
    let ceph = if wanted { Some(step("start a Ceph", Ceph::of_this_run)?) } else { None };
    run(nextest.envs(ceph.iter().flat_map(Ceph::variables)))
}
