//! A platform on which one consent reaches two accounts.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Cli, LANTERN, Stage, person, unticking};

fn lantern(stage: &Stage, args: &str) -> Cli {
    stage.cli(args).overlay(LANTERN)
}

/// The grants that the platform still holds.
fn grants(stage: &Stage) -> usize {
    let kept = std::fs::read(stage.realm().join("lantern.json")).unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    kept["grants"].as_object().unwrap().len()
}

fn connect(stage: &Stage) -> Vec<String> {
    let visit = stage.walk(lantern(stage, "connect lantern --no-browser --json"), &person("ada"));
    let rows = visit.done.ok().json();
    assert!(visit.page.contains("Ada and Ada"), "{}", visit.page);
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn one_consent_connects_both_accounts() {
    let stage = Stage::new();
    let ids = connect(&stage);
    assert_eq!(ids.len(), 2);
    let rows = lantern(&stage, "metrics --json").run().ok().json();
    let followers = |row: &Value| row["metrics"]["followers"]["value"].as_i64().unwrap();
    let followers: BTreeSet<i64> = rows.as_array().unwrap().iter().map(followers).collect();
    assert_eq!(followers, [1204, 9_007_199_254_740_993].into());
    lantern(&stage, "metrics").run().ends(0, &["custom.lantern.glow", "77", "9 007 199 254 740 993"]);
}

#[test]
fn the_last_of_two_connections_revokes_what_both_use() {
    let stage = Stage::new();
    let ids = connect(&stage);
    assert_eq!(grants(&stage), 1);
    lantern(&stage, "disconnect").arg(&ids[0]).run().ends(0, &["other connections still use the same access"]);
    assert_eq!(grants(&stage), 1);
    let rows = lantern(&stage, "metrics --json --max-age 0").run().ok().json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["connection"], ids[1].as_str());

    lantern(&stage, "disconnect").arg(&ids[1]).run().ends(0, &["its access is revoked at the platform"]);
    assert_eq!(grants(&stage), 0);
}

#[test]
fn two_platforms_live_in_one_store() {
    let stage = Stage::new();
    connect(&stage);
    stage.connect(&person("mira"));
    let done = lantern(&stage, "connections").run().ends(0, &["lantern", "tiktok", "Ada", "Mira Okafor"]);
    assert_eq!(done.out.matches("active").count(), 3, "{}", done.out);
    lantern(&stage, "list").run().ends(0, &["Lantern (lantern): linked, with an emulator", "TikTok (tiktok): linked"]);
    lantern(&stage, "scopes list lantern")
        .run()
        .ends(0, &["audience:read", "custom.lantern.glow"])
        .without("video.list");
}

#[test]
fn connections_of_a_platform_that_is_configured_no_more_stay_where_they_are() {
    let stage = Stage::new();
    connect(&stage);
    stage.connect(&person("mira"));
    stage.cli("connections").run().ends(0, &["lantern", "tiktok"]);
    stage.cli("metrics mira.bakes").run().ok();
    let done = stage.cli("metrics").run();
    assert!(done.out.contains("Mira Okafor"), "one platform does not hide the others: {done:?}");
    stage.cli("connect lantern").run().ends(2, &["linked but not configured", "[platforms.lantern]"]);
    let rows = lantern(&stage, "metrics --json").run().ok().json();
    assert_eq!(rows.as_array().unwrap().len(), 3);
}

#[test]
fn a_person_who_allows_no_counts_at_all_is_respected() {
    let stage = Stage::new();
    let consent = unticking("ada", &["stats:read", "audience:read"]);
    stage.walk(lantern(&stage, "connect lantern --no-browser"), &consent).done.ok();
    lantern(&stage, "metrics").run().ends(0, &["needs stats:read, not granted", "needs audience:read, not granted"]);
    lantern(&stage, "connections").run().ok().without("hint");
}
