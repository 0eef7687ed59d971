//! What every command says of itself, and the forms its results come in.

use serde_json::Value;

use crate::support::{MIRA, Stage, person};

const COMMANDS: [&str; 19] = [
    "list",
    "scopes",
    "connect",
    "reconnect",
    "disconnect",
    "connections",
    "metrics",
    "store",
    "backup",
    "restore",
    "audit",
    "tokens",
    "api-keys",
    "serve",
    "config",
    "init",
    "emulator",
    "vault",
    "demo",
];

#[test]
fn every_command_explains_itself() {
    let stage = Stage::new();
    let words = ["Usage:", "Exit codes:", "0    done", "130  stopped by ctrl-C", "--emulator", "demo"];
    let all = stage.bare("--help").run().ends(0, &words);
    for command in COMMANDS {
        assert!(all.out.lines().any(|line| line.trim_start().starts_with(command)), "{command}");
        let long = ["Usage:", "--json", "--tenant", "--quiet", "--data-dir", "Examples:\n  connector-host"];
        stage.bare(command).arg("--help").run().ends(0, &long);
        let short = stage.bare(command).arg("-h").run().ends(0, &["Usage:", "--json", "--emulator", "Examples:"]);
        short.without("--tenant").without("--verbose");
    }
    stage
        .bare("connect --help")
        .run()
        .ends(0, &["--no-browser", "--print-url", "--redirect-uri", "--port", "--reference", "--app", "Examples:"]);
    stage.bare("reconnect --help").run().ends(0, &["--other-account"]);
    stage.bare("metrics --help").run().ends(0, &["--max-age", "15m", "Exit codes:"]);
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
        "app default, desktop: not configured\n",
        "    no client id: the environment variable TIKTOK_CLIENT_KEY is not set\n",
        "    no client secret: the environment variable TIKTOK_CLIENT_SECRET is not set\n",
        "asks for user.info.basic",
        "metrics",
    ];
    stage.live("list").run().ends(0, &words);
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
fn with_emulators_an_app_needs_no_credentials_of_the_operator() {
    let stage = Stage::new();
    let words = ["app default, desktop: configured, with the emulator's own credentials", "asks for user.info.basic"];
    stage.live("list --emulator").run().ends(0, &words).without("TIKTOK_CLIENT_KEY");
    let app = |command: &str| {
        let platforms = stage.live(command).run().ok().json();
        let tiktok = platforms.as_array().unwrap().iter().find(|platform| platform["id"] == "tiktok").unwrap();
        tiktok["apps"][0].clone()
    };
    assert_eq!(
        (&app("list --emulator --json")["configured"], &app("list --json")["configured"]),
        (&true.into(), &false.into())
    );
    assert_eq!(app("list --emulator --json")["lacks"], Value::Null);
}

#[test]
fn what_people_read_fits_a_narrow_terminal_and_no_word_is_broken() {
    let stage = Stage::new();
    for command in ["list", "list --emulator", "scopes", "init tiktok"] {
        let done = stage.live(command).env("COLUMNS", "60").run().ok();
        let comments = |line: &&str| command != "init tiktok" || line.starts_with('#');
        let long: Vec<&str> = done.out.lines().filter(comments).filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{command}: {long:?}");
    }
    let scopes = ["TikTok (tiktok)\n", "\n  user.info.stats\n    product       Login Kit\n", "metric.likes_received"];
    stage.live("scopes").run().ends(0, &scopes);
    stage
        .bare("config show --origin")
        .run()
        .ends(0, &["platforms.tiktok.apps.default.client_id = { env = \"TIKTOK_CLIENT_KEY\" }  # from built-in\n"]);
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
        "vault",
        "vault keys",
        "vault rotate",
        "vault retire",
        "api-keys create shop --rights all",
        "api-keys",
        "api-keys revoke shop",
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
fn a_result_that_cannot_be_written_is_no_success() {
    let stage = Stage::new();
    for command in ["list", "list --json", "connections", "connections --json"] {
        stage.cli(command).without_out().run().ends(1, &["the result could not be written: No space left on device"]);
    }
    stage.cli("list").without_err().run().ok();
    stage.cli("metrics nobody").without_err().run().ends(2, &[]);
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
    let mut running = stage.bare("emulator tiktok --data-dir other").start();
    let command = running.line("connector-host connect tiktok --emulator --data-dir ");
    assert!(command.trim().ends_with("/other"), "{command}");
    running.interrupt();
    running.done().ends(130, &["client_secret", "Admin routes", "Stop it with ctrl-C"]);
}

#[test]
fn an_emulator_keeps_its_grants_when_it_is_started_anew_by_the_next_command() {
    let stage = Stage::new();
    let command = || stage.bare("--emulator --data-dir alone");
    stage.walk(command().args("connect tiktok --no-browser"), &person(MIRA)).done.ok();
    command().args("metrics").run().ends(0, &["Mira Okafor", "followers"]);
    command().args("disconnect mira.bakes").run().ends(0, &["revoked"]);
}
