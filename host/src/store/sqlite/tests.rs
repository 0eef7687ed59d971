//! The contract, kept by this store, and what only its own rooms can show.

use std::sync::Arc;

use connector_core::testing::FakeTransport;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{SqliteStore, connection};
use crate::store::contract;
use crate::store::sql::{Row, statement};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_check_of_the_contract_passes() {
    for check in contract::checks() {
        let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
        let store = Arc::new(SqliteStore::open(&cx, &parent.path().join("data")).await.unwrap());
        let outcome = tokio::spawn(async move { check.run(cx, store).await }).await;
        assert!(matches!(outcome, Ok(Ok(()))), "{}: {outcome:?}", check.name);
    }
}

#[tokio::test]
async fn the_clock_is_the_machines() {
    let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
    let store = SqliteStore::open(&cx, &parent.path().join("data")).await.unwrap();
    assert_eq!(store.now().await.unwrap().as_millisecond(), cx.now().as_millisecond());
    let bound =
        store.write().await.unwrap().fetch(statement("SELECT {now} - $1 AS past, {now} AS now").bind(7)).await.unwrap();
    let Some(Row::Sqlite(row)) = bound else { panic!("no row of this database") };
    assert_eq!(row.get::<i64>("now").unwrap() - row.get::<i64>("past").unwrap(), 7);
}

#[tokio::test]
async fn a_connection_that_would_lose_writes_is_refused() {
    let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
    let store = SqliteStore::open(&cx, &parent.path().join("data")).await.unwrap();
    let with = |setting| {
        let connection = connection::open(store.path()).unwrap();
        connection.execute_batch(setting).unwrap();
        connection
    };
    connection::verify(&with("")).unwrap();
    let careless = [
        (with("PRAGMA synchronous = NORMAL"), "synchronous = FULL"),
        (with("PRAGMA foreign_keys = OFF"), "foreign_keys = ON"),
        (Connection::open_in_memory().unwrap(), "journal_mode = WAL"),
    ];
    for (connection, setting) in careless {
        let error = connection::verify(&connection).unwrap_err().to_string();
        assert!(error.contains(setting), "{error}");
    }
}
