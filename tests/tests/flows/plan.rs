//! What a change of the configuration would mean is told before it is made, and nothing happens.

use http::Method;
use serde_json::{Value, json};

use crate::support::api::{Api, SERVE, fine, key, refused};
use crate::support::{Done, MIRA, Stage, person, unticking};

const NARROW: &str = r#"
[platforms.tiktok.apps.default]
scopes = ["user.info.basic", "user.info.profile"]
"#;

const WITHOUT_STATS: &str = r#"
[platforms.tiktok.apps.default]
scopes = ["user.info.basic", "user.info.profile", "video.upload", "video.publish", "video.list"]
"#;

/// A scope that an operator has added, and that a candidate calls otherwise.
const SCORE: &str = r#"
[platforms.tiktok.apps.default]
scopes = ["user.info.basic", "user.info.score"]

[platforms.tiktok.scopes."user.info.score"]
product     = "Login Kit"
description = "The score of the account"
fields.user_info = { score = "custom.tiktok.score" }
"#;

/// A plan of this candidate over the shipped configuration, as data.
fn plan(stage: &Stage, text: &str) -> Done {
    let file = stage.file("candidate.toml", text);
    stage.cli("config plan --json").arg(file).run()
}

/// What a plan says of the one app.
fn app(done: &Done) -> Value {
    let plan = done.json();
    let apps = plan["apps"].as_array().unwrap();
    assert_eq!(apps.len(), 1, "{plan}");
    apps[0].clone()
}

/// A row of a list, by a name in it.
fn row(rows: &Value, key: &str, name: &str) -> Value {
    let rows = rows.as_array().unwrap();
    rows.iter().find(|row| row[key] == name).unwrap_or_else(|| panic!("no {name} in {rows:?}")).clone()
}

/// Mira was asked for little, and Jonas for everything; he keeps the counts to himself.
fn two_people(stage: &Stage) {
    let narrow = stage.file("narrow.toml", NARROW);
    stage.walk(stage.cli("connect tiktok --no-browser").overlay(narrow), &person(MIRA)).done.ok();
    stage.connect(&unticking("jonas", &["user.info.stats"]));
    // Whosever they are, they are counted.
    stage.connect_with("--tenant other", &person(MIRA));
}

#[test]
fn a_scope_that_is_added_counts_exactly_those_who_were_never_asked() {
    let stage = Stage::new();
    two_people(&stage);
    let narrow = stage.file("narrow.toml", NARROW);
    let shipped = stage.file(
        "wide.toml",
        "[platforms.tiktok.apps.default]\nscopes = [\"user.info.basic\", \"user.info.profile\", \"user.info.stats\"]\n",
    );
    let done = stage.cli("config plan --json").overlay(&narrow).arg(&shipped).run().ends(2, &[]);
    let app = app(&done);
    assert_eq!((&app["connections"], &app["asks_also"]), (&json!(3), &json!(["user.info.stats"])));
    assert_eq!(app["reauthentication_helps"], json!({ "now": 0, "then": 1 }));
    let stats = row(&app["scopes"], "scope", "user.info.stats");
    assert_eq!(stats["then"], json!({ "granted": 1, "never_asked": 1, "not_granted": 1 }));
    let followers = row(&app["fields"], "name", "metric.followers");
    assert_eq!(followers["any_of"], json!(["user.info.stats"]));
    assert_eq!(
        (&followers["missing"], &followers["until_asked"], &followers["gained"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(row(&app["abilities"], "name", "account.metrics")["until_asked"], 1);
    assert_eq!(row(&app["extra"], "scope", "video.list"), json!({ "scope": "video.list", "now": 2, "then": 2 }));

    let words = [
        "3 connections",
        "asks also for user.info.stats",
        "ask again would help 1 connection; now it is 0",
        "user.info.stats: 1 from not_wanted to granted, 1 from not_wanted to never_asked, 1 from not_wanted to not_granted",
        "metric.followers: 1 can use it then; 2 lack it then, 1 of them until they are asked again; it needs user.info.stats",
        "Nothing has been changed.",
    ];
    stage.cli("config plan").overlay(&narrow).arg(&shipped).run().ends(2, &words);
}

#[test]
fn a_scope_that_is_removed_is_told_as_granted_beyond_and_nothing_breaks() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let before = stage.tiktok.record()["seen"].clone();
    let done = plan(&stage, WITHOUT_STATS).ends(2, &[]);
    let app = app(&done);
    assert_eq!(app["asks_no_more"], json!(["user.info.stats"]));
    assert_eq!(app["extra"], json!([{ "scope": "user.info.stats", "now": 0, "then": 1 }]));
    assert_eq!(row(&app["fields"], "name", "metric.followers")["lost"], 1);
    assert_eq!(app["reauthentication_helps"], json!({ "now": 0, "then": 0 }));
    assert_eq!(stage.tiktok.record()["seen"], before, "nothing was sent");
    stage.cli("connections").run().ok().without("hint");
}

#[test]
fn what_changes_nothing_ends_with_0() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let same = "[platforms.tiktok.apps.default]\npending = []\n";
    let done = plan(&stage, same).ok();
    assert_eq!((&done.json()["changes"], &app(&done)["connections"]), (&json!(false), &json!(1)));
    let file = stage.file("candidate.toml", same);
    stage
        .cli("config plan")
        .arg(file)
        .run()
        .ends(0, &["1 connection, and nothing would change", "Nothing would change for any connection or person."]);
}

#[test]
fn a_wrong_candidate_ends_with_1_and_every_mistake() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let wrong = "[platforms.tiktok.apps.default]\nscopes = [\"user.info.basic\", \"user.info.basic\", \"user.info.stat\"]\npending = [\"video.lst\"]\n";
    let file = stage.file("candidate.toml", wrong);
    let words = [
        "candidate.toml: platforms.tiktok.apps.default.scopes",
        "did you mean `user.info.stats`?",
        "default.pending",
        "video.lst",
    ];
    stage.cli("config plan").arg(&file).run().ends(1, &words);
    let problems = plan(&stage, wrong).ends(1, &[]).json();
    assert_eq!(problems["ok"], false);
    assert!(problems["problems"].as_array().unwrap().len() >= 2, "{problems}");
    plan(&stage, "[platforms.tiktok.apps.default\n").ends(1, &["candidate.toml", "not TOML"]);
    stage.cli("config plan nowhere.toml").run().ends(1, &["nowhere.toml", "there is no such file"]);
}

