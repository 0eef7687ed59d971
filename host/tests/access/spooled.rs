//! A store that does not take an answer.

use std::sync::Arc;
use std::time::Duration;

use connector_host::Replayed;
use connector_host::testing::TENANT;
use jiff::SignedDuration;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::support::{Answer, Bench, Log, first_error, kind, oauth_error, tokens};

const FULL: &str = "CREATE TRIGGER full BEFORE UPDATE OF generation ON grants BEGIN SELECT RAISE(ABORT, 'full'); END";

/// What runs on one thread, as the command line does, so that its log is the test's. Dropped, it waits for the threads it had work on: what
/// they hold is free then, as the system sees to when a real process ends.
fn process() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Lets a host of its own receive tokens that the store does not take, and ends it while they are in the spool.
fn end_with_a_spooled_answer(bench: &Arc<Bench>) {
    let process = process();
    process.block_on(async {
        let before = bench.connected().await.grant.generation;
        bench.by_others(FULL);
        let (log, mut lines) = Log::new();
        let _log = tracing::subscriber::set_default(log);
        let host = bench.another().await;
        let grant = bench.connected().await.connection.grant_id;
        let mut caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(|session| session.grant) });
        first_error(&mut lines, &mut caller).await;
        bench.clock.advance(SignedDuration::from_secs(2));
        let tokens = caller.await.unwrap().unwrap().tokens;
        let came = format!("access-{}", before + 1);
        assert!(tokens.access.matches(&came), "what is in the spool is durable, so it may be used");
        assert_eq!(bench.connected().await.grant.generation, before);
    });
    drop(process);
}

#[test]
fn what_a_process_could_not_store_is_stored_by_the_next_one() {
    let runtime = process();
    let bench = Arc::new(runtime.block_on(Bench::expired()));
    bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
    end_with_a_spooled_answer(&bench);
    runtime.block_on(async {
        bench.by_others("DROP TRIGGER full");
        assert_eq!(bench.host.replay_spool().await.unwrap().stored, 1);
        assert_eq!(bench.connected().await.grant.generation, 2);
        assert_eq!(bench.session().await.unwrap(), "access-2");
        assert_eq!(bench.server.token_requests(), 1);
        assert_eq!(bench.host.replay_spool().await.unwrap(), Replayed::default());
    });
}

#[test]
fn what_is_in_the_spool_stays_there_as_long_as_the_store_does_not_take_it() {
    let runtime = process();
    let bench = Arc::new(runtime.block_on(Bench::expired()));
    bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
    end_with_a_spooled_answer(&bench);
    runtime.block_on(async {
        let replayed = bench.host.replay_spool().await.unwrap();
        assert_eq!((replayed.stored, replayed.waiting), (0, 1), "it is tried once");
        bench.clock.advance(SignedDuration::from_mins(3));
        assert_eq!(kind(&bench.session().await.unwrap_err()), "unavailable");
        assert_eq!(bench.server.token_requests(), 1, "the spent token is not sent again meanwhile");
        bench.by_others("DROP TRIGGER full");
        assert_eq!(bench.host.replay_spool().await.unwrap().stored, 1);
        assert_eq!(bench.session().await.unwrap(), "access-2");
    });
}

#[test]
fn an_answer_in_the_spool_of_a_connection_that_was_given_up_is_revoked() {
    let runtime = process();
    let bench = Arc::new(runtime.block_on(Bench::expired()));
    bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
    bench.server.set("/revoke", [Answer::Json(200, json!({}))]);
    end_with_a_spooled_answer(&bench);
    runtime.block_on(async {
        bench.by_others("DROP TRIGGER full");
        let connection = bench.connected().await.connection.id;
        // The old tokens are spent, so that nothing can be revoked by them.
        bench.host.disconnect(TENANT, &connection).await.unwrap();
        assert_eq!(bench.server.revoked(), [] as [String; 0]);
        bench.host.replay_spool().await.unwrap();
        assert_eq!(bench.server.revoked(), ["access-2"]);
        let grant = bench.connected().await.grant;
        assert!(grant.access.is_none() && grant.refresh.is_none());
    });
}

#[test]
fn an_answer_in_the_spool_is_newer_than_all_that_an_earlier_state_of_the_store_knows() {
    let runtime = process();
    let bench = Arc::new(runtime.block_on(Bench::expired()));
    bench.server.set("/token", [tokens(2), tokens(3), oauth_error("invalid_grant")]);
    let earlier = runtime.block_on(async {
        let earlier = bench.copy_of_store().await;
        assert_eq!(bench.session().await.unwrap(), "access-2");
        bench.clock.advance(SignedDuration::from_hours(3));
        earlier
    });
    end_with_a_spooled_answer(&bench);
    runtime.block_on(async {
        let grant = bench.connected().await.connection.grant_id;
        let restored = bench.on_store_of(earlier.path()).await;
        assert_eq!(restored.replayed.stored, 1);
        let session = restored.host.session(TENANT, &grant).await.unwrap();
        assert!(session.grant.tokens.access.matches("access-3"));
        assert_eq!(bench.server.token_requests(), 2);
    });
}

#[test]
fn an_answer_in_the_spool_is_stored_in_its_own_store_alone() {
    let runtime = process();
    let bench = Arc::new(runtime.block_on(Bench::expired()));
    bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
    end_with_a_spooled_answer(&bench);
    runtime.block_on(async {
        bench.by_others("DROP TRIGGER full");
        let empty = TempDir::new().unwrap();
        let replayed = bench.on_store_of(&empty.path().join("data")).await.replayed;
        assert_eq!((replayed.foreign, replayed.stored + replayed.dropped + replayed.waiting), (1, 0));
        assert_eq!(bench.host.replay_spool().await.unwrap().stored, 1);
        assert_eq!(bench.session().await.unwrap(), "access-2");
    });
}

