//! Asking a person again.

use serde_json::{Value, json};

use crate::support::{MIRA, Stage, declining, param, person};

#[test]
fn a_reconnect_keeps_the_connection_its_reference_and_its_beginning() {
    let stage = Stage::new();
    let connected = stage.connect_with("--reference customer-17", &person(MIRA));
    let before = stage.connections()[0].clone();
    let visit = stage.walk(stage.cli("reconnect customer-17 --no-browser --json"), &person(MIRA));
    let again = visit.done.ok().json()[0].clone();
    assert_eq!((&again["id"], &again["reference"]), (&connected["id"], &json!("customer-17")));
    assert_eq!((&connected["new"], &again["new"]), (&json!(true), &json!(false)));
    let after = stage.connections();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0]["connected_at"], before["connected_at"]);
    stage.metrics("--max-age 0");
}

#[test]
fn a_reconnect_shows_the_consent_page_even_to_who_has_consented() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let print = |command: &str| stage.cli(command).run().ok().out.trim().parse().unwrap();
    assert_eq!(param(&print("reconnect mira.bakes --print-url"), "disable_auto_auth").as_deref(), Some("1"));
    assert_eq!(param(&print("connect tiktok --print-url"), "disable_auto_auth"), None);
}

#[test]
fn a_reconnect_with_another_account_changes_nothing() {
    let stage = Stage::new();
    let connected = stage.connect(&person(MIRA));
    let visit = stage.walk(stage.cli("reconnect mira.bakes --no-browser"), &person("jonas"));
    let words = ["logged in as Jonas, not as Mira Okafor", "nothing was changed", "--other-account"];
    let done = visit.done.ends(2, &words);
    assert!(visit.page.contains("nothing was changed"), "{}", visit.page);

    let connections = stage.connections();
    assert_eq!(connections.len(), 1);
    assert_eq!((&connections[0]["id"], &connections[0]["state"]), (&connected["id"], &json!("active")));
    assert_eq!(
        stage.metrics("--max-age 0")["metrics"]["followers"]["value"],
        stage.tiktok.field(MIRA, "follower_count")
    );
    done.without("is kept").without("tries again");
    assert_eq!(stage.tiktok.live_grants("jonas"), 0, "what is not used is given back");
    assert!(visit.page.contains("Not connected"), "{}", visit.page);
}

#[test]
fn another_account_that_is_connected_already_stays_so() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.connect_with("--reference customer-18", &person("jonas"));
    let before = stage.connections();
    let visit = stage.walk(stage.cli("reconnect customer-17 --no-browser"), &person("jonas"));
    let words = ["logged in as Jonas, not as Mira Okafor", "nothing was changed", "was connected before"];
    visit.done.ends(2, &words).without("--other-account");
    let kept = |row: &Value| [row["id"].clone(), row["reference"].clone(), row["state"].clone()];
    let after = stage.connections();
    assert_eq!(after.iter().map(kept).collect::<Vec<_>>(), before.iter().map(kept).collect::<Vec<_>>());
    for name in ["customer-17", "customer-18"] {
        stage.metrics(&format!("{name} --max-age 0"));
    }
}

#[test]
fn another_account_is_connected_as_well_if_that_was_meant() {
    let stage = Stage::new();
    let connected = stage.connect_with("--reference customer-17", &person(MIRA));
    let command = stage.cli("reconnect customer-17 --no-browser --other-account --json");
    let other = stage.walk(command, &person("jonas")).done.ok().json()[0].clone();
    assert_eq!(other["new"], true);
    let connections = stage.connections();
    assert_eq!(connections.len(), 2);
    assert_eq!((&connections[0]["id"], &connections[0]["reference"]), (&connected["id"], &json!("customer-17")));
    assert_eq!((&connections[1]["id"], &connections[1]["reference"]), (&other["id"], &json!(null)));
    for name in ["mira.bakes", "jonas_8841"] {
        stage.metrics(name);
    }
}

#[test]
fn a_reconnect_that_is_refused_leaves_the_connection_as_it_is() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let visit = stage.walk(stage.cli("reconnect mira.bakes --no-browser"), &declining(MIRA));
    visit.done.ends(3, &["did not allow access"]);
    assert_eq!(stage.connections()[0]["state"], "active");
    stage.metrics("--max-age 0");
}

#[test]
fn connecting_an_account_again_is_a_reconnect() {
    let stage = Stage::new();
    let first = stage.connect_with("--reference one", &person(MIRA));
    let again = stage.connect(&person(MIRA));
    assert_eq!((&again["id"], &again["reference"], &again["new"]), (&first["id"], &json!("one"), &json!(false)));
    let renamed = stage.connect_with("--reference two", &person(MIRA));
    assert_eq!((&renamed["id"], &renamed["reference"]), (&first["id"], &json!("two")));
    assert_eq!(stage.connections().len(), 1);
}