#[test]
fn a_scope_under_another_name_breaks_nothing() {
    let stage = Stage::new();
    stage.tiktok.switch(&json!({
        "extra_scopes": ["user.info.score"],
        "extra_fields": { "score": { "scope": "user.info.score", "value": 4711 } },
    }));
    let now = stage.file("now.toml", SCORE);
    let with = |args: &str| stage.bare("--emulator --data-dir data --config").arg(&now).args(args);
    stage.walk(with("connect tiktok --no-browser"), &person(MIRA)).done.ok();
    let renamed = format!("{SCORE}aliases = [\"user.info.old\"]\n").replace("user.info.score", "user.info.points");
    let then = stage.file("then.toml", &renamed.replace("user.info.old", "user.info.score"));
    let done = with("config plan --replace --json").arg(&then).run().ends(2, &[]);
    let app = app(&done);
    assert_eq!(app["renamed"], json!([{ "from": "user.info.score", "to": "user.info.points" }]));
    assert_eq!(
        row(&app["scopes"], "scope", "user.info.points"),
        json!({ "scope": "user.info.points", "then": { "granted": 1 }, "turns": [] })
    );
    assert_eq!((&app["asks_also"], &app["asks_no_more"], &app["extra"]), (&json!([]), &json!([]), &json!([])));
    assert_eq!(app["reauthentication_helps"], json!({ "now": 0, "then": 0 }));
}

#[test]
fn a_file_in_place_of_the_operators_takes_away_what_it_leaves_out() {
    let stage = Stage::new();
    let operators =
        format!("{SCORE}\n[platforms.tiktok.apps.second]\nkind = \"desktop\"\nscopes = [\"user.info.basic\"]\n");
    let now = stage.file("now.toml", &operators);
    let plain = |args: &str| stage.bare("--emulator --data-dir data --config").arg(&now).args(args);
    stage.walk(plain("connect tiktok --app second --no-browser"), &person(MIRA)).done.ok();
    let then = stage.file("then.toml", SCORE);
    plain("config plan").arg(&then).run().ends(0, &["Nothing would change"]);
    let words = ["app second: 1 connection", "nothing can be done with these connections until it is back"];
    plain("config plan --replace").arg(&then).run().ends(2, &words);
    let removed = plain("config plan --replace --json").arg(&then).run().ends(2, &[]).json();
    assert_eq!(row(&removed["apps"], "app", "second")["presence"], "removed");
    plain("config plan --replace").arg(&now).run().ends(1, &["now.toml is part of the configuration already"]);
}

