//! What is not known, and how it is settled.

use std::sync::Arc;

use connector_core::http::Reach;
use connector_host::store::GrantState;
use connector_host::testing::TENANT;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{Answer, Bench, kind, oauth_error, tokens};

const OVER: SignedDuration = SignedDuration::from_mins(3);

fn lost(state: &GrantState) -> bool {
    *state == GrantState::ReauthRequired { reason: "refresh_result_lost".to_owned() }
}

#[tokio::test]
async fn a_request_that_was_lost_is_made_good_by_one_delayed_probe() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [Answer::Broken(Reach::MaybeSent), tokens(2)]);
    assert_eq!(kind(&bench.session().await.unwrap_err()), "unavailable");
    assert!(bench.session().await.unwrap_err().to_string().contains("the next try is at"));
    assert_eq!(bench.server.token_requests(), 1, "the token rests");
    bench.clock.advance(OVER);
    assert_eq!(bench.session().await.unwrap(), "access-2");
    assert_eq!(bench.server.token_requests(), 2);
}

/// The tokens of an answer whose connection broke behind them.
fn cut_off(n: u32, length: impl FnOnce(&str) -> usize) -> Answer {
    let Answer::Json(_, tokens) = tokens(n) else { panic!("tokens are JSON") };
    let text = tokens.to_string();
    Answer::CutOff(text[..length(&text)].to_owned())
}

#[tokio::test]
async fn tokens_that_came_whole_before_the_connection_broke_are_taken() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [cut_off(2, str::len), oauth_error("invalid_grant")]);
    assert_eq!(bench.session().await.unwrap(), "access-2");
    let grant = bench.connected().await.grant;
    assert_eq!((grant.state, grant.generation, grant.refresh_mark), (GrantState::Active, 2, None));
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test]
async fn a_refresh_token_that_came_before_the_connection_broke_is_kept() {
    let bench = Bench::expired().await;
    let behind_it = |text: &str| text.find("refresh-2").unwrap() + "refresh-2\"".len();
    bench.server.set("/token", [cut_off(2, behind_it), oauth_error("invalid_grant")]);
    assert_eq!(kind(&bench.session().await.unwrap_err()), "protocol");
    bench.clock.advance(OVER);
    assert!(bench.session().await.unwrap_err().to_string().contains("the answer is kept"));
    let grant = bench.connected().await.grant;
    assert_eq!((grant.state, grant.kept_answer.is_some()), (GrantState::Active, true));
    assert_eq!(bench.server.token_requests(), 1);
}

#[tokio::test]
async fn a_part_without_a_refresh_token_is_a_doubt() {
    let bench = Bench::expired().await;
    let inside = |text: &str| text.find("refresh-2").unwrap() + 3;
    let rejected = Answer::CutOff(json!({ "error": "invalid_grant" }).to_string());
    bench.server.set("/token", [cut_off(2, inside), rejected, tokens(2)]);
    for _ in 0..2 {
        assert_eq!(kind(&bench.session().await.unwrap_err()), "unavailable");
        assert!(bench.connected().await.grant.refresh_mark.is_some());
        bench.clock.advance(OVER);
    }
    assert_eq!(bench.session().await.unwrap(), "access-2");
}

#[tokio::test]
async fn where_no_use_spends_a_token_a_rejection_is_the_platforms_own() {
    let bench = Bench::expired().await;
    let host = bench.another_non_rotating().await;
    let grant = bench.connected().await.connection.grant_id;
    bench.server.set("/token", [Answer::Broken(Reach::MaybeSent), oauth_error("invalid_grant")]);
    host.session(TENANT, &grant).await.unwrap_err();
    bench.clock.advance(OVER);
    host.session(TENANT, &grant).await.unwrap_err();
    assert_eq!(bench.server.token_requests(), 2);
    assert_eq!(bench.state().await, GrantState::ReauthRequired { reason: "refresh_token_rejected".to_owned() });
}

#[tokio::test]
async fn the_wall_clock_settles_no_doubt() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [Answer::Broken(Reach::MaybeSent), tokens(2)]);
    bench.session().await.unwrap_err();
    for jump in [1, -2, 26, -25] {
        bench.clock.jump(SignedDuration::from_hours(jump));
        bench.session().await.unwrap_err();
    }
    assert_eq!(bench.server.token_requests(), 1);
    bench.clock.advance(OVER);
    bench.session().await.unwrap();
    assert_eq!(bench.server.token_requests(), 2);
}

