//! Tokens of the API, made and revoked beside the process that has the catalog.

use livetape_catalog::{Catalog, CatalogError, Change, TokenBook, TokenRow, TokenScope, rebuild};

use crate::fixture::{at, options, session};

fn token(name: &str, scope: TokenScope, byte: u8) -> TokenRow {
    TokenRow { name: name.to_owned(), scope, hash: [byte; 32], created_at: at(7) }
}

#[test]
fn they_are_made_and_revoked_while_the_catalog_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    let catalog = Catalog::open(&path, options(&["hook"])).unwrap();
    assert_eq!(catalog.tokens().unwrap(), []);
    let book = TokenBook::open_beside(&path).unwrap();
    let (read, write) = (token("player", TokenScope::Read, 1), token("backend", TokenScope::Write, 2));
    for number in 0..40 {
        catalog.submit(Change::SessionStarted(session(number)), |result| assert!(result.is_ok()));
        if number == 20 {
            assert!(book.add(&read).unwrap() && book.add(&write).unwrap());
        }
    }
    assert_eq!(catalog.tokens().unwrap(), [write.clone(), read.clone()], "by name");
    assert!(!book.add(&token("player", TokenScope::Write, 3)).unwrap(), "its name is taken");
    assert!(book.add(&token("other", TokenScope::Read, 1)).is_err(), "two names for one token");
    assert!(book.remove("player").unwrap() && !book.remove("player").unwrap());
    assert_eq!((book.list().unwrap(), catalog.tokens().unwrap()), (vec![write.clone()], vec![write.clone()]));
    drop(book);
    drop(catalog);
    let catalog = Catalog::open(&path, options(&["hook"])).unwrap();
    assert_eq!(catalog.tokens().unwrap(), [write]);
    assert!((0..40).all(|number| catalog.session(&session(number).id).unwrap().is_some()));
}

#[test]
fn the_first_one_makes_the_catalog_and_beside_another_process_none_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    assert!(TokenBook::open_beside(&path).is_err() && !path.exists());
    let first = token("first", TokenScope::Write, 9);
    assert!(TokenBook::open(&path).unwrap().add(&first).unwrap());
    let catalog = Catalog::open(&path, options(&["hook"])).unwrap();
    assert_eq!(catalog.tokens().unwrap(), [first]);
    drop(catalog);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 3).unwrap();
    assert!(matches!(TokenBook::open_beside(&path), Err(CatalogError::Older { found: 3, .. })));
}

#[test]
fn a_catalog_that_is_made_anew_has_none_for_revoked_ones_would_be_among_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    let catalog = Catalog::open(&path, options(&[])).unwrap();
    catalog.apply(Change::SessionStarted(session(1))).unwrap();
    drop(catalog);
    let book = TokenBook::open(&path).unwrap();
    for (name, byte) in [("kept", 1), ("revoked", 2)] {
        book.add(&token(name, TokenScope::Write, byte)).unwrap();
    }
    book.remove("revoked").unwrap();
    drop(book);
    assert_eq!(rebuild(&path).unwrap().sessions, 1);
    let catalog = Catalog::open(&path, options(&[])).unwrap();
    assert_eq!(catalog.tokens().unwrap(), []);
}
