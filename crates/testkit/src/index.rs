//! The program's index, looked at from outside: by the `sqlite3` program.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::livetape::Livetape;
use crate::program::{succeed, text};

/// The rows of a query, each an object by column.
pub fn query(livetape: &Livetape, sql: &str) -> Vec<Value> {
    query_file(&livetape.data().join("livetape.db"), sql)
}

/// As [`query`], of a database file.
pub fn query_file(database: &Path, sql: &str) -> Vec<Value> {
    let mut sqlite = Command::new("sqlite3");
    let printed = succeed(sqlite.args(["-readonly", "-json", "-cmd", ".timeout 10000"]).arg(database).arg(sql));
    let printed = text(&printed.stdout);
    if printed.trim().is_empty() {
        return Vec::new();
    }
    match serde_json::from_str(&printed) {
        Ok(Value::Array(rows)) => rows,
        other => panic!("{sql}: {other:?}"),
    }
}

/// The one number a query asks for.
pub fn count(livetape: &Livetape, sql: &str) -> i64 {
    let rows = query(livetape, sql);
    let row = rows.first().and_then(Value::as_object).unwrap_or_else(|| panic!("{sql}: nothing"));
    row.values().next().and_then(Value::as_i64).unwrap_or_else(|| panic!("{sql}: {row:?}"))
}