#[tokio::test]
async fn an_outage_of_hours_ends_no_connection() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [Answer::Json(503, json!({}))]);
    for _ in 0..100 {
        assert_eq!(kind(&bench.session().await.unwrap_err()), "unavailable");
        assert_eq!(bench.state().await, GrantState::Active);
        bench.clock.advance(OVER);
    }
    assert!(bench.server.token_requests() < 50, "{} requests in five hours", bench.server.token_requests());
    bench.server.set("/token", [tokens(2)]);
    bench.clock.advance(SignedDuration::from_mins(11));
    assert_eq!(bench.session().await.unwrap(), "access-2");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_kept_and_nothing_is_sent_meanwhile() {
    let bench = Bench::expired().await;
    // The next version of the platform puts its tokens elsewhere.
    bench.server.set("/token", [Answer::Json(200, json!({ "data": { "access_token": "a", "refresh_token": "r" } }))]);
    assert_eq!(kind(&bench.session().await.unwrap_err()), "protocol");
    bench.clock.advance(OVER);
    assert!(bench.session().await.unwrap_err().to_string().contains("the answer is kept"));
    assert_eq!(bench.server.token_requests(), 1, "the old token is spent, and is not shown to be");
    let grant = bench.connected().await.grant;
    assert_eq!(grant.state, GrantState::Active);
    let sealed = grant.kept_answer.unwrap();
    assert!(!sealed.as_bytes().windows(8).any(|window| window == b"refresh_"));
}

#[tokio::test]
async fn one_refused_app_ends_no_connection_and_mends_itself() {
    let bench = Bench::expired().await;
    bench.server.set("/token", [oauth_error("invalid_client")]);
    for second in 0..300 {
        let error = bench.session().await.unwrap_err();
        assert_eq!(kind(&error), "config", "{error}");
        assert_eq!(bench.state().await, GrantState::Active);
        assert!(bench.server.token_requests() <= 1 + second / 60, "once a minute at most");
        bench.clock.advance(SignedDuration::from_secs(1));
    }
    assert_eq!(bench.host.store().app_health().await.unwrap().len(), 1);
    bench.server.set("/token", [tokens(2)]);
    bench.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(bench.session().await.unwrap(), "access-2");
    assert_eq!(bench.host.store().app_health().await.unwrap(), []);
}

#[tokio::test]
async fn tokens_that_come_after_a_disconnect_are_revoked_and_never_stored() {
    let bench = Arc::new(Bench::expired().await);
    bench.server.set("/token", [tokens(2)]);
    bench.server.set("/revoke", [Answer::Json(200, json!({}))]);
    bench.server.shut();
    let refreshing = {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.session().await })
    };
    while bench.server.token_requests() == 0 {
        tokio::task::yield_now().await;
    }
    let connection = bench.connected().await.connection.id;
    let disconnected = bench.host.disconnect(TENANT, &connection).await.unwrap();
    assert!(matches!(disconnected.revocation, connector_host::Revocation::Pending(_)), "the tokens are under way");
    bench.server.open();
    assert!(refreshing.await.unwrap().unwrap_err().to_string().contains("was disconnected"));
    bench.host.drain().await;
    assert_eq!(bench.server.revoked(), ["access-2"]);
    let grant = bench.connected().await.grant;
    assert!(grant.access.is_none() && grant.refresh.is_none() && grant.state.is_over());
    assert!(!lost(&grant.state));
}

#[tokio::test]
async fn a_late_answer_wins_over_what_was_concluded_without_it() {
    let bench = Arc::new(Bench::expired().await);
    bench.server.set("/token", [tokens(2)]);
    bench.server.shut();
    let slow = {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.session().await })
    };
    while bench.server.token_requests() == 0 {
        tokio::task::yield_now().await;
    }
    // Another process finds a token that has rested for long, and the platform rejects it: it is spent.
    let other = bench.another_server([oauth_error("invalid_grant")]).await;
    bench.clock.advance(OVER);
    let grant = bench.connected().await.connection.grant_id;
    other.session(TENANT, &grant).await.unwrap_err();
    assert!(lost(&bench.state().await), "{:?}", bench.state().await);
    bench.server.open();
    assert_eq!(slow.await.unwrap().unwrap(), "access-2");
    assert_eq!(bench.state().await, GrantState::Active);
}