#[test]
fn an_answer_that_the_store_has_newer_tokens_than_is_dropped() {
    let runtime = process();
    let bench = Arc::new(runtime.block_on(Bench::expired()));
    bench.server.set("/token", [tokens(2)]);
    end_with_a_spooled_answer(&bench);
    runtime.block_on(async {
        bench.by_others("DROP TRIGGER full");
        bench.by_others("UPDATE grants SET generation = 7");
        let replayed = bench.host.replay_spool().await.unwrap();
        assert_eq!((replayed.stored, replayed.dropped), (0, 1));
        assert_eq!(bench.host.replay_spool().await.unwrap(), Replayed::default());
    });
}

#[test]
fn a_host_that_gave_a_store_up_finds_its_own_answer_in_the_spool() {
    process().block_on(async {
        let bench = Bench::expired().await;
        bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
        bench.by_others(FULL);
        let (log, mut lines) = Log::new();
        let _log = tracing::subscriber::set_default(log);
        let (host, grant) = (bench.host.clone(), bench.connected().await.connection.grant_id);
        let mut caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(drop) });
        first_error(&mut lines, &mut caller).await;
        bench.clock.advance(SignedDuration::from_secs(2));
        caller.await.unwrap().unwrap();
        bench.clock.advance(SignedDuration::from_mins(3));
        while bench.host.unsaved() > 0 {
            tokio::task::yield_now().await;
        }
        bench.by_others("DROP TRIGGER full");
        assert_eq!(bench.session().await.unwrap(), "access-2");
        assert_eq!(bench.connected().await.grant.generation, 2);
        assert_eq!(bench.server.token_requests(), 1, "its token is spent");
    });
}

#[test]
fn a_store_that_says_nothing_keeps_nobody_waiting() {
    process().block_on(async {
        let bench = Bench::expired().await;
        bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
        bench.server.shut();
        let (host, grant) = (bench.host.clone(), bench.connected().await.connection.grant_id);
        let mut caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(|session| session.grant) });
        while bench.server.token_requests() == 0 {
            tokio::task::yield_now().await;
        }
        let busy = bench.installation.file().lock(Duration::from_secs(5)).unwrap();
        let (log, mut lines) = Log::new();
        let _log = tracing::subscriber::set_default(log);
        bench.server.open();
        // The clock is fast, and yet leaves a slow machine the seconds it needs before the store is given up.
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        let came = loop {
            tokio::select! {
                biased;
                _ = lines.recv() => panic!("the store said something"),
                came = &mut caller => break came.unwrap().unwrap(),
                _ = ticks.tick() => bench.clock.advance(SignedDuration::from_secs(1)),
            }
        };
        assert!(came.tokens.access.matches("access-2"));
        drop(busy);
        bench.host.drain().await;
        assert_eq!((bench.connected().await.grant.generation, bench.server.token_requests()), (2, 1));
    });
}

#[test]
fn an_answer_that_cannot_be_read_is_nobodys_new_token() {
    process().block_on(async {
        let bench = Bench::expired().await;
        bench.server.set("/token", [Answer::Json(200, json!({ "refresh_token": "refresh-2" }))]);
        bench.by_others(
            "CREATE TRIGGER full BEFORE UPDATE OF kept_answer ON grants BEGIN SELECT RAISE(ABORT, 'full'); END",
        );
        let (log, mut lines) = Log::new();
        let _log = tracing::subscriber::set_default(log);
        let (host, grant) = (bench.host.clone(), bench.connected().await.connection.grant_id);
        let mut caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(drop) });
        first_error(&mut lines, &mut caller).await;
        bench.clock.advance(SignedDuration::from_secs(2));
        let spool = bench.installation.dir().join("spool/slot-0000");
        while std::fs::read(&spool).unwrap()[0] == 0 {
            tokio::task::yield_now().await;
        }
        bench.by_others("DROP TRIGGER full");
        assert_eq!(kind(&caller.await.unwrap().unwrap_err()), "protocol");
        assert!(bench.connected().await.grant.kept_answer.is_some());
    });
}

#[test]
fn tokens_that_come_after_a_disconnect_wait_in_the_spool_for_a_store_that_fails() {
    let runtime = process();
    let bench = Arc::new(runtime.block_on(Bench::expired()));
    bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
    bench.server.set("/revoke", [Answer::Json(200, json!({}))]);
    let ended = process();
    ended.block_on(async {
        bench.server.shut();
        let connected = bench.connected().await.connection;
        let host = bench.another().await;
        let (refreshing, grant) = (host.clone(), connected.grant_id);
        let mut caller = tokio::spawn(async move { refreshing.session(TENANT, &grant).await.map(drop) });
        while bench.server.token_requests() == 0 {
            tokio::task::yield_now().await;
        }
        host.disconnect(TENANT, &connected.id).await.unwrap();
        bench.by_others(
            "CREATE TRIGGER full BEFORE UPDATE OF access ON revocations BEGIN SELECT RAISE(ABORT, 'full'); END",
        );
        let (log, mut lines) = Log::new();
        let _log = tracing::subscriber::set_default(log);
        bench.server.open();
        first_error(&mut lines, &mut caller).await;
        bench.clock.advance(SignedDuration::from_secs(2));
        let spool = bench.installation.dir().join("spool/slot-0000");
        while std::fs::read(&spool).unwrap()[0] == 0 {
            tokio::task::yield_now().await;
        }
    });
    drop(ended);
    runtime.block_on(async {
        bench.by_others("DROP TRIGGER full");
        assert_eq!(bench.host.replay_spool().await.unwrap().stored, 1);
        assert_eq!(bench.server.revoked(), ["access-2"]);
    });
}
