//! What this store promises about the server, the clock and its errors.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use super::PostgresStore;
use super::tests::{cx, fresh, open};
use crate::store::sql::{Row, Transaction, statement};
use crate::store::testing::Server;
use crate::store::{Audit as _, AuditFilter, AuditId, AuditRecord, Flows as _, StoreError};

fn record() -> AuditRecord {
    let cx = cx();
    AuditRecord {
        id: AuditId::new(&cx).unwrap(),
        at: cx.now(),
        tenant: "default".to_owned(),
        event: "made".to_owned(),
        connection: None,
        grant: None,
        detail: "{}".to_owned(),
    }
}

async fn setting(transaction: &mut Transaction, name: &'static str) -> String {
    let row = transaction.fetch(statement("SELECT current_setting($1) AS value").bind(name)).await.unwrap();
    let Some(Row::Postgres(row)) = row else { panic!("no row of this database") };
    sqlx::Row::get(&row, "value")
}

#[tokio::test]
async fn what_is_written_is_durable_whatever_the_default_of_the_database() {
    let Some((server, name, url)) = fresh() else { return };
    for (default, expected) in [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")] {
        server.run(&name, &format!("ALTER DATABASE {name} SET synchronous_commit = {default}"));
        let store = open(&url).await;
        assert_eq!(setting(&mut store.write().await.unwrap(), "synchronous_commit").await, expected);
    }
    server.run(&name, &format!("ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"));
    let store = open(&url).await;
    assert_eq!(setting(&mut store.write().await.unwrap(), "transaction_isolation").await, "read committed");
}

#[tokio::test]
async fn a_server_that_would_lose_writes_is_refused() {
    let Some(server) = Server::start() else { return };
    for statement in ["ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"] {
        server.run("postgres", statement);
    }
    while server.run("postgres", "SHOW fsync") != "off" {}
    let error = PostgresStore::open(&cx(), &server.fresh_database()).await.unwrap_err().to_string();
    assert!(error.contains("`fsync = off`"), "{error}");
}

#[tokio::test]
async fn the_clock_is_the_servers() {
    let Some((server, name, url)) = fresh() else { return };
    let clock =
        || server.run(&name, "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)").parse::<i64>().unwrap();
    let store = open(&url).await;
    let (before, now, after) = (clock(), store.now().await.unwrap().as_millisecond(), clock());
    assert!(before <= now && now <= after + 1, "{before} {now} {after}");
    assert_ne!(now, cx().now().as_millisecond(), "the clock of the process is another");
}

#[tokio::test]
async fn no_error_tells_the_password() {
    let Some((server, name, _)) = fresh() else { return };
    let dir = server.socket_dir().display();
    let cases = [
        (
            "postgres://anna:hunter2@localhost/links?host=/nowhere".to_owned(),
            "`postgres:///links?host=/nowhere&port=5432` cannot",
        ),
        (format!("postgres://anna:hunter2@localhost/{name}?host={dir}"), "role \"anna\" does not exist"),
        (format!("postgres://postgres:hunter2@localhost/missing?host={dir}"), "database \"missing\" does not exist"),
    ];
    for (url, sentence) in cases {
        let error = PostgresStore::open(&cx(), &url).await.unwrap_err();
        assert!(matches!(error, StoreError::Unreachable { .. }) && error.to_string().contains(sentence), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    let store = open(&format!("postgres://postgres:hunter2@localhost/{name}?host={dir}")).await;
    let shown = format!("{store:?}");
    assert!(shown.contains(&name) && !shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_the_reason() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error =
        PostgresStore::open(&cx(), &format!("postgres://127.0.0.1:{port}/links")).await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("`postgres://127.0.0.1:{port}/links` cannot be reached: Connection refused")),
        "{error}"
    );
}

#[tokio::test]
async fn no_error_tells_what_is_stored() {
    let Some((server, name, url)) = fresh() else { return };
    let store = open(&url).await;
    server.run(&name, "ALTER TABLE audit ADD CHECK (detail <> '\"hunter2\"')");
    let error = store.append_audit(&AuditRecord { detail: "\"hunter2\"".to_owned(), ..record() }).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("violates check constraint") && !shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_database_that_is_read_only_is_named() {
    let Some((server, name, url)) = fresh() else { return };
    open(&url).await.close().await;
    server.run(&name, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    let error = open(&url).await.append_audit(&record()).await.unwrap_err();
    assert!(matches!(error, StoreError::NotWritable { .. }) && error.to_string().contains(&name), "{error}");
}

#[tokio::test]
async fn a_transaction_with_a_failed_statement_is_never_kept() {
    let Some((_, _, url)) = fresh() else { return };
    let mut transaction = open(&url).await.write().await.unwrap();
    transaction.execute(statement("SELECT 1 / 0")).await.unwrap_err();
    transaction.commit().await.unwrap_err();
}

#[tokio::test]
async fn a_commit_that_the_server_refuses_is_no_mystery() {
    let Some((server, name, url)) = fresh() else { return };
    let store = open(&url).await;
    at_commit(&|sql| _ = server.run(&name, sql), "RAISE EXCEPTION 'not today'");
    let error = store.append_audit(&record()).await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)) && error.to_string().contains("not today"), "{error:?}");
}

#[tokio::test]
async fn a_commit_that_the_server_did_not_live_to_answer_is_unknown() {
    let Some((server, name, url)) = fresh() else { return };
    let store = open(&url).await;
    at_commit(&|sql| _ = server.run(&name, sql), "PERFORM pg_terminate_backend(pg_backend_pid())");
    let error = store.append_audit(&record()).await.unwrap_err();
    assert!(matches!(error, StoreError::Lost { .. }), "{error:?}");
    assert_eq!(store.prune_flows(cx().now()).await.unwrap(), 0, "the next call gets a new connection");
}

/// Has the server do something for each audit record when its transaction commits.
fn at_commit(run: &dyn Fn(&str), what: &str) {
    run(&format!("CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; RETURN NULL; END $$"));
    run("CREATE CONSTRAINT TRIGGER late AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION late()");
}

/// The line is cut behind the COMMIT of the first change: the server got it, and nobody heard of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_unknown_and_may_have_been_kept() {
    let Some((server, name, url)) = fresh() else { return };
    open(&url).await.close().await;
    let dir = TempDir::new().unwrap();
    let listener = UnixListener::bind(dir.path().join(".s.PGSQL.5432")).unwrap();
    let socket: Arc<Path> = server.socket_dir().join(".s.PGSQL.5432").into();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(cut_at_commit(client, Arc::clone(&socket)));
        }
    });
    let store = open(&format!("postgres://postgres@localhost/{name}?host={}", dir.path().display())).await;
    let (first, kept) = (record(), open(&url).await);
    let error = store.append_audit(&first).await.unwrap_err();
    assert!(matches!(error, StoreError::Lost { .. }), "{error:?}");
    assert_eq!(kept.audit("default", &AuditFilter::default()).await.unwrap(), [first]);
}

async fn cut_at_commit(mut client: UnixStream, socket: Arc<Path>) -> std::io::Result<()> {
    let mut server = UnixStream::connect(&*socket).await?;
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let asked = asked.get(..read?).unwrap_or_default();
                server.write_all(asked).await?;
                if asked.is_empty() {
                    return Ok(());
                }
                if asked.windows(7).any(|word| word == b"COMMIT\0") {
                    return server.read(&mut answered).await.map(drop);
                }
            }
            read = server.read(&mut answered) => {
                let answered = answered.get(..read?).unwrap_or_default();
                client.write_all(answered).await?;
                if answered.is_empty() {
                    return Ok(());
                }
            }
        }
    }
}
