//! The targets, by name.

pub mod amf;
pub mod codecs;
pub mod config;
pub mod http;
pub mod playlist;
pub mod recorder;
pub mod salvage;
pub mod scan;
pub mod secrets;
pub mod session;
pub mod tags;

/// Something that takes any input, and panics at a finding.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Takes one input.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "amf", run: amf::run },
    Target { name: "codecs", run: codecs::run },
    Target { name: "config", run: config::run },
    Target { name: "http", run: http::run },
    Target { name: "playlist", run: playlist::run },
    Target { name: "recorder", run: recorder::run },
    Target { name: "salvage", run: salvage::run },
    Target { name: "scan", run: scan::run },
    Target { name: "secrets", run: secrets::run },
    Target { name: "session", run: session::run },
    Target { name: "tags", run: tags::run },
];

/// The target called `name`.
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
