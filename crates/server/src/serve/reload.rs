//! SIGHUP: the configuration is read anew, and what of it can change at run time does.
//!
//! Contract: a configuration that is wrong changes nothing, and is told. Who may push (`[push]`), the tokens of the API
//! (`http.token`, `http.token_file`) and what is deleted by itself (`store.retention`, `store.max_size`,
//! `store.min_free`, `events.retention`) are in force from then on; streams that run go on. Of other settings that have
//! changed it is said that they need a restart.

use std::sync::Arc;

use livetape_finalize::Retention;
use tokio::signal::unix::Signal;
use tracing::{info, warn};

use super::policy::policy;
use crate::config::{Config, Loaded};
use crate::http::keyring::Keyring;
use crate::ingest::Authorization;

/// Reads the configuration from where it was read at the start. Blocks.
pub type Reader = Arc<dyn Fn() -> Result<Loaded, anyhow::Error> + Send + Sync>;

/// What can change while the service runs.
pub(super) struct Changing {
    /// The configuration in force.
    pub(super) config: Config,
    pub(super) authorization: Arc<Authorization>,
    pub(super) keyring: Keyring,
    pub(super) retention: Retention,
}

/// Reads the configuration anew at every hangup, until dropped.
pub(super) async fn follow(mut changing: Changing, read: Reader, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        let read = read.clone();
        let loaded = tokio::task::spawn_blocking(move || read()).await;
        let changed = loaded.map_err(anyhow::Error::from).and_then(|loaded| changing.take(loaded?.config));
        match changed {
            Ok(()) => info!("the configuration is read anew"),
            Err(problem) => {
                let problem = format!("{problem:#}");
                // Not the lines of the file themselves: a secret may be in them.
                let told = |line: &&str| !line.is_empty() && !line.contains(" |") && !line.starts_with('|');
                let problem: Vec<&str> = problem.lines().map(str::trim).filter(told).collect();
                warn!("the configuration before stays in force: {}", problem.join(" "));
            }
        }
    }
}

impl Changing {
    /// Puts in force what can be of `new`.
    fn take(&mut self, new: Config) -> Result<(), anyhow::Error> {
        if !self.keyring.would_open(&new.http.tokens) {
            anyhow::bail!("http.token: without a token nobody could use the API at an address that others can reach");
        }
        // The only step that can fail comes first.
        let pushes = self.authorization.replace(&new.push).map_err(|error| anyhow::anyhow!("push.url: {error}"))?;
        let tokens = self.keyring.configure(&new.http.tokens);
        let (before, after) = (deletion_settings(&self.config), deletion_settings(&new));
        if before != after {
            self.retention.set_policy(policy(&new));
        }
        for (changed, what) in [
            (pushes, "who may push has changed"),
            (tokens, "the tokens of the configuration have changed"),
            (before != after, "what is deleted by itself has changed"),
        ] {
            if changed {
                info!(target: "audit", "{what}, by the configuration");
            }
        }
        let waiting = waiting(&self.config, &new);
        if !waiting.is_empty() {
            warn!(sections = waiting.join(", "), "settings have changed that need a restart");
        }
        // What needs a restart stays what it was.
        self.config.push = new.push;
        self.config.http.token = new.http.token;
        self.config.http.token_file = new.http.token_file;
        self.config.http.tokens = new.http.tokens;
        self.config.events = new.events;
        self.config.store.retention = new.store.retention;
        self.config.store.max_size = new.store.max_size;
        self.config.store.min_free = new.store.min_free;
        Ok(())
    }
}

fn deletion_settings(config: &Config) -> impl PartialEq + use<> {
    let store = &config.store;
    (store.retention, store.max_size, store.min_free, config.events.retention)
}

/// The sections in which something has changed that needs a restart.
fn waiting(before: &Config, after: &Config) -> Vec<&'static str> {
    let mut rest = after.clone();
    rest.http.token = before.http.token.clone();
    rest.http.token_file = before.http.token_file.clone();
    rest.http.tokens = before.http.tokens.clone();
    rest.store.retention = before.store.retention;
    rest.store.max_size = before.store.max_size;
    rest.store.min_free = before.store.min_free;
    let sections = [
        ("node", before.node != rest.node),
        ("rtmp", before.rtmp != rest.rtmp),
        ("rtmps", before.rtmps != rest.rtmps),
        ("http", before.http != rest.http),
        ("record", before.record != rest.record),
        ("store", before.store != rest.store),
        ("s3", before.s3 != rest.s3),
        ("fallback", before.fallback != rest.fallback),
        ("fallback_s3", before.fallback_s3 != rest.fallback_s3),
        ("webhooks", before.webhooks != rest.webhooks),
        ("log", before.log != rest.log),
        ("shutdown", before.shutdown != rest.shutdown),
    ];
    sections.into_iter().filter(|(_, changed)| *changed).map(|(section, _)| section).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ByteSize, Period};

    #[test]
    fn only_what_needs_a_restart_is_named() {
        let before = Config::default();
        assert_eq!(waiting(&before, &before), [""; 0]);
        let mut after = before.clone();
        after.push.deny = vec!["192.0.2.0/24".parse().unwrap()];
        after.http.tokens = vec![crate::config::Secret::new("first-token-first-token")];
        after.store.retention = Period::from_secs(86_400);
        after.store.max_size = ByteSize::from_bytes(1 << 30);
        after.events.retention = Period::from_secs(86_400 * 3);
        assert_eq!(waiting(&before, &after), [""; 0]);
        after.store.max_uploads = 5;
        after.log.level = "debug".to_owned();
        assert_eq!(waiting(&before, &after), ["store", "log"]);
    }
}
