//! What a database is, and how it becomes a store.

use tokio::task::JoinSet;

use super::PostgresStore;
use super::tests::{cx, fresh, open};
use crate::store::{ApiKeys as _, Meta as _, StoreError};
#[cfg(feature = "sqlite")]
use crate::testing::DatabaseFile;

/// Every table with its columns, to see whether anything changed.
const EVERYTHING: &str = "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY table_schema, table_name, ordinal_position";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn any_number_of_starts_at_the_same_time_make_one_store() {
    let Some((server, _, direct)) = fresh() else { return };
    let pooler = server.pooler();
    let mut urls = vec![direct.clone()];
    urls.extend(pooler.as_ref().map(|pooler| pooler.before(&direct)));
    let mut starts = JoinSet::new();
    for start in 0..8 {
        let url = urls[start % urls.len()].clone();
        starts.spawn(async move { open(&url).await.instance_id().await.unwrap() });
    }
    let started = starts.join_all().await;
    assert!(started.iter().all(|instance| instance == &started[0]), "{started:?}");
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_untouched() {
    type Refusal = fn(&StoreError) -> bool;
    let newer: Refusal = |error| matches!(error, StoreError::Newer { found: 9_999, .. });
    let not_ours: Refusal = |error| matches!(error, StoreError::Foreign { .. });
    let cases: [(&str, &str, Refusal); 5] = [
        (
            "CREATE TABLE theirs (id BIGINT)",
            "is another program's database: choose another database, an empty one",
            not_ours,
        ),
        ("CREATE TABLE meta (key TEXT, value TEXT)", "is another program's database", not_ours),
        ("CREATE SCHEMA other; CREATE VIEW other.theirs AS SELECT 1 AS one", "is another program's database", not_ours),
        (
            "UPDATE _sqlx_migrations SET version = 9999 WHERE version = 1",
            "made by a newer version of connector-host",
            newer,
        ),
        ("UPDATE _sqlx_migrations SET checksum = 'x'; DELETE FROM meta", "step 1 is not the one", |error| {
            matches!(error, StoreError::Corrupt { what: "schema", .. })
        }),
    ];
    for (statement, sentence, is_expected) in cases {
        let Some((server, name, url)) = fresh() else { return };
        if statement.contains("_sqlx_migrations") {
            open(&url).await.close().await;
        }
        server.run(&name, statement);
        let before = server.run(&name, EVERYTHING);
        let error = PostgresStore::open(&cx(), &url).await.unwrap_err();
        assert!(is_expected(&error) && error.to_string().contains(sentence), "{error}");
        assert_eq!(server.run(&name, EVERYTHING), before);
    }
}

/// The last table cannot be made, and so is none of the others.
#[tokio::test]
async fn a_step_that_fails_leaves_the_database_as_it_was() {
    let Some((server, name, url)) = fresh() else { return };
    server.run(&name, "CREATE TYPE audit AS ENUM ('theirs')");
    let error = PostgresStore::open(&cx(), &url).await.unwrap_err().to_string();
    assert!(error.contains("type \"audit\" already exists"), "{error}");
    assert_eq!(server.run(&name, EVERYTHING), "");
    server.run(&name, "DROP TYPE audit");
    open(&url).await.close().await;
}

#[tokio::test]
async fn a_database_with_nothing_but_extensions_is_empty() {
    let Some((server, name, url)) = fresh() else { return };
    server.run(&name, "CREATE EXTENSION pg_stat_statements");
    open(&url).await.close().await;
}

#[tokio::test]
async fn what_was_left_half_made_is_completed() {
    let Some((server, name, url)) = fresh() else { return };
    open(&url).await.close().await;
    server.run(&name, "DELETE FROM meta");
    assert!(!open(&url).await.instance_id().await.unwrap().as_str().is_empty());
    let later = "DROP TABLE api_keys, connect_links, events, event_receivers, event_deliveries, requests, sessions, users; DROP INDEX grants_in_order";
    server.run(&name, &format!("{later}; DELETE FROM _sqlx_migrations WHERE version > 2"));
    assert!(open(&url).await.api_keys().await.unwrap().is_empty(), "a store of an earlier version gets what it lacks");
}

#[tokio::test]
async fn the_database_itself_refuses_what_must_never_be() {
    let Some((server, name, url)) = fresh() else { return };
    open(&url).await.close().await;
    server.run(&name, "INSERT INTO audit VALUES ('id', 0, 'default', 'made', NULL, NULL, '{}')");
    let grant = "INSERT INTO grants (id, tenant, platform, app, client_id, base_urls, scopes, generation, state, state_since, issued_at, access,
                                     created_at, updated_at)
                 VALUES ('id', 'default', 'lantern', 'default', 'client-1', '{}', '{}', 1, 'active', 0, 0, 'x', 0, 0)";
    server.run(&name, grant);
    server.run(&name, "INSERT INTO api_keys VALUES ('id', 'name', NULL, '[]', 'aa', 0, NULL, 1)");
    server.run(&name, "INSERT INTO users VALUES ('id', 'name', 'name', NULL, 'hash', 0, 0, 1)");
    for (statement, why) in [
        ("UPDATE grants SET generation = 0", "the generation of a grant never goes down"),
        ("UPDATE grants SET state = 'disconnected'", "violates check constraint"),
        ("UPDATE audit SET event = 'never'", "audit records are never changed"),
        ("DELETE FROM audit", "audit records are never deleted"),
        ("TRUNCATE audit", "audit records are never deleted"),
        ("UPDATE api_keys SET revoked_at = NULL", "a revoked API key stays revoked"),
        ("UPDATE users SET disabled_at = NULL", "a disabled user stays disabled"),
    ] {
        let attempt = std::panic::catch_unwind(|| server.run(&name, statement));
        let said = *attempt.unwrap_err().downcast::<String>().unwrap();
        assert!(said.contains(why), "{said}");
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn both_schemas_have_the_same_tables_and_columns() {
    let Some((server, name, url)) = fresh() else { return };
    open(&url).await.close().await;
    let here = server.run(
        &name,
        "SELECT table_name, column_name, data_type, is_nullable = 'NO' FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'
         ORDER BY table_name COLLATE \"C\", ordinal_position",
    );
    let here = here.replace("|bigint|", "|integer|").replace("|bytea|", "|blob|");

    let parent = tempfile::TempDir::new().unwrap();
    let file = crate::store::SqliteStore::open(&cx(), &parent.path().join("data")).await.unwrap();
    let columns = "SELECT tables.name || '|' || columns.name || '|' || lower(columns.type) || '|'
                || iif(columns.\"notnull\" OR columns.pk, 't', 'f')
         FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table' ORDER BY tables.name, columns.cid";
    let there = DatabaseFile::at(file.path()).texts(columns).unwrap();
    assert_eq!(here, there.join("\n"));
}
