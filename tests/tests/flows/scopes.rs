//! Scopes are a matter of configuration and of what each person allowed: nothing is rebuilt.

use serde_json::{Value, json};

use crate::support::{Cli, MIRA, Stage, param, person};

const NARROW: &str = r#"
[platforms.tiktok.apps.default]
scopes = ["user.info.basic", "video.upload", "video.publish", "video.list"]
"#;

const NEW_ROW: &str = r#"
[platforms.tiktok.apps.default]
scopes = ["user.info.basic", "user.info.profile", "user.info.stats", "video.upload", "video.publish", "video.list", "user.info.score"]

[platforms.tiktok.scopes."user.info.score"]
product     = "Login Kit"
description = "The score of the account"
fields.user_info = { score = "custom.tiktok.score" }
"#;

/// What the authorize URL of a command asks for.
pub(crate) fn asked(command: Cli) -> Vec<String> {
    let done = command.args("connect tiktok --print-url").run().ok();
    let scopes = param(&done.out.trim().parse().unwrap(), "scope").unwrap();
    scopes.split(',').map(str::to_owned).collect()
}

/// What the latest call of user info asked for.
pub(crate) fn fields(stage: &Stage) -> Vec<String> {
    let request = stage.tiktok.requests("user_info").pop().unwrap();
    assert_eq!(request["outcome"], "ok");
    request["detail"].as_str().unwrap().split(',').map(str::to_owned).collect()
}

/// How a scope of the first connection stands.
pub(crate) fn status(command: Cli, scope: &str) -> Value {
    let connection = command.args("connections show mira --json").run().ok().json();
    let scopes = connection["scopes"].as_array().unwrap();
    scopes.iter().find(|row| row["scope"] == scope).map_or(json!(null), |row| row["status"].clone())
}

pub(crate) fn listed(command: Cli) -> Vec<Value> {
    let platforms = command.args("list --json").run().ok().json();
    let tiktok = platforms.as_array().unwrap().iter().find(|platform| platform["id"] == "tiktok").unwrap();
    tiktok["apps"][0]["scopes"].as_array().unwrap().clone()
}

#[test]
fn a_scope_added_by_configuration_is_asked_for_and_brings_its_counts() {
    let stage = Stage::new();
    let narrow = stage.file("narrow.toml", NARROW);
    let with = || stage.cli("").overlay(&narrow);
    assert_eq!(asked(with()), ["user.info.basic", "video.upload", "video.publish", "video.list"]);
    assert_eq!(listed(with()).len(), 4);
    stage.walk(with().args("connect tiktok --no-browser --reference mira"), &person(MIRA)).done.ok();
    assert!(fields(&stage).contains(&"open_id".to_owned()) && !fields(&stage).contains(&"username".to_owned()));
    let row = with().args("metrics --json").run().ok().json();
    assert_eq!(
        row[0]["metrics"]["followers"],
        json!({ "missing": { "reason": "not_wanted", "scope": "user.info.stats" } })
    );

    assert_eq!(asked(stage.cli("")).len(), 6);
    assert_eq!(listed(stage.cli("")).len(), 6);
    assert_eq!(status(stage.cli(""), "user.info.stats"), "never_asked");
    stage.cli("metrics").run().ends(0, &["needs user.info.stats, never asked for"]);
    let hint = "would also ask for user.info.profile, user.info.stats";
    stage.cli("connections").run().ends(0, &["hint: connector-host reconnect", hint]);

    stage.walk(stage.cli("reconnect mira --no-browser"), &person(MIRA)).done.ok();
    assert_eq!(status(stage.cli(""), "user.info.stats"), "granted");
    assert_eq!(
        stage.metrics("")["metrics"]["followers"]["value"],
        stage.tiktok.field(MIRA, "follower_count"),
        "without a word about age: the stored reading has nothing to say about it"
    );
    assert!(fields(&stage).contains(&"follower_count".to_owned()));
    stage.cli("connections").run().ok().without("hint");
}

#[test]
fn a_scope_removed_by_configuration_is_neither_asked_for_nor_used() {
    let stage = Stage::new();
    stage.connect_with("--reference mira", &person(MIRA));
    let before = stage.metrics("")["metrics"]["followers"]["value"].clone();

    let narrow = stage.file("narrow.toml", NARROW);
    let with = || stage.cli("").overlay(&narrow);
    assert!(!asked(with()).contains(&"user.info.stats".to_owned()));
    let row = with().args("metrics --json --max-age 0").run().ok().json();
    assert_eq!(row[0]["metrics"]["followers"]["value"], before, "what is stored is shown");
    assert_eq!(row[0]["metrics"]["followers"]["stale"], json!({ "reason": "not_wanted", "scope": "user.info.stats" }));
    assert!(!fields(&stage).contains(&"follower_count".to_owned()), "{:?}", fields(&stage));
    let shown = with().args("connections show mira --json").run().ok().json();
    assert_eq!(shown["extra_scopes"], json!(["user.info.profile", "user.info.stats"]));
    assert_eq!(shown["reauthentication_helps"], false);
    let rows = with().args("scopes list tiktok --json").run().ok().json();
    let stats = rows.as_array().unwrap().iter().find(|row| row["scope"] == "user.info.stats").unwrap();
    assert_eq!(stats["wanted_by"], json!([]));
}

