//! Keeping access, whatever gets in the way.

use std::io::Write as _;

use serde_json::json;

use crate::support::{MIRA, Stage, person, unticking};

#[test]
fn many_commands_at_once_spend_no_refresh_token_twice() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.connect(&person(MIRA));

    let running: Vec<_> = (0..8).map(|_| stage.cli("metrics --json --max-age 0").start()).collect();
    let followers = stage.tiktok.field(MIRA, "follower_count");
    for command in running {
        assert_eq!(command.done().ok().json()[0]["metrics"]["followers"]["value"], followers);
    }
    stage.metrics("--max-age 0");
    let (refreshes, reuses) = stage.tiktok.refreshes();
    assert!(refreshes >= 2 && reuses == 0, "{refreshes} refreshes, {reuses} reuses");
}

#[test]
fn ctrl_c_waits_for_a_refresh_under_way_and_keeps_it() {
    let stage = Stage::new();
    let line = stage.held_line();
    stage.tiktok.let_tokens_expire_at_once();
    stage.connect(&person(MIRA));
    stage.tiktok.switch(&json!({ "access_lifetime_seconds": null }));
    let (before, _) = stage.tiktok.refreshes();

    line.hold();
    let mut running = stage.cli("metrics --max-age 0").start();
    line.wait();
    running.interrupt();
    running.line("what is under way is finished first");
    line.release();
    running.done().ends(130, &[]);

    stage.metrics("--max-age 0");
    assert_eq!(stage.tiktok.refreshes(), (before + 1, 0));
}

#[test]
fn a_command_that_nobody_can_hear_any_more_keeps_a_refresh_under_way() {
    let stage = Stage::new();
    let line = stage.held_line();
    stage.connect(&person(MIRA));
    for (args, signal) in [("", "INT"), ("", "HUP"), ("--log-format json", "INT"), ("-vv", "TERM")] {
        if signal == "HUP" && hangups_are_ignored() {
            let why = "skipped: hangups: this test was started under nohup, and so are its programs";
            writeln!(std::io::stderr(), "{why}").unwrap();
            continue;
        }
        stage.let_access_expire();
        let (before, _) = stage.tiktok.refreshes();
        line.hold();
        let running = stage.cli("metrics --max-age 0").args(args).without_err().start();
        line.wait();
        running.signal(signal);
        line.release();
        running.done().ends(130, &[]);
        stage.metrics("--max-age 0");
        assert_eq!(stage.tiktok.refreshes(), (before + 1, 0), "{signal} {args}");
    }
}

/// What a process is told to ignore, its children ignore as well.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[test]
fn ctrl_c_during_the_exchange_keeps_what_was_allowed() {
    let stage = Stage::new();
    let line = stage.held_line();
    let mut running = stage.cli("connect tiktok --no-browser --reference kept").with_input().start();
    let back = stage.consent(&mut running, &person(MIRA));
    line.hold();
    running.paste(back);
    line.wait();
    running.interrupt();
    running.line("what is under way is finished first");
    line.release();
    running.done().ends(130, &[]);

    assert_eq!(stage.connections()[0]["reference"], "kept");
    stage.metrics("");
}

#[test]
fn access_that_is_gone_shows_what_is_stored_until_a_reconnect_repairs_it() {
    let stage = Stage::new();
    let connected = stage.connect_with("--reference customer-17", &person(MIRA));
    let before = stage.metrics("")["metrics"]["followers"]["value"].clone();
    stage.tiktok.withdraw(MIRA, None);

    let done = stage.cli("metrics --json --max-age 0").run().ends(3, &[]);
    let row = &done.json()[0];
    assert_eq!(row["metrics"]["followers"]["value"], before);
    assert_eq!(row["metrics"]["followers"]["stale"], json!({ "reason": "failed", "kind": "reauth_required" }));
    assert_eq!(row["error"]["kind"], "reauth_required");
    stage.cli("metrics --max-age 0").run().ends(3, &["stale", "not updated", "connect this account again"]);
    let id = connected["id"].as_str().unwrap();
    let advice = format!("connector-host reconnect {id}");
    stage.cli("connections").run().ends(0, &["reauth_required (user_revoked)", &advice]);
    stage.cli("connections show customer-17").run().ends(0, &["reauth_required", "last error", &advice]);

    let command = stage.cli("reconnect --no-browser").arg(id);
    let visit = stage.walk(command, &unticking(MIRA, &["user.info.stats"]));
    visit.done.ends(0, &["Reconnected Mira Okafor", "allows less than the one before: user.info.stats"]);
    let repaired = &stage.connections()[0];
    assert_eq!((&repaired["id"], &repaired["state"]), (&connected["id"], &json!("active")));
    assert_eq!(repaired["reference"], "customer-17");
    let followers = &stage.metrics("--max-age 0")["metrics"]["followers"];
    assert_eq!(followers["value"], before, "the history is kept");
    assert_eq!(followers["stale"], json!({ "reason": "withdrawn", "scope": "user.info.stats" }));
}

