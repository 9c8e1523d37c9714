//! `livetape token`: making, listing and revoking tokens of the API, also beside a recorder at work.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use livetape_catalog::{TokenBook, TokenRow, TokenScope};
use livetape_disk::{DiskError, LockGuard, RealDisk, Spool};
use livetape_media::WallTime;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::http::keyring;
use crate::serve;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// What tokens begin with, so that one that leaked is found.
const PREFIX: &str = "lt_";
/// The longest name.
const NAME_MAX_BYTES: usize = 64;

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Make one.
    Create {
        /// What it is called.
        name: String,
        /// What it opens.
        scope: TokenScope,
    },
    /// Show them, without what opens.
    List,
    /// Take one away.
    Revoke {
        /// What it is called.
        name: String,
    },
}

/// Does it in the data directory `data`. A token that is made is written to `out`, alone on its line, and nowhere else;
/// what else there is to say goes to `notes`.
///
/// # Errors
/// When it cannot be done; nothing is changed then.
pub fn run(data: &Path, wish: &Wish, out: &mut dyn Write, notes: &mut dyn Write) -> Result<(), anyhow::Error> {
    match wish {
        Wish::Create { name, scope } => {
            if let Some(problem) = problem_of(name) {
                anyhow::bail!("{problem}");
            }
            let (book, _lock) = open(data, true)?;
            let token = random()?;
            let hash = keyring::hash(&token);
            let row = TokenRow { name: name.clone(), scope: *scope, hash, created_at: now() };
            if !book.add(&row)? {
                anyhow::bail!("there is a token called '{name}' already; revoke it first, or choose another name");
            }
            writeln!(out, "{token}")?;
            writeln!(
                notes,
                "The token '{name}' may {scope}. It is shown this once. A recorder at work takes it within seconds."
            )?;
        }
        Wish::List => {
            for token in open(data, false)?.0.list()? {
                writeln!(out, "{}\t{}\t{}", token.name, token.scope, token.created_at)?;
            }
        }
        Wish::Revoke { name } => {
            if !open(data, false)?.0.remove(name)? {
                anyhow::bail!("there is no token called '{name}'; `livetape token list` shows those there are");
            }
            writeln!(notes, "The token '{name}' is revoked. A recorder at work refuses it within seconds.")?;
        }
    }
    Ok(())
}

/// The tokens of a data directory, and the directory itself unless a recorder has it.
fn open(data: &Path, make: bool) -> Result<(TokenBook, Option<LockGuard>), anyhow::Error> {
    let index = data.join("livetape.db");
    if make {
        std::fs::create_dir_all(data).with_context(|| format!("making the data directory {}", data.display()))?;
    } else if !index.try_exists()? {
        anyhow::bail!(
            "{} is not there: no token has been made, or the data directory is another (--data)",
            index.display()
        );
    }
    let disk = Arc::new(RealDisk);
    match livetape_disk::lock(&*disk, data) {
        Ok(lock) => {
            serve::refuse_lost_index(&index, &Spool::open(disk, data)?)?;
            Ok((TokenBook::open(&index)?, Some(lock)))
        }
        Err(DiskError::Locked { .. }) => Ok((TokenBook::open_beside(&index)?, None)),
        Err(error) => Err(error.into()),
    }
}

fn problem_of(name: &str) -> Option<String> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if name.is_empty() || name.len() > NAME_MAX_BYTES || !plain {
        return Some(format!("a token's name must be 1 to {NAME_MAX_BYTES} letters, digits, '-', '_' and '.'"));
    }
    let taken = [keyring::CONFIGURED, "none", "unknown"].contains(&name);
    taken.then(|| format!("'{name}' means something else in the log; choose another name"))
}

fn random() -> Result<String, anyhow::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system has no random numbers"))?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn did(data: &Path, wish: &Wish) -> Result<String, String> {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        run(data, wish, &mut out, &mut notes).map_err(|error| format!("{error:#}"))?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn create(data: &Path, name: &str, scope: TokenScope) -> Result<String, String> {
        did(data, &Wish::Create { name: name.to_owned(), scope })
    }

    #[test]
    fn tokens_are_made_listed_and_revoked_and_are_nowhere_but_on_the_screen() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let missing = did(&data, &Wish::List).unwrap_err();
        assert!(missing.contains("no token has been made"), "{missing}");
        let reader = create(&data, "reader", TokenScope::Read).unwrap();
        let writer = create(&data, "writer", TokenScope::Write).unwrap();
        assert_ne!(reader, writer);
        assert!(reader.starts_with("lt_") && reader.trim_end().len() == 46, "{reader}");
        let list = did(&data, &Wish::List).unwrap();
        let shown: Vec<&str> = list.lines().filter_map(|line| line.rsplit_once('\t')).map(|(shown, _)| shown).collect();
        assert_eq!(shown, ["reader\tread", "writer\twrite"]);
        for entry in std::fs::read_dir(&data).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
            let token = reader.trim_end().as_bytes();
            assert!(!bytes.windows(token.len()).any(|window| window == token));
        }
        let twice = create(&data, "reader", TokenScope::Write).unwrap_err();
        assert!(twice.contains("there is a token called 'reader' already"), "{twice}");
        assert_eq!(did(&data, &Wish::Revoke { name: "reader".to_owned() }), Ok(String::new()));
        let again = did(&data, &Wish::Revoke { name: "reader".to_owned() }).unwrap_err();
        assert!(again.contains("there is no token called 'reader'"), "{again}");
        assert_eq!(did(&data, &Wish::List).unwrap().lines().count(), 1);
    }

    #[test]
    fn names_that_say_nothing_or_something_else_are_refused() {
        let home = tempfile::tempdir().unwrap();
        for name in ["", "a b", "ä", "a\nb", "configuration", "none", "unknown", &"x".repeat(65)] {
            assert!(create(home.path(), name, TokenScope::Read).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_lost_index_is_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        create(home.path(), "one", TokenScope::Read).unwrap();
        std::fs::remove_file(home.path().join("livetape.db")).unwrap();
        let recording = "rec_01920000000070008000000000000001_mp4_1";
        std::fs::create_dir_all(home.path().join("spool").join(recording)).unwrap();
        let refused = create(home.path(), "two", TokenScope::Read).unwrap_err();
        assert!(refused.contains("fsck"), "{refused}");
        assert!(!home.path().join("livetape.db").exists());
    }
}
