//! Connections that move between two owners without being lost.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::{MIRA, Stage, person};

/// The objects of a result that has one on each line.
fn objects(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn outcomes(objects: &[Value]) -> Vec<&str> {
    objects.iter().filter_map(|object| object["outcome"].as_str()).collect()
}

fn state(stage: &Stage, dir: &str) -> String {
    let connections = stage.cli_in(dir, "connections --json").run().ok().json();
    let of_first = |key: &str| connections[0][key].as_str().unwrap_or_default().to_owned();
    format!("{} {}", of_first("state"), of_first("reason"))
}

#[test]
fn a_connection_moves_to_another_owner_and_back_and_goes_on_working() {
    let stage = Stage::new();
    let _locks = stage.another_dir("new");
    stage.tiktok.let_tokens_expire_at_once();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.metrics("--max-age 0");

    let done = stage.cli("connections export grants.ndjson --platform tiktok").run();
    done.ends(0, &["exported", "held here", "delete the export"]).without("rft.").without("act.");
    let file = stage.path("grants.ndjson");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    stage.cli("connections export grants.ndjson --platform tiktok").run().ends(2, &["there already"]);
    assert_eq!(state(&stage, "data"), "held exported");
    let asked = stage.tiktok.requests("token").len();
    stage.cli("metrics --max-age 0").run();
    assert_eq!(stage.tiktok.requests("token").len(), asked, "what is held is not refreshed");

    let import = || stage.cli_in("new", "connections import grants.ndjson --platform tiktok --json").run().ok();
    assert_eq!(outcomes(&objects(&import().out)), ["imported"]);
    assert_eq!(outcomes(&objects(&import().out)), ["unchanged"]);
    assert_eq!(state(&stage, "new"), "held imported");
    stage.cli_in("new", "metrics --max-age 0").run().ends(2, &["held here (imported)"]);
    assert_eq!(stage.tiktok.requests("token").len(), asked, "nothing is sent before it is adopted");
    stage.cli_in("new", "connections").run().ends(0, &["its old owner may still use", "connections adopt"]);
    stage.cli_in("new", "connections adopt --all --platform tiktok").run().ends(0, &["1 adopted"]);
    stage.cli_in("new", "connections adopt customer-17").run().ends(2, &["is not held"]);
    for _ in 0..2 {
        let row = stage.cli_in("new", "metrics customer-17 --max-age 0 --json").run().ok().json()[0].clone();
        assert_eq!(row["metrics"]["followers"]["value"], stage.tiktok.field(MIRA, "follower_count"));
    }
    assert_eq!(outcomes(&objects(&import().out)), ["kept"], "older tokens never replace what works");
    stage.cli_in("new", "metrics --max-age 0").run().ok();

    let back = stage.cli_in("new", "connections export - --platform tiktok").run().ok();
    stage.file("back.ndjson", &back.out);
    let done = stage.cli("connections import back.ndjson --platform tiktok --json").run().ok();
    assert_eq!(outcomes(&objects(&done.out)), ["updated"]);
    stage.cli("connections adopt customer-17").run().ok();
    stage.metrics("--max-age 0");
    assert_eq!(stage.tiktok.refreshes().1, 0, "no token was used twice");
    let events = stage.cli("audit customer-17 --json").run().ok().json();
    let events: Vec<&str> = events.as_array().unwrap().iter().filter_map(|record| record["event"].as_str()).collect();
    for event in ["exported", "imported", "adopted"] {
        assert!(events.contains(&event), "{event}: {events:?}");
    }
}

#[test]
fn what_was_exported_is_adopted_by_name_and_on_demand_alone() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.cli("connections export grants.ndjson --platform tiktok").run().ok();
    let line = json!({ "account_id": "-1", "refresh_token": "rft.1" });
    stage.file("one.ndjson", &line.to_string());
    stage.cli("connections import one.ndjson --platform tiktok").run().ends(0, &["--tenant default", "in time unless"]);
    stage.cli("connections adopt --all --platform tiktok").run().ends(0, &["1 adopted"]);
    assert_eq!(state(&stage, "data"), "held exported");
    stage.cli("connections adopt customer-17").run().ends(2, &["was exported from here", "--exported"]);
    stage.cli("connections adopt customer-17 --exported").run().ends(0, &["1 adopted"]);
    assert_eq!(state(&stage, "data"), "active ");
}