#[test]
fn a_new_row_of_the_catalogue_brings_a_new_count() {
    let stage = Stage::new();
    stage.tiktok.switch(&json!({
        "extra_scopes": ["user.info.score"],
        "extra_fields": { "score": { "scope": "user.info.score", "value": 4711 } },
    }));
    stage.connect_with("--reference mira", &person(MIRA));
    assert!(stage.metrics("")["metrics"].get("custom.tiktok.score").is_none());

    let row = stage.file("row.toml", NEW_ROW);
    let with = || stage.cli("").overlay(&row);
    assert_eq!(asked(with()).last().unwrap(), "user.info.score");
    with().args("list").run().ends(0, &["user.info.score"]);
    with()
        .args("scopes list tiktok")
        .run()
        .ends(0, &["user.info.score", "The score of the account", "custom.tiktok.score"]);
    assert_eq!(status(with(), "user.info.score"), "never_asked");
    with()
        .args("connections show mira")
        .run()
        .ends(0, &["user.info.score    never_asked", "would also ask for user.info.score"]);
    with().args("metrics").run().ends(0, &["custom.tiktok.score", "needs user.info.score, never asked for"]);
    assert!(!fields(&stage).contains(&"score".to_owned()));

    stage.walk(with().args("reconnect mira --no-browser"), &person(MIRA)).done.ok();
    assert_eq!(status(with(), "user.info.score"), "granted");
    let metrics = with().args("metrics --json").run().ok().json();
    assert_eq!(metrics[0]["metrics"]["custom.tiktok.score"]["value"], 4711);
    assert!(fields(&stage).contains(&"score".to_owned()));
}

#[test]
fn a_text_of_a_new_row_goes_to_the_profile() {
    let stage = Stage::new();
    stage.tiktok.switch(&json!({
        "extra_scopes": ["user.info.score"],
        "extra_fields": { "score": { "scope": "user.info.score", "value": "high" } },
    }));
    let row = stage.file("row.toml", NEW_ROW);
    let with = || stage.cli("").overlay(&row);
    stage.walk(with().args("connect tiktok --no-browser --reference mira"), &person(MIRA)).done.ok();
    with().args("metrics").run().ok();
    let shown = with().args("connections show mira --json").run().ok().json();
    assert_eq!(shown["profile"]["custom.tiktok.score"], "high");
}

#[test]
fn a_pending_scope_is_never_asked_for() {
    let stage = Stage::new();
    let pending = stage.file("pending.toml", "[platforms.tiktok.apps.default]\npending = [\"user.info.stats\"]\n");
    let with = || stage.cli("").overlay(&pending);
    assert!(!asked(with()).contains(&"user.info.stats".to_owned()));
    with().args("list").run().ends(0, &["pending  user.info.stats"]);
    stage.walk(with().args("connect tiktok --no-browser --reference mira"), &person(MIRA)).done.ok();
    assert_eq!(status(with(), "user.info.stats"), "pending");
    with().args("metrics").run().ends(0, &["needs user.info.stats, pending at the platform"]);
}

#[test]
fn a_scope_withdrawn_at_the_platform_is_seen_at_the_next_refresh() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.connect_with("--reference mira", &person(MIRA));
    let before = stage.metrics("")["metrics"]["followers"]["value"].clone();
    stage.tiktok.withdraw(MIRA, Some(&["user.info.stats"]));

    // The first command learns it from the answer to its refresh, and asks for no more than is left.
    let followers = stage.metrics("--max-age 0")["metrics"]["followers"].clone();
    assert_eq!(followers["value"], before);
    let followers = stage.metrics("--max-age 0")["metrics"]["followers"].clone();
    assert_eq!(followers["stale"], json!({ "reason": "withdrawn", "scope": "user.info.stats" }));
    assert_eq!(status(stage.cli(""), "user.info.stats"), "withdrawn");
    assert!(!fields(&stage).contains(&"follower_count".to_owned()));
}

#[test]
fn a_scope_withdrawn_at_the_platform_is_seen_when_a_call_is_refused_for_it() {
    let stage = Stage::new();
    stage.connect_with("--reference mira", &person(MIRA));
    let before = stage.metrics("")["metrics"]["followers"]["value"].clone();
    stage.tiktok.withdraw(MIRA, Some(&["user.info.stats"]));
    // The refusal is reason enough to ask once what is left, and the rest is read at once.
    let row = stage.metrics("--max-age 0");
    let withdrawn = json!({ "reason": "withdrawn", "scope": "user.info.stats" });
    assert_eq!(
        row["metrics"]["followers"],
        json!({ "value": before, "observed_at": row["metrics"]["followers"]["observed_at"], "stale": withdrawn })
    );
    assert_eq!(stage.tiktok.refreshes(), (1, 0));
    assert!(!fields(&stage).contains(&"follower_count".to_owned()) && fields(&stage).contains(&"username".to_owned()));
    assert_eq!(stage.connections()[0]["state"], "active");
    stage.metrics("--max-age 0");
    assert_eq!(stage.tiktok.refreshes(), (1, 0));
}
