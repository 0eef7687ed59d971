//! A store that does not take an answer.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::runtime::{Builder, Runtime};

use crate::support::{Answer, Bench, Log, TENANT, first_error, oauth_error, tokens};

const FULL: &str = "CREATE TRIGGER full BEFORE UPDATE OF generation ON grants BEGIN SELECT RAISE(ABORT, 'full'); END";

/// What runs on one thread, as the command line does, so that its log is the test's.
fn process() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Lets a host of its own receive tokens that the store does not take, and ends it while they are in the spool.
fn end_with_a_spooled_answer(bench: &Arc<Bench>) {
    let process = process();
    process.block_on(async {
        bench.by_others(FULL).await;
        let (log, mut lines) = Log::new();
        let _log = tracing::subscriber::set_default(log);
        let host = bench.another().await;
        let grant = bench.connected().await.connection.grant_id;
        let mut caller = tokio::spawn(async move { host.session(TENANT, &grant).await.map(|session| session.grant) });
        first_error(&mut lines, &mut caller).await;
        bench.clock.advance(SignedDuration::from_secs(2));
        let tokens = caller.await.unwrap().unwrap().tokens;
        assert!(tokens.access.matches("access-2"), "what is in the spool is durable, so it may be used");
        assert_eq!(bench.connected().await.grant.generation, 1);
    });
    process.shutdown_background();
}

#[test]
fn what_a_process_could_not_store_is_stored_by_the_next_one() {
    let runtime = process();
    let bench = Arc::new(runtime.block_on(Bench::expired()));
    bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
    end_with_a_spooled_answer(&bench);
    runtime.block_on(async {
        bench.by_others("DROP TRIGGER full").await;
        assert_eq!(bench.host.replay_spool().await.unwrap(), 1);
        assert_eq!(bench.connected().await.grant.generation, 2);
        assert_eq!(bench.session().await.unwrap(), "access-2");
        assert_eq!(bench.server.token_requests(), 1);
        assert_eq!(bench.host.replay_spool().await.unwrap(), 0);
    });
}

#[test]
fn what_is_in_the_spool_stays_there_as_long_as_the_store_does_not_take_it() {
    let runtime = process();
    let bench = Arc::new(runtime.block_on(Bench::expired()));
    bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
    end_with_a_spooled_answer(&bench);
    runtime.block_on(async {
        let (log, mut lines) = Log::new();
        let _log = tracing::subscriber::set_default(log);
        let host = bench.host.clone();
        let mut replaying = tokio::spawn(async move { host.replay_spool().await });
        first_error(&mut lines, &mut replaying).await;
        replaying.abort();
        bench.by_others("DROP TRIGGER full").await;
        let _ = replaying.await;
        assert_eq!(bench.host.replay_spool().await.unwrap(), 1);
        assert_eq!(bench.session().await.unwrap(), "access-2");
    });
}

#[test]
fn an_answer_in_the_spool_of_a_connection_that_was_given_up_is_revoked() {
    let runtime = process();
    let bench = Arc::new(runtime.block_on(Bench::expired()));
    bench.server.set("/token", [tokens(2), oauth_error("invalid_grant")]);
    bench.server.set("/revoke", [Answer::Json(200, serde_json::json!({}))]);
    end_with_a_spooled_answer(&bench);
    runtime.block_on(async {
        bench.by_others("DROP TRIGGER full").await;
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