#[test]
fn what_a_line_says_besides_the_tokens_counts_and_another_tenants_token_is_refused() {
    let stage = Stage::new();
    let import = |line: &Value, more: &str| {
        stage.file("one.ndjson", &line.to_string());
        let done = stage.cli("connections import one.ndjson --platform tiktok --json").args(more).run();
        let first = objects(&done.out)[0].clone();
        (first["outcome"].as_str().unwrap().to_owned(), first["why"].as_str().unwrap_or_default().to_owned())
    };
    let outcome = |line: &Value| import(line, "").0;
    let mut line = json!({ "account_id": "-1", "refresh_token": "rft.1", "reference": "r-1" });
    assert_eq!(outcome(&line), "imported");
    assert_eq!(outcome(&line), "unchanged");
    for (key, value) in [
        ("reference", json!("r-2")),
        ("refresh_expires_at", json!("2999-01-01T00:00:00Z")),
        ("granted_scopes", json!(["user.info.basic"])),
    ] {
        line[key] = value;
        assert_eq!(outcome(&line), "updated", "{key}");
        assert_eq!(outcome(&line), "unchanged", "{key}");
    }
    assert_eq!(outcome(&json!({ "account_id": "-1", "refresh_token": "rft.1" })), "unchanged", "it says nothing else");
    let connection = &stage.connections()[0];
    assert_eq!((&connection["reference"], &connection["state"]), (&json!("r-2"), &json!("held")));

    let (outcome, why) = import(&line, "--tenant other");
    assert!(outcome == "failed" && why.contains("another tenant"), "{why}");
    let own = json!({ "account_id": "-1", "refresh_token": "rft.own" });
    assert_eq!(
        import(&own, "--tenant other").0,
        "imported",
        "the same account may be two tenants', each with its own access"
    );
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let stage = Stage::new();
    let line = json!({ "account_id": "-1", "refresh_token": "rft.one", "reference": "r-1", "granted_scopes": null });
    stage.file("one.ndjson", &format!("{line}\n"));
    let import = |more: &str| {
        let done = stage.cli("connections import one.ndjson --platform tiktok --json").args(more).run().ok();
        let objects = objects(&done.out);
        (objects[0]["outcome"].clone(), objects[1]["summary"].clone())
    };
    let dry = import("--dry-run");
    assert_eq!(dry.0, "imported");
    assert!(stage.connections().is_empty());
    assert_eq!(import(""), dry);
    let connection = &stage.connections()[0];
    assert_eq!((&connection["state"], &connection["reference"]), (&json!("held"), &json!("r-1")));
    assert!(connection["scopes"].as_array().unwrap().iter().all(|scope| scope["status"] == "unknown"));
    assert!(stage.tiktok.requests("token").is_empty() && stage.tiktok.requests("user_info").is_empty());
}

