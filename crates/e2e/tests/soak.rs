//! Faults for minutes, with figures. Run by `cargo xtask soak`, never by the ordinary tests.

mod bucket;
mod crash;
mod disk;
mod flood;
mod kill;
mod net;

/// A number of the environment, or what it is without one.
fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// The middle one.
fn median(mut values: Vec<u32>) -> u32 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
