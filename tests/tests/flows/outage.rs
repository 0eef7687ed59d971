//! A platform that is down, slow to recover, or talks nonsense: nothing is lost, and no error becomes a number.

use serde_json::{Value, json};

use crate::support::{MIRA, Stage, person};

/// A read is tried three times.
const TRIES: u32 = 3;

fn with_fault(stage: &Stage, endpoint: &str, times: u32, fault: &Value) {
    let mut order = json!({ "endpoint": endpoint, "times": times });
    order.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
    stage.tiktok.fail(&order);
}

#[test]
fn counts_that_cannot_be_fetched_are_shown_as_stored_and_as_stale() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let before = stage.metrics("")["metrics"]["followers"]["value"].clone();
    for (fault, code, kind) in [
        (json!({ "status": 503 }), 4, "unavailable"),
        (json!({ "status": 502, "body": "html" }), 4, "unavailable"),
        (json!({ "status": 200, "body": "html" }), 1, "protocol"),
        (json!({ "status": 200, "body": "truncated" }), 1, "protocol"),
        (json!({ "body": "reset" }), 4, "unavailable"),
    ] {
        with_fault(&stage, "user_info", TRIES, &fault);
        let done = stage.cli("metrics --json --max-age 0").run().ends(code, &[]);
        let row = &done.json()[0];
        assert_eq!(row["metrics"]["followers"]["value"], before, "{fault}");
        assert_eq!(row["metrics"]["followers"]["stale"], json!({ "reason": "failed", "kind": kind }), "{fault}");
        assert_eq!(row["error"]["kind"], kind);
        stage.tiktok.fail(&json!({ "endpoint": "user_info", "times": 0 }));
        assert_eq!(stage.connections()[0]["state"], "active", "{fault}");
    }
    stage.metrics("--max-age 0");
    assert_eq!(stage.connections()[0]["last_error"], json!(null));
}

#[test]
fn counts_that_were_never_read_are_missing_and_not_zero() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    with_fault(&stage, "user_info", TRIES, &json!({ "status": 503 }));
    let done = stage.cli("metrics --json").run().ends(4, &[]);
    assert_eq!(
        done.json()[0]["metrics"]["followers"],
        json!({ "missing": { "reason": "failed", "kind": "unavailable" } })
    );
    stage.metrics("");
}

#[test]
fn a_read_that_fails_once_is_repeated() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    with_fault(&stage, "user_info", 1, &json!({ "status": 503 }));
    stage.metrics("");
}

#[test]
fn too_many_calls_are_waited_out() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    stage.tiktok.switch(&json!({ "user_info_per_minute": 1, "retry_after_seconds": 7 }));
    let done = stage.cli("metrics --json").run().ends(4, &["rate_limit_exceeded"]);
    assert_eq!(done.json()[0]["error"]["kind"], "rate_limited");
    let limited = stage.tiktok.requests("user_info").iter().filter(|request| request["status"] == 429).count();
    assert_eq!(limited, 1, "it is not hammered");
}

#[test]
fn an_exchange_that_fails_stores_nothing_and_says_what_to_do() {
    let stage = Stage::new();
    for (fault, code, words) in [
        (json!({ "status": 503 }), 4, "failed while exchanging the code"),
        (json!({ "status": 502, "body": "html" }), 4, "did not exchange the code"),
        (json!({ "status": 200, "body": "html" }), 1, "something unreadable"),
        (json!({ "body": "reset" }), 4, "broke off"),
    ] {
        with_fault(&stage, "token", 1, &fault);
        let visit = stage.walk(stage.cli("connect tiktok --no-browser"), &person(MIRA));
        visit.done.ends(code, &[words]);
        assert!(visit.page.contains("Not connected"), "{}", visit.page);
        assert!(stage.connections().is_empty(), "{fault}");
    }
    stage.connect(&person(MIRA));
}

#[test]
fn accounts_that_cannot_be_read_yet_are_read_later_and_nothing_is_lost() {
    let stage = Stage::new();
    with_fault(&stage, "user_info", TRIES, &json!({ "status": 500 }));
    let visit = stage.walk(stage.cli("connect tiktok --no-browser --reference customer-17"), &person(MIRA));
    visit.done.ends(4, &["access was allowed and is kept", "connector-host connections", "tries again"]);
    assert!(visit.page.contains("Allowed, but not connected yet"), "{}", visit.page);

    with_fault(&stage, "user_info", TRIES, &json!({ "status": 500 }));
    stage.cli("connections").run().ends(0, &["access allowed on 20", "waits for its account:", "Internal error"]);
    with_fault(&stage, "user_info", TRIES, &json!({ "status": 500 }));
    assert!(stage.connections().is_empty(), "still down");
    let done = stage.cli("connections --json").run().ends(0, &["Connected Mira Okafor (tiktok)"]);
    let connections = done.json().as_array().unwrap().clone();
    assert_eq!((connections.len(), &connections[0]["reference"]), (1, &json!("customer-17")));
    assert_eq!(connections[0]["state"], "active");
    stage.metrics("customer-17");
    assert_eq!(stage.tiktok.live_grants(MIRA), 1);
    stage.assert_nothing_leaked();
}

#[test]
fn of_several_things_that_go_wrong_the_one_for_a_person_decides_the_exit_code() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    stage.connect(&person("jonas"));
    stage.tiktok.withdraw(MIRA, None);
    stage.cli("metrics mira.bakes").run().ends(3, &[]);
    with_fault(&stage, "user_info", TRIES, &json!({ "status": 503 }));
    stage.cli("metrics --max-age 0").run().ends(3, &["connect this account again", "Internal error"]);
}

#[test]
fn a_count_from_the_future_is_not_taken_for_a_fresh_one() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let before = stage.metrics("")["metrics"]["followers"]["value"].clone();
    stage.by_others(
        "INSERT INTO samples SELECT connection, metric, observed_at + 3600000, value + 1, feed, position + 1000 FROM samples;
         UPDATE readings SET observed_at = observed_at + 3600000",
    );
    let asked = stage.tiktok.requests("user_info").len();
    for args in ["--max-age 0", ""] {
        assert_eq!(stage.metrics(args)["metrics"]["followers"]["value"], before, "the clock was set back since");
    }
    assert_eq!(stage.tiktok.requests("user_info").len(), asked + 2);
}
