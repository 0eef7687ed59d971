//! The contract, kept by this store, and what only its own rooms can show.

use std::sync::Arc;

use connector_core::testing::FakeTransport;
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{SqliteRow, SqliteStore, connection};
use crate::store::sql::{Row, statement};
use crate::store::{Reading, Samples as _, StoreError, contract};

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
    let bound = store.fetch(statement("SELECT {now} - $1 AS past, {now} AS now").bind(7)).await.unwrap();
    let Some(Row::Sqlite(row)) = bound else { panic!("no row of this database") };
    assert_eq!(row.get::<i64>("now").unwrap() - row.get::<i64>("past").unwrap(), 7);
}

async fn row(store: &SqliteStore, sql: &'static str) -> SqliteRow {
    match store.fetch(statement(sql)).await.unwrap() {
        Some(Row::Sqlite(row)) => row,
        _ => panic!("no row of this database"),
    }
}

#[tokio::test]
async fn columns_that_another_process_adds_are_told_from_those_that_were_there() {
    let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
    let store = SqliteStore::open(&cx, &parent.path().join("data")).await.unwrap();
    let select = "SELECT *, 7 AS seven FROM meta WHERE key = 'instance'";
    assert_eq!(row(&store, select).await.get::<i64>("seven"), Ok(7));
    let newer = Connection::open(store.path()).unwrap();
    newer.execute_batch("ALTER TABLE meta ADD COLUMN later INTEGER").unwrap();
    assert_eq!(row(&store, select).await.get::<i64>("seven"), Ok(7));
}

#[tokio::test]
async fn a_text_that_is_none_is_an_error_of_its_column_alone() {
    let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
    let store = SqliteStore::open(&cx, &parent.path().join("data")).await.unwrap();
    let row = row(&store, "SELECT CAST(x'ff' AS TEXT) AS text, 7 AS seven").await;
    assert_eq!(row.get::<i64>("seven"), Ok(7));
    assert!(row.get::<String>("text").is_err() && row.get::<String>("none").is_err());
}

#[tokio::test]
async fn a_schema_that_cannot_be_brought_up_to_date_is_not_said_to_be_damaged() {
    let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
    let dir = parent.path().join("data");
    let store = SqliteStore::open(&cx, &dir).await.unwrap();
    Connection::open(store.path()).unwrap().execute_batch("PRAGMA user_version = 0").unwrap();
    store.close().await;
    let error = SqliteStore::open(&cx, &dir).await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)), "{error}");
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

#[tokio::test]
async fn samples_that_were_there_before_they_had_positions_are_read_first() {
    let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
    let dir = parent.path().join("data");
    let store = SqliteStore::open(&cx, &dir).await.unwrap();
    let path = store.path().to_owned();
    store.close().await;
    std::fs::write(&path, "").unwrap();
    let id = crate::store::ConnectionId::new(&cx).unwrap();
    let grant = crate::store::GrantId::new(&cx).unwrap();
    let older = Connection::open(&path).unwrap();
    older.execute_batch(include_str!("../../../migrations/sqlite/0001_begin.sql")).unwrap();
    let filled = format!(
        "PRAGMA application_id = 1131376238; PRAGMA user_version = 1;
         INSERT INTO grants (id, tenant, platform, app, client_id, base_urls, scopes, generation, state, state_since, issued_at, created_at,
                             updated_at)
         VALUES ('{grant}', 'default', 'lantern', 'default', 'client-1', '{{}}', '{{}}', 1, 'active', 0, 0, 0, 0);
         INSERT INTO connections (id, tenant, platform, app, grant_id, account_id, profile, created_at, updated_at)
         VALUES ('{id}', 'default', 'lantern', 'default', '{grant}', 'acct-1', '{{}}', 0, 0);
         INSERT INTO samples VALUES (1, 'posts', 1, 10), (1, 'followers', 2, 20), (1, 'followers', 1, 30);"
    );
    older.execute_batch(&filled).unwrap();
    drop(older);
    let store = SqliteStore::open(&cx, &dir).await.unwrap();
    let values = [("followers".parse().unwrap(), 40)].into();
    let reading = Reading { observed_at: Timestamp::UNIX_EPOCH, values, missing: [].into(), log_id: None };
    store.append_samples(&id, &reading).await.unwrap();
    let page = store.samples_after("default", None, 100).await.unwrap();
    assert_eq!(page.samples.iter().map(|sample| sample.value).collect::<Vec<_>>(), [30, 10, 20, 40]);
}
