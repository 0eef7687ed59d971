//! What happened is on record, with the change it is about, and with nothing that must not be known.

use serde_json::{Value, json};

use crate::support::{MIRA, Stage, person};

fn records(stage: &Stage, args: &str) -> Vec<Value> {
    stage.cli("audit --json").args(args).run().ok().json().as_array().unwrap().clone()
}

fn events(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["event"].as_str().unwrap()).collect()
}

#[test]
fn the_life_of_a_connection_is_on_record() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    let connected = stage.connect_with("--reference customer-17", &person(MIRA));
    stage.metrics("--max-age 0");
    stage.walk(stage.cli("reconnect customer-17 --no-browser"), &person(MIRA)).done.ok();
    stage.cli("disconnect customer-17").run().ok();

    let all = records(&stage, "");
    let life = events(&all);
    for event in ["access_allowed", "connected", "token_refreshed", "reconnected", "disconnected", "access_revoked"] {
        assert!(life.contains(&event), "{event} is missing: {life:?}");
    }
    assert_eq!(life.first(), Some(&"access_allowed"));
    assert_eq!(life.iter().filter(|event| **event == "access_allowed").count(), 2);
    let id = connected["id"].as_str().unwrap();
    assert_eq!(events(&records(&stage, id)), life, "a connection is shown with its grants");
    let disconnected = records(&stage, "customer-17 --event disconnected");
    assert_eq!(disconnected.len(), 1);
    assert_eq!((&disconnected[0]["connection"], &disconnected[0]["detail"]["grant"]), (&json!(id), &json!("ended")));
    assert_eq!(disconnected[0]["detail"]["by"], "command");
    assert_eq!(records(&stage, "--limit 1")[0], all[all.len() - 1]);
    assert_eq!(records(&stage, "--since 2099-01-01T00:00:00Z"), Vec::<Value>::new());
    stage.cli("audit").run().ends(0, &["access_allowed", "disconnected", id]);
    stage.cli("audit --since tomorrow").run().ends(2, &["how long ago"]);
    assert_nobody_is_named(&stage, &all, &connected);
    stage.assert_nothing_leaked();
}

/// Records stay for good, so they hold no account's id, handle or name.
fn assert_nobody_is_named(stage: &Stage, records: &[Value], connected: &Value) {
    let said = serde_json::to_string(records).unwrap();
    for name in ["account_id", "reference"].map(|key| connected[key].as_str().unwrap()) {
        assert!(!said.contains(name), "{name}: {said}");
    }
    for field in ["display_name", "username"] {
        let name = stage.tiktok.field(MIRA, field);
        assert!(!said.contains(name.as_str().unwrap()), "{name}: {said}");
    }
}

#[test]
fn a_token_that_is_rejected_out_of_the_blue_is_an_event_of_its_own() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.metrics("");
    stage.tiktok.withdraw(MIRA, None);
    stage.cli("metrics --max-age 0").run().ends(3, &["stale"]);
    let rejected = records(&stage, "--event refresh_token_rejected");
    assert_eq!(rejected.len(), 1);
    assert_eq!((&rejected[0]["detail"]["unexpected"], &rejected[0]["detail"]["unanswered"]), (&json!(true), &json!(0)));
    assert_eq!(rejected[0]["detail"]["reason"], "user_revoked");
}

#[test]
fn an_access_that_died_before_its_account_was_read_is_shown() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.tiktok.fail(&json!({ "endpoint": "user_info", "times": 3, "status": 500 }));
    stage.walk(stage.cli("connect tiktok --no-browser"), &person(MIRA)).done.ends(4, &["access was allowed"]);
    stage.tiktok.withdraw(MIRA, None);
    for _ in 0..2 {
        let words = ["waits for its account", "no longer takes it (refresh_token_rejected)", "connector-host connect"];
        stage.cli("connections").run().ends(0, &words);
    }
}

#[test]
fn somebody_else_at_a_reconnect_is_on_record_without_a_name() {
    let stage = Stage::new();
    let connected = stage.connect_with("--reference customer-17", &person(MIRA));
    let visit = stage.walk(stage.cli("reconnect customer-17 --no-browser"), &person("jonas"));
    visit.done.ends(2, &["not as Mira"]);
    let all = records(&stage, "");
    let changed: Vec<&Value> = all.iter().filter(|record| record["event"] == "identity_changed").collect();
    assert_eq!(changed.len(), 1);
    let detail = &changed[0]["detail"];
    assert_ne!(detail["expected"], detail["came"][0]);
    assert_eq!(detail["expected"].as_str().unwrap().len(), 16);
    assert!(events(&all).contains(&"access_given_up"));
    assert_nobody_is_named(&stage, &all, &connected);
}

#[test]
fn what_happened_to_the_keys_is_shown_with_what_happened_to_connections() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.cli("vault rotate").run().ok();
    let all = records(&stage, "");
    let keys = all.iter().filter(|record| record["event"].as_str().unwrap().starts_with("vault_key_"));
    assert!(keys.count() > 0, "{:?}", events(&all));
    let at = |record: &Value| record["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(all.is_sorted_by_key(at));
    assert_eq!(records(&stage, "--limit 1")[0], all[all.len() - 1]);
    let of_connection = records(&stage, "customer-17");
    assert!(events(&of_connection).iter().all(|event| !event.starts_with("vault_key_")), "{of_connection:?}");
}
