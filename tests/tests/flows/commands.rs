//! What every command says of itself, and the forms its results come in.

use serde_json::Value;

use crate::support::{MIRA, Stage, person};

const COMMANDS: [&str; 11] = [
    "list",
    "scopes",
    "connect",
    "reconnect",
    "disconnect",
    "connections",
    "metrics",
    "config",
    "init",
    "emulator",
    "demo",
];

#[test]
fn every_command_explains_itself() {
    let stage = Stage::new();
    let all = stage.bare("--help").run().ends(0, &["Usage:", "Exit codes: 0 done", "130 ctrl-C", "--emulator", "demo"]);
    for command in COMMANDS {
        assert!(all.out.lines().any(|line| line.trim_start().starts_with(command)), "{command}");
        stage.bare(command).arg("--help").run().ends(0, &["Usage:", "--json", "--tenant", "--quiet", "--data-dir"]);
    }
    stage
        .bare("connect --help")
        .run()
        .ends(0, &["--no-browser", "--print-url", "--redirect-uri", "--port", "--reference", "--app", "Examples:"]);
    stage.bare("reconnect --help").run().ends(0, &["--other-account"]);
    stage.bare("metrics --help").run().ends(0, &["--max-age", "15m"]);
    stage.bare("config show --help").run().ends(0, &["--origin"]);
    stage.bare("--version").run().ends(0, &["connector-host"]);
}

#[test]
fn wrong_usage_is_answered_with_what_is_right() {
    let stage = Stage::new();
    stage.bare("metrics --max-age soon").run().ends(2, &["30s, 15m, 6h or 2d"]);
    stage.bare("conect").run().ends(2, &["connect"]);
    stage.bare("connect").run().ends(2, &["PLATFORM"]);
    stage.bare("").run().ends(2, &["Usage:"]);
    stage.bare("connect tiktok --redirect-uri nonsense").run().ends(2, &["--redirect-uri"]);
}

#[test]
fn the_platforms_are_listed_with_what_they_can_do_and_lack() {
    let stage = Stage::new();
    let words = [
        "TikTok (tiktok): linked, with an emulator",
        "app default, desktop: not configured",
        "asks for user.info.basic",
        "metrics",
    ];
    stage.live("list").run().ends(0, &words[..3]);
    let platforms = stage.live("list --json").run().ok().json();
    let tiktok = platforms.as_array().unwrap().iter().find(|platform| platform["id"] == "tiktok").unwrap();
    assert_eq!(tiktok["linked"], true);
    let abilities: Vec<&str> =
        tiktok["abilities"].as_array().unwrap().iter().map(|ability| ability["name"].as_str().unwrap()).collect();
    for ability in ["content.list", "publish.direct", "publish.draft"] {
        assert!(abilities.contains(&ability), "{abilities:?}");
    }
    assert!(abilities.iter().any(|ability| ability.contains("metrics")), "{abilities:?}");
    assert!(!stage.path("data/store.db").exists(), "looking makes nothing");
}

#[test]
fn results_are_json_if_asked_for_and_nothing_else() {
    let stage = Stage::new();
    let connected = stage.connect_with("--reference customer-17", &person(MIRA));
    assert_eq!(connected["platform"], "tiktok");
    stage.cli("metrics").run().ok();
    for command in [
        "list",
        "scopes",
        "scopes list tiktok",
        "connections",
        "connections list",
        "connections show customer-17",
        "metrics",
        "metrics customer-17",
        "config",
        "config check",
        "config show --origin",
        "disconnect customer-17",
    ] {
        let done = stage.cli(command).arg("--json").run().ok();
        assert!(matches!(done.json(), Value::Array(_) | Value::Object(_)), "{command}");
        assert_eq!(done.err, "", "{command}");
    }
    let shown = stage.cli("connections show customer-17 --json").run().ok().json();
    for key in ["id", "tenant", "reference", "platform", "app", "account_id", "profile", "state", "scopes", "abilities"]
    {
        assert!(!shown[key].is_null(), "{key}: {shown}");
    }
}

#[test]
fn quiet_leaves_the_results_and_verbose_names_the_files() {
    let stage = Stage::new();
    let command = stage.cli("connect tiktok --no-browser --quiet");
    let visit = stage.walk(command, &person(MIRA));
    let done = visit.done.ends(0, &["Connected Mira Okafor"]).without("Then come back");
    assert_eq!(done.err.trim().lines().count(), 1, "only the address: {}", done.err);
    let overlay = stage.file("mine.toml", "");
    let done = stage
        .cli("connections -v")
        .overlay(&overlay)
        .run()
        .ends(0, &["configuration: built-in", "social-platforms.toml"]);
    assert!(done.err.contains("mine.toml") && done.err.contains("data: "), "{}", done.err);
    assert!(!done.out.contains('\u{1b}') && !done.err.contains('\u{1b}'), "colour is for terminals");
}

#[test]
fn a_person_reads_and_a_program_decides_by_the_exit_code_when_there_is_nothing() {
    let stage = Stage::new();
    for command in ["connections", "metrics"] {
        stage.cli(command).run().ends(0, &["No connection yet"]);
        assert_eq!(stage.cli(command).arg("--json").run().ok().json(), serde_json::json!([]));
    }
    stage
        .cli("metrics nobody")
        .run()
        .ends(2, &["no connection of the tenant `default` is called `nobody`", "connector-host connections"]);
}

#[test]
fn init_writes_a_configuration_that_can_be_used() {
    let stage = Stage::new();
    let done = stage.live("init tiktok").run().ends(
        0,
        &[
            "# TikTok",
            "developers.tiktok.com",
            "Login Kit",
            "/oauth/callback/tiktok/default",
            "TIKTOK_CLIENT_KEY",
            "user.info.stats",
        ],
    );
    let file = stage.file("mine.toml", &done.out);
    stage.bare("config check --config").arg(&file).run().ends(0, &["The configuration is right"]);
    stage.bare("list --config").arg(&file).run().ends(0, &["app default, desktop"]);
    stage.live("init").run().ends(0, &["[platforms.tiktok.apps.default]", "# Lantern"]);
}

#[test]
fn the_emulator_says_how_to_use_it() {
    let stage = Stage::new();
    let mut running = stage.bare("emulator tiktok --json --data-dir other").start();
    let document = running.document();
    for app in document["apps"].as_array().unwrap() {
        for key in ["name", "kind", "client_key", "client_secret"] {
            assert!(app[key].is_string(), "{app}");
        }
        assert!(matches!(app["kind"].as_str(), Some("web" | "desktop")));
    }
    running.interrupt();
    running.done().ends(130, &["stopping"]);
}

#[test]
fn an_emulator_keeps_its_grants_when_it_is_started_anew_by_the_next_command() {
    let stage = Stage::new();
    let command = || stage.bare("--emulator --data-dir alone");
    stage.walk(command().args("connect tiktok --no-browser"), &person(MIRA)).done.ok();
    command().args("metrics").run().ends(0, &["Mira Okafor", "followers"]);
    command().args("disconnect mira.bakes").run().ends(0, &["revoked"]);
}