#[test]
fn a_platform_that_is_not_linked_is_a_warning() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let text = "[platforms.nosuch.scopes.read]\nproduct = \"p\"\ndescription = \"d\"\n";
    let words = [
        "warning:",
        "candidate.toml: platforms.nosuch: no connector for the platform `nosuch`",
        "linked: lantern, tiktok",
    ];
    let done = plan(&stage, text).ends(0, &words);
    assert_eq!(done.json()["warnings"][0]["key"], "platforms.nosuch");
    let file = stage.file("candidate.toml", text);
    stage.cli("config check").overlay(&file).run().ends(0, &words).ends(0, &["The configuration is right"]);
    let checked = stage.cli("config check --json").overlay(&file).run().ok().json();
    assert_eq!(checked["warnings"][0]["key"], "platforms.nosuch");
    for command in ["list", "scopes", "connections", "metrics", "connect tiktok --print-url"] {
        stage.cli(command).overlay(&file).run().ok();
    }
}

#[test]
fn nothing_is_claimed_made_or_needed_but_the_store() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let key = stage.realm().join("vault.key");
    let aside = stage.path("vault.key.aside");
    std::fs::rename(&key, &aside).unwrap();
    let file = stage.file("candidate.toml", WITHOUT_STATS);
    stage.cli("--instance planner config plan").arg(&file).run().ends(2, &["1 connection"]);
    assert!(!key.exists(), "no key was made");
    stage.cli("store show --json").run().ends(0, &["\"instance\": null"]);
    let step = stage.schema_step();
    stage.by_others("PRAGMA user_version = 0");
    stage.cli("config plan").arg(&file).run().ends(1, &["of an earlier version, and is left as it is"]);
    stage.by_others(&format!("PRAGMA user_version = {step}"));
    stage.cli_in("nowhere", "config plan").arg(&file).run().ends(1, &["there is no store"]);
    assert!(!stage.path("nowhere").exists());
}

#[test]
fn over_http_a_plan_is_of_the_tenant_alone_and_names_no_path() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let text = "[platforms.tiktok.apps.default]\nscopes = [\"user.info.basic\"]\n";
    let file = stage.file("candidate.toml", text);
    let printed = stage.cli("config plan --json").arg(&file).run().ends(2, &[]).json();
    let command = stage.cli(SERVE);
    let api = Api::of(stage, command, "config:read");
    let body = json!({ "file": text });
    let plan = fine(&api.post("config/plan", &body));
    assert_eq!((&plan["apps"], &plan["changes"]), (&printed["apps"], &json!(true)), "the same as on the command line");
    assert_eq!(plan["candidate"], json!(["built-in", "operator", "request"]));
    let connections = |plan: &Value| {
        plan["apps"].as_array().unwrap().iter().map(|app| app["connections"].as_u64()).sum::<Option<u64>>()
    };
    assert_eq!(connections(&plan), Some(1));
    let elsewhere = key(&api.stage, "elsewhere", "--tenant other --rights config:read");
    let theirs = fine(&api.send(Method::POST, "config/plan", &elsewhere, None, Some(&body)));
    assert_eq!(connections(&theirs), Some(0), "of others nothing is counted");

    let wrong =
        "[platforms.tiktok.apps.default]\nscopes = [\"user.info.basic\", \"nothing\"]\npending = [\"nowhere\"]\n";
    let problem = refused(&api.post("config/plan", &json!({ "file": wrong })), 422, "configuration_refused");
    let problems = problem["problems"].as_array().unwrap();
    assert!(problems.len() > 1, "all at once: {problem}");
    assert!(problems.iter().all(|problem| problem["file"] == "request"), "{problem}");
    refused(&api.post("config/plan", &json!({ "file": "[platforms" })), 422, "configuration_refused");
    for told in [&plan, &problem] {
        assert!(!told.to_string().contains(".toml") && !told.to_string().contains("TIKTOK"), "{told}");
    }
    let alone = fine(&api.post("config/plan", &json!({ "file": text, "replace": true })));
    assert_eq!(alone["candidate"], json!(["built-in", "request"]));
    api.end();
}
