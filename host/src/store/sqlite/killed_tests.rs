//! A process that is killed while it brings the schema up to date.

use std::env;
use std::path::Path;
use std::process::Command;

use connector_core::testing::FakeTransport;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{SqliteStore, connection, files, migrate};
use crate::store::{Inventory as _, Meta as _};

/// What tells the process that is to be killed where it works, and after how many steps of the database it ends.
const DIR: &str = "CONNECTOR_TEST_MIGRATE_IN";
const STEPS: &str = "CONNECTOR_TEST_STEPS";

/// At so many places.
const PLACES: usize = 40;

/// A connection that ends the process after so many steps of `SQLite`'s own machine, of which each statement takes several.
fn mortal(path: &Path, steps: usize) -> Connection {
    let (mortal, mut left) = (connection::open(path).unwrap(), steps);
    let count = move || {
        if left == 0 {
            std::process::abort();
        }
        left -= 1;
        false
    };
    mortal.progress_handler(1, Some(count)).unwrap();
    mortal
}

/// What the process does that is to be killed. Without an order it does nothing.
#[test]
fn a_migration_that_may_be_killed() {
    let (Ok(dir), Ok(steps)) = (env::var(DIR), env::var(STEPS)) else { return };
    let cx = FakeTransport::default().context();
    let path = files::prepare(dir.as_ref()).unwrap();
    let locks = files::prepare_locks(dir.as_ref()).unwrap();
    migrate::inspect_and_migrate(&cx, &path, mortal(&path, steps.parse().unwrap()), &locks).unwrap();
}

/// Runs it in a process of its own. True when that came to its end.
fn migrates_within(dir: &Path, steps: usize) -> bool {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "store::sqlite::killed_tests::a_migration_that_may_be_killed", "--test-threads", "1"]);
    let done = child.env(DIR, dir).env(STEPS, steps.to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("running 1 test") && !said.contains("FAILED"), "{said}");
    done.status.success()
}

/// How many steps it takes.
fn needed() -> usize {
    let fits = |steps| migrates_within(&TempDir::new().unwrap().path().join("data"), steps);
    let mut too_few = 0;
    let mut enough = 1 << 10;
    while !fits(enough) {
        (too_few, enough) = (enough, enough * 2);
        assert!(enough < 1 << 24, "it never ends");
    }
    while enough - too_few > 16 {
        let middle = usize::midpoint(too_few, enough);
        if fits(middle) { enough = middle } else { too_few = middle }
    }
    enough
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_after_one_that_was_killed_completes_the_migration() {
    let cx = FakeTransport::default().context();
    let needed = needed();
    assert!(needed > 200, "{needed} steps are no migration");
    for place in 0..PLACES {
        let (parent, steps) = (TempDir::new().unwrap(), needed * place / PLACES);
        let dir = parent.path().join("data");
        assert!(!migrates_within(&dir, steps), "it was not killed after {steps} of {needed} steps");
        let store = SqliteStore::open(&cx, &dir).await.unwrap_or_else(|error| panic!("after {steps} steps: {error}"));
        let id = store.instance_id().await.unwrap();
        assert_eq!(store.stock().await.unwrap().connections, 0, "the tables are there after {steps} steps");
        store.close().await;
        let again = SqliteStore::open(&cx, &dir).await.unwrap();
        assert_eq!(again.instance_id().await.unwrap(), id, "a store keeps its name");
    }
}
