//! Giving a connection up.

use connector_host::store::{LastError, Revocations as _};
use serde_json::json;

use crate::support::{MIRA, Stage, person};

#[test]
fn a_disconnected_account_is_revoked_and_unusable_at_once() {
    let stage = Stage::new();
    let connected = stage.connect_with("--reference customer-17", &person(MIRA));
    stage.metrics("");
    let done = stage.cli("disconnect customer-17 --json").run().ok();
    assert_eq!(done.json(), json!({ "connection": connected["id"], "revocation": "revoked" }));
    assert_eq!(stage.tiktok.live_grants(MIRA), 0);

    let calls = stage.tiktok.requests("user_info").len();
    let done = stage.cli("metrics customer-17 --max-age 0").run();
    assert!(done.err.contains("disconnected") || done.out.contains("disconnected"), "{done:?}");
    assert_eq!(stage.tiktok.requests("user_info").len(), calls, "nothing was asked");
    stage.cli("metrics").run().ok().without("Mira");
    stage.cli("connections").run().ends(0, &["customer-17", "disconnected"]).without("hint");
    stage.cli("disconnect customer-17").run().ends(2, &["disconnected already"]);
    stage.assert_nothing_leaked();
}

#[test]
fn an_account_that_is_connected_again_keeps_its_connection_and_history() {
    let stage = Stage::new();
    let connected = stage.connect_with("--reference customer-17", &person(MIRA));
    let before = stage.metrics("");
    stage.cli("disconnect customer-17").run().ok();

    let again = stage.connect(&person(MIRA));
    assert_eq!((&again["id"], &again["reference"]), (&connected["id"], &json!("customer-17")));
    let connections = stage.connections();
    assert_eq!(connections.len(), 1);
    assert_eq!((&connections[0]["state"], &connections[0]["disconnected_at"]), (&json!("active"), &json!(null)));
    assert_eq!(stage.metrics("")["metrics"], before["metrics"], "the stored reading is still there");
    stage.metrics("--max-age 0");
}

#[test]
fn an_access_whose_account_was_not_read_yet_does_not_undo_a_disconnect() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.tiktok.fail(&json!({ "endpoint": "user_info", "times": 3, "status": 500 }));
    let visit = stage.walk(stage.cli("reconnect customer-17 --no-browser"), &person(MIRA));
    visit.done.ends(4, &["access was allowed and is kept"]);
    stage.cli("disconnect customer-17").run().ends(0, &["its access is revoked at the platform"]);
    for _ in 0..2 {
        assert_eq!(stage.connections()[0]["state"], "disconnected");
    }
    assert_eq!(stage.tiktok.live_grants(MIRA), 0);
    stage.connect(&person(MIRA));
    assert_eq!(stage.connections()[0]["state"], "active");
}

#[test]
fn a_platform_that_is_down_is_told_later() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.tiktok.fail(&json!({ "endpoint": "revoke", "status": 503 }));
    stage.cli("disconnect customer-17").run().ends(0, &["could not be told yet", "later commands try again"]);
    assert_eq!(stage.tiktok.live_grants(MIRA), 1);
    stage.cli("connections").run().ends(0, &["disconnecting"]);
    let calls = stage.tiktok.requests("user_info").len();
    stage.cli("metrics customer-17 --max-age 0").run();
    assert_eq!(stage.tiktok.requests("user_info").len(), calls, "its tokens are not used any more");

    make_due(&stage);
    stage.cli("metrics").run().ok();
    assert_eq!(stage.tiktok.live_grants(MIRA), 0);
    let connections = stage.connections();
    assert_eq!((connections.len(), &connections[0]["state"]), (1, &json!("disconnected")));
    stage.assert_nothing_leaked();
}

/// The wait between two attempts is over.
fn make_due(stage: &Stage) {
    let now = stage.web.cx.now();
    let in_an_hour = now.saturating_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let store = stage.store();
    let jobs = stage.web.wait(store.revocations_due(in_an_hour)).unwrap();
    assert_eq!(jobs.len(), 1);
    let job = &jobs[0];
    assert!(job.next_try_at > now, "it is not tried again at once");
    let error = LastError::new(&connector_core::Error::config("the wait is over"), now);
    assert!(stage.web.wait(store.postpone_revocation(job, jiff::SignedDuration::ZERO, &error)).unwrap());
}

#[test]
fn an_access_token_that_has_expired_is_refreshed_before_it_revokes() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.connect_with("--reference customer-17", &person(MIRA));
    let (before, _) = stage.tiktok.refreshes();
    stage.cli("disconnect customer-17").run().ends(0, &["its access is revoked at the platform"]);
    assert_eq!(stage.tiktok.live_grants(MIRA), 0);
    assert_eq!(stage.tiktok.refreshes(), (before + 1, 0));
    stage.assert_nothing_leaked();
}

#[test]
fn an_account_whose_access_ended_at_the_platform_can_be_disconnected() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.tiktok.withdraw(MIRA, None);
    stage.cli("disconnect customer-17").run().ends(0, &["revoked"]);
    assert_eq!(stage.connections()[0]["state"], "disconnected");
}

#[test]
fn an_account_that_needs_its_person_can_be_disconnected() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.tiktok.withdraw(MIRA, None);
    stage.cli("metrics --max-age 0").run().ends(3, &[]);
    stage.cli("disconnect customer-17").run().ends(0, &["revoked"]);
    assert_eq!(stage.connections()[0]["state"], "disconnected");
}

#[test]
fn disconnecting_one_account_leaves_the_others_alone() {
    let stage = Stage::new();
    stage.connect_with("--reference one", &person(MIRA));
    stage.connect_with("--reference two", &person("jonas"));
    stage.cli("disconnect one").run().ok();
    assert_eq!((stage.tiktok.live_grants(MIRA), stage.tiktok.live_grants("jonas")), (0, 1));
    stage.metrics("two --max-age 0");
}
