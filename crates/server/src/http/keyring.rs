//! The tokens that open the API: those of the configuration, and those that `livetape token` made.
//!
//! Contract: of each there is only a hash here; a token is compared with all of them in constant time. One that is made
//! or revoked beside a recorder at work counts within seconds.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use livetape_catalog::{Catalog, TokenRow, TokenScope};
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;

use crate::config::Secret;

/// How often it is looked which tokens there are.
const LOOK: Duration = Duration::from_secs(2);
/// What the tokens of the configuration are called.
pub const CONFIGURED: &str = "configuration";

/// The tokens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Keyring(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    configured: RwLock<Arc<[Key]>>,
    made: RwLock<Arc<[Key]>>,
    /// Without any token, everybody may do everything.
    open_without: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    hash: [u8; 32],
    holder: Holder,
}

/// Whose token it is, and what it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What the token is called.
    pub name: Arc<str>,
    /// What it opens.
    pub scope: TokenScope,
}

/// The hash by which a token is known.
pub fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

/// Tokens of the configuration, as they are known.
fn keys(tokens: &[Secret]) -> Arc<[Key]> {
    let key = |token: &Secret| Key {
        hash: hash(token.reveal()),
        holder: Holder { name: CONFIGURED.into(), scope: TokenScope::Write },
    };
    tokens.iter().map(key).collect()
}

impl Keyring {
    /// `configured` tokens open everything. `open_without`: when there is no token at all, everybody may do everything;
    /// else nobody may do anything then.
    pub fn new(configured: &[Secret], open_without: bool) -> Self {
        let configured = RwLock::new(keys(configured));
        Self(Arc::new(Inner { configured, made: RwLock::new(Arc::default()), open_without }))
    }

    /// From now on these are the tokens of the configuration; whether they are others than before.
    pub fn configure(&self, tokens: &[Secret]) -> bool {
        let keys = keys(tokens);
        let mut configured = self.0.configured.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *configured != keys;
        *configured = keys;
        changed
    }

    /// Whether somebody could still do something if these were the tokens of the configuration.
    pub fn would_open(&self, tokens: &[Secret]) -> bool {
        self.0.open_without || !tokens.is_empty() || !self.made().is_empty()
    }

    /// From now on these are the tokens that were made; which of them were not before, and which are no more.
    pub fn replace(&self, tokens: Vec<TokenRow>) -> (Vec<Holder>, Vec<Holder>) {
        let key =
            |token: TokenRow| Key { hash: token.hash, holder: Holder { name: token.name.into(), scope: token.scope } };
        let made: Arc<[Key]> = tokens.into_iter().map(key).collect();
        let before = std::mem::replace(&mut *self.0.made.write().unwrap_or_else(PoisonError::into_inner), made.clone());
        let only = |some: &[Key], others: &[Key]| {
            some.iter().filter(|key| !others.contains(key)).map(|key| key.holder.clone()).collect()
        };
        (only(&made, &before), only(&before, &made))
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.configured().is_empty() && self.made().is_empty()
    }

    /// Whether everybody may do everything.
    pub(super) fn is_open(&self) -> bool {
        self.0.open_without && self.is_empty()
    }

    /// Whose token this is. Takes the same time for every one that is wrong.
    pub(super) fn find(&self, token: &str) -> Option<Holder> {
        let (given, configured, made) = (hash(token), self.configured(), self.made());
        let mut found = None;
        for key in configured.iter().chain(made.iter()) {
            if bool::from(key.hash.ct_eq(&given)) {
                found = Some(key.holder.clone());
            }
        }
        found
    }

    /// Keeps to what the catalog has, until dropped.
    pub async fn follow(self, catalog: Catalog) {
        let mut failing = false;
        loop {
            tokio::time::sleep(LOOK).await;
            let catalog = catalog.clone();
            let tokens = tokio::task::spawn_blocking(move || catalog.tokens()).await;
            match tokens.map_err(anyhow::Error::from).and_then(|tokens| Ok(tokens?)) {
                Ok(tokens) => {
                    failing = false;
                    let (new, gone) = self.replace(tokens);
                    for Holder { name, scope } in new {
                        tracing::info!(target: "audit", token = %name, %scope, "the API can be opened by a further token");
                    }
                    for Holder { name, scope } in gone {
                        tracing::info!(target: "audit", token = %name, %scope, "a token of the API is revoked");
                    }
                }
                // Those that were good stay so: a disk in trouble is when the API is needed.
                Err(error) if !std::mem::replace(&mut failing, true) => {
                    tracing::warn!(
                        "it cannot be looked which tokens there are; those that were good stay good: {error:#}"
                    );
                }
                Err(_) => {}
            }
        }
    }

    fn configured(&self) -> Arc<[Key]> {
        self.0.configured.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn made(&self) -> Arc<[Key]> {
        self.0.made.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use livetape_media::WallTime;

    use super::*;

    fn row(name: &str, scope: TokenScope, token: &str) -> TokenRow {
        TokenRow { name: name.to_owned(), scope, hash: hash(token), created_at: WallTime::from_unix_millis(0) }
    }

    fn names(holders: &[Holder]) -> Vec<&str> {
        holders.iter().map(|holder| &*holder.name).collect()
    }

    #[test]
    fn tokens_of_both_kinds_open_and_nothing_else_does() {
        let keyring = Keyring::new(&[Secret::new("one"), Secret::new("two")], true);
        let (new, gone) = keyring.replace(vec![row("ci", TokenScope::Read, "three")]);
        assert_eq!((names(&new), names(&gone)), (vec!["ci"], vec![]));
        for (token, expected) in [
            ("one", Some((CONFIGURED, TokenScope::Write))),
            ("two", Some((CONFIGURED, TokenScope::Write))),
            ("three", Some(("ci", TokenScope::Read))),
            ("", None),
            ("on", None),
            ("onetwo", None),
            ("ci", None),
        ] {
            let found = keyring.find(token);
            assert_eq!(found.as_ref().map(|holder| (&*holder.name, holder.scope)), expected, "{token}");
        }
        let (new, gone) = keyring.replace(vec![row("ci", TokenScope::Write, "three")]);
        assert_eq!((names(&new), names(&gone)), (vec!["ci"], vec!["ci"]), "another scope is another token");
        assert_eq!(keyring.find("three").unwrap().scope, TokenScope::Write);
        keyring.replace(Vec::new());
        assert_eq!(keyring.find("three"), None);
    }

    #[test]
    fn without_any_token_it_is_open_only_where_it_may_be() {
        let (loopback, beyond) = (Keyring::new(&[], true), Keyring::new(&[], false));
        assert!(loopback.is_open() && !beyond.is_open() && beyond.is_empty());
        loopback.replace(vec![row("ci", TokenScope::Read, "three")]);
        assert!(!loopback.is_open());
        loopback.replace(Vec::new());
        assert!(loopback.is_open());
    }
}