#[test]
fn an_access_token_that_died_early_is_refreshed_once() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    stage.tiktok.advance(7_300);
    assert_eq!(stage.metrics("")["metrics"]["followers"]["value"], stage.tiktok.field(MIRA, "follower_count"));
    assert_eq!(stage.tiktok.refreshes(), (1, 0));
    let outcomes: Vec<_> =
        stage.tiktok.requests("user_info").iter().map(|request| request["outcome"].clone()).collect();
    assert_eq!(outcomes, ["ok", "access_token_invalid", "ok"]);
}

/// Three minutes pass for the host: its access tokens die, and a refresh token that may be spent has been left alone for long enough.
fn time_passes(stage: &Stage) {
    stage.by_others(
        "UPDATE grants SET refresh_sent_at = refresh_sent_at - 180000, refresh_tick = refresh_tick - 180000,
                           access_expires_at = access_expires_at - 180000, issued_at = issued_at - 180000;
         UPDATE app_health SET next_try_at = next_try_at - 180000",
    );
}

#[test]
fn a_refresh_whose_answer_was_lost_is_said_to_be_lost() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.connect(&person(MIRA));
    stage.metrics("");
    let kept = stage.connections()[0].clone();

    stage.tiktok.fail(&json!({ "endpoint": "token", "body": "reset", "after": true }));
    time_passes(&stage);
    stage.cli("metrics --max-age 0").run().ends(4, &["stale", "could not be refreshed"]);
    assert_eq!(stage.connections()[0]["state"], "active", "in doubt, it is tried once more");
    let asked = stage.tiktok.requests("token").len();
    stage.cli("metrics --max-age 0").run().ends(4, &["stale", "the next try is at"]);
    assert_eq!(stage.tiktok.requests("token").len(), asked, "the platform may still be at the first one");
    time_passes(&stage);
    stage.cli("metrics --max-age 0").run().ends(3, &["stale"]);
    stage.cli("connections").run().ends(0, &["reauth_required (refresh_result_lost)", "connector-host reconnect"]);
    stage.cli("connections list --state reauth_required").run().ends(3, &["Mira Okafor", "connector-host reconnect"]);
    assert_eq!(stage.cli("connections list --state active --json").run().ok().json(), json!([]));
    stage.cli("connections list --state broken").run().ends(2, &["use one of active, held, reauth_required"]);

    stage.walk(stage.cli("reconnect mira.bakes --no-browser"), &person(MIRA)).done.ok();
    assert_eq!(stage.connections()[0]["id"], kept["id"]);
    stage.cli("connections list --state reauth_required").run().ends(0, &["No connection is reauth_required"]);
    stage.metrics("--max-age 0");
}

#[test]
fn a_connection_that_breaks_behind_the_tokens_loses_nothing() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.tiktok.fail(&json!({ "endpoint": "token", "times": 100, "body": "reset_at_end", "after": true }));
    stage.connect(&person(MIRA));
    for _ in 0..3 {
        time_passes(&stage);
        stage.metrics("--max-age 0");
    }
    let (refreshes, reuses) = stage.tiktok.refreshes();
    assert!(refreshes >= 3 && reuses == 0, "{refreshes} refreshes, {reuses} reuses");
}

#[test]
fn a_platform_that_fails_while_refreshing_costs_nothing() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.connect(&person(MIRA));
    stage.metrics("");
    for fault in
        [json!({ "status": 503 }), json!({ "status": 502, "body": "html" }), json!({ "status": 429, "body": "html" })]
    {
        let mut order = json!({ "endpoint": "token" });
        order.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        stage.tiktok.fail(&order);
        time_passes(&stage);
        stage.cli("metrics --max-age 0").run().ends(4, &["stale", "not updated"]);
        time_passes(&stage);
        stage.metrics("--max-age 0");
    }
    assert_eq!(stage.tiktok.refreshes().1, 0);
}

#[test]
fn a_command_that_is_killed_while_it_refreshes_leaves_a_connection_that_can_be_repaired() {
    let stage = Stage::new();
    let line = stage.held_line();
    stage.tiktok.let_tokens_expire_at_once();
    let connected = stage.connect(&person(MIRA));
    let before = stage.metrics("")["metrics"]["followers"]["value"].clone();

    line.hold();
    time_passes(&stage);
    let running = stage.cli("metrics --max-age 0").start();
    line.wait();
    drop(running);
    line.release();

    time_passes(&stage);
    let done = stage.cli("metrics --json --max-age 0").run().ends(3, &[]);
    assert_eq!(done.json()[0]["metrics"]["followers"]["value"], before);
    stage.cli("connections").run().ends(0, &["reauth_required (refresh_result_lost)", "connector-host reconnect"]);
    stage.walk(stage.cli("reconnect mira.bakes --no-browser"), &person(MIRA)).done.ok();
    assert_eq!(stage.connections()[0]["id"], connected["id"]);
    stage.metrics("--max-age 0");
}