#[test]
fn a_bad_line_fails_alone_and_is_told_without_what_it_holds() {
    let stage = Stage::new();
    let good = |account: &str, token: &str| json!({ "account_id": account, "refresh_token": token }).to_string();
    let long = format!(r#"{{"account_id":"-9","refresh_token":"{}"}}"#, "c4n4ry".repeat(12_000));
    let lines = [
        good("-1", "rft.1"),
        r#"{"account_id":"-2","refresh_token":"c4n4ry","#.to_owned(),
        r#"{"account_id":"-3","refresh_token":"c4n4ry","password":"c4n4ry"}"#.to_owned(),
        r#"{"account_id":"-4","refresh_token":"c4n4ry","expires_at":"c4n4ry"}"#.to_owned(),
        String::new(),
        long,
        good("-1", "c4n4ry"),
        good("-7", "rft.1"),
        good("-8", "rft.8"),
        r#"{"account_id":"-10","refresh_to"#.to_owned(),
    ];
    stage.file("many.ndjson", &lines.join("\n"));
    let done = stage.cli("connections import many.ndjson --platform tiktok --json -vv").run().ends(1, &[]);
    assert!(!done.out.contains("c4n4ry") && !done.err.contains("c4n4ry"), "{}{}", done.out, done.err);
    let objects = objects(&done.out);
    let failed = |line: u64| {
        let object = objects.iter().find(|object| object["line"] == line).unwrap();
        assert_eq!(object["outcome"], "failed", "{object}");
        object["why"].as_str().unwrap().to_owned()
    };
    for (line, why) in [
        (2, "at column"),
        (3, "`password`"),
        (4, "`expires_at`"),
        (6, "64 KiB"),
        (7, "the same account"),
        (8, "the same refresh token"),
        (10, "cut off"),
    ] {
        assert!(failed(line).contains(why), "{line}: {}", failed(line));
    }
    let expected = json!({ "imported": 2, "updated": 0, "unchanged": 0, "kept": 0, "failed": 7 });
    assert_eq!(objects.last().unwrap()["summary"], expected);
    assert_eq!(stage.connections().len(), 2);
    stage.cli("connections import nowhere.ndjson --platform tiktok").run().ends(1, &["nowhere.ndjson"]);
    stage.cli("connections import many.ndjson --platform tiktok --app other").run().ends(2, &["no app `other`"]);
}

#[test]
fn what_works_here_or_was_given_up_here_is_never_overwritten() {
    let stage = Stage::new();
    let connected = stage.connect_with("--reference customer-17", &person(MIRA));
    let account = connected["account_id"].as_str().unwrap();
    stage.file("one.ndjson", &json!({ "account_id": account, "refresh_token": "rft.old" }).to_string());
    let import = || {
        let done = stage.cli("connections import one.ndjson --platform tiktok --json").run().ok();
        let object = objects(&done.out)[0].clone();
        (object["outcome"].clone(), object["why"].as_str().unwrap().to_owned())
    };
    let (outcome, why) = import();
    assert!(outcome == "kept" && why.contains("works"), "{why}");
    stage.metrics("--max-age 0");
    stage.cli("disconnect customer-17").run().ok();
    let (outcome, why) = import();
    assert!(outcome == "kept" && why.contains("disconnected here"), "{why}");
    assert_eq!(stage.connections()[0]["state"], "disconnected");
}

#[test]
fn disconnecting_what_is_held_tells_the_platform_nothing() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.cli("connections export grants.ndjson --platform tiktok").run().ok();
    stage.cli("disconnect customer-17").run().ends(0, &["held here for its other owner"]);
    assert!(stage.tiktok.requests("revoke").is_empty());
    assert_eq!(stage.tiktok.live_grants(MIRA), 1, "the new owner goes on");
}

#[test]
fn an_export_skips_what_would_be_lost() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.connect(&person(MIRA));
    stage.metrics("");
    stage.tiktok.fail(&json!({ "endpoint": "token", "body": "reset", "after": true }));
    stage.cli("metrics --max-age 0").run();
    let doubt = stage.connections()[0].clone();
    assert_eq!((&doubt["state"], &doubt["doubt"]["unanswered"]), (&json!("active"), &json!(1)));
    assert!(doubt["next_try_at"].is_string() && doubt["told"].as_str().unwrap().contains("was not answered"));
    stage.cli("connections show mira.bakes").run().ends(0, &["was not answered", "the next try is at", "just now"]);
    let done = stage.cli("connections export grants.ndjson --platform tiktok --json").run().ends(1, &["skipped"]);
    assert!(objects(&done.out)[0]["why"].as_str().unwrap().contains("may be spent"));
    assert_eq!(std::fs::read_to_string(stage.path("grants.ndjson")).unwrap(), "");
    assert_eq!(stage.connections()[0]["state"], "active");
}

#[test]
fn ten_thousand_lines_are_imported_in_one_go() {
    let stage = Stage::new();
    let line = |n: u32| json!({ "account_id": format!("-{n}"), "refresh_token": format!("rft.{n}") }).to_string();
    stage.file("many.ndjson", &(0..10_000).map(line).collect::<Vec<_>>().join("\n"));
    let done = stage.cli("connections import many.ndjson --platform tiktok --json").run().ok();
    assert_eq!(objects(&done.out).last().unwrap()["summary"]["imported"], 10_000);
    assert!(done.err.contains("lines so far"), "{}", done.err);
}
