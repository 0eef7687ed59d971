//! What a person allows is less than what was asked for, or the platform refuses to ask them at all.

use serde_json::{Value, json};
use url::Url;

use crate::support::{Cli, MIRA, Stage, param, person, unticking};

const REQUIRED: &str = "[platforms.tiktok.apps.default]\nrequired = [\"user.info.stats\"]\n";

fn shown(command: Cli) -> Value {
    command.args("connections --json").run().ok().json()[0].clone()
}

#[test]
fn a_required_scope_that_is_missing_needs_its_person_and_loses_nothing() {
    let stage = Stage::new();
    let required = stage.file("required.toml", REQUIRED);
    let with = |args: &str| stage.cli(args).overlay(&required);
    let visit = stage.walk(
        with("connect tiktok --no-browser --reference mira"),
        &unticking(MIRA, &["user.info.stats", "video.list"]),
    );
    visit.done.ends(3, &["Connected Mira Okafor", "requires user.info.stats, which was not allowed", "reconnect"]);
    assert!(visit.page.contains("something is missing") && visit.page.contains("user.info.stats"), "{}", visit.page);

    let connection = shown(with(""));
    assert_eq!(
        (&connection["state"], &connection["reason"], &connection["lacks_required"]),
        (&json!("reauth_required"), &json!("required_scope_missing"), &json!(["user.info.stats"]))
    );
    with("connections").run().ends(
        0,
        &["reauth_required (required_scope_missing)", "user.info.stats (not granted)", "connector-host reconnect"],
    );
    with("connections list --state reauth_required").run().ends(3, &["Mira Okafor"]);
    with("connections list --state active").run().ends(0, &["No connection is active."]);
    let calls = stage.tiktok.requests("user_info").len();
    with("metrics").run().ends(3, &["requires user.info.stats"]);
    assert_eq!(stage.tiktok.requests("user_info").len(), calls, "nothing is sent for it");

    // Its access is kept, and refreshed.
    stage.let_tokens_be_due();
    with("tokens refresh --due").run().ok();
    assert_eq!(stage.tiktok.refreshes().0, 1);
    assert_eq!(shown(with(""))["state"], "reauth_required");

    // The configuration alone made it so.
    assert_eq!(shown(stage.cli(""))["state"], "active");
    stage.cli("metrics").run().ends(0, &["needs user.info.stats, not granted"]);

    let id = connection["id"].clone();
    stage.walk(with("reconnect mira --no-browser"), &person(MIRA)).done.ends(0, &["Reconnected Mira Okafor"]);
    let connection = shown(with(""));
    assert_eq!((&connection["state"], &connection["id"]), (&json!("active"), &id));
    with("metrics").run().ends(0, &["followers"]);
}

/// One more scope than the app holds at the platform.
pub(crate) const UNHELD: &str = r#"
[platforms.tiktok.apps.default]
scopes = ["user.info.basic", "user.info.stats", "user.info.unheld"]
[platforms.tiktok.scopes."user.info.unheld"]
product = "p"
description = "d"
"#;

/// What an address asks for.
fn asked(url: &Url) -> String {
    param(url, "scope").unwrap()
}

/// Where the page links to.
fn link(page: &str) -> Url {
    let (_, rest) = page.split_once("<a href=\"").unwrap_or_else(|| panic!("{page}"));
    rest.split('"').next().unwrap().parse().unwrap()
}

#[test]
fn a_request_that_is_refused_for_a_scope_is_offered_once_more_with_what_was_accepted_last() {
    let stage = Stage::new();
    stage.tiktok.switch(&json!({ "pre_consent_errors": "redirect" }));
    let narrow = "[platforms.tiktok.apps.default]\nscopes = [\"user.info.basic\", \"user.info.stats\"]\n";
    let (narrow, unheld) = (stage.file("narrow.toml", narrow), stage.file("unheld.toml", UNHELD));
    stage.walk(stage.cli("connect tiktok --no-browser").overlay(&narrow), &person("jonas")).done.ok();

    let mut running = stage.cli("connect tiktok --no-browser --reference mira").overlay(&unheld).start();
    let back = stage.consent(&mut running, &person(MIRA));
    let page = stage.visit(&back);
    for words in
        ["does not hold one of its scopes", "Not among what was accepted", "user.info.unheld", "under `pending`"]
    {
        assert!(page.contains(words), "{page}");
    }
    let again = running.urls(2)[1].clone();
    assert_eq!(asked(&again), "user.info.basic,user.info.stats");
    assert_eq!(link(&page), again);
    assert_ne!(param(&again, "state"), param(&running.urls(2)[0], "state"));
    assert_eq!(param(&again, "redirect_uri"), param(&running.urls(2)[0], "redirect_uri"));

    let page = stage.visit(&stage.consent_at(&again, &person(MIRA)));
    assert!(page.contains("Mira Okafor is connected."), "{page}");
    let words = [
        "Not among what was accepted when access was last allowed under the app `default`: user.info.unheld",
        "it can be asked for less, once",
    ];
    running.done().ends(0, &["Connected Mira Okafor"]).ends(0, &words);
    let told = stage.cli("audit --event scope_refused --json").run().ok();
    assert!(told.out.contains("user.info.unheld"), "{}", told.out);
    stage.assert_nothing_leaked();
}

#[test]
fn an_error_without_a_state_is_offered_the_same_at_the_terminal_alone_and_what_is_required_where_nothing_was_accepted()
{
    let stage = Stage::new();
    for (error, detail) in [("access_denied", Some("scope")), ("invalid_scope", None), ("invalid_scope", Some("scope"))]
    {
        let mut running = stage.cli("connect tiktok --no-browser").start();
        let first = running.url();
        let mut back: Url = param(&first, "redirect_uri").unwrap().parse().unwrap();
        back.query_pairs_mut().append_pair("error", error).extend_pairs(detail.map(|detail| ("error_type", detail)));
        let page = stage.visit(&back);
        assert!(page.contains("because of a scope") || page.contains("does not hold one of its scopes"), "{page}");
        assert!(!page.contains("<a href"), "anybody may have sent it, so the offer is not theirs: {page}");

        // It is offered once, and never what was refused before.
        let second = running.urls(2)[1].clone();
        assert_eq!(asked(&second), "user.info.basic");
        back = param(&second, "redirect_uri").unwrap().parse().unwrap();
        back.query_pairs_mut()
            .append_pair("error", "invalid_scope")
            .append_pair("state", &param(&second, "state").unwrap());
        let page = stage.visit(&back);
        assert!(page.contains("Not connected") && !page.contains("<a href"), "{page}");
        running.done().ends(2, &["because of a scope"]);
    }
    assert!(stage.tiktok.requests("token").is_empty(), "nothing was exchanged");
    assert!(stage.connections().is_empty());
}

/// The lines of JSON that a command has said.
fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn everybody_who_is_needed_gets_an_address_and_comes_back_in_any_order() {
    let stage = Stage::new();
    let narrow = stage.file("narrow.toml", "[platforms.tiktok.apps.default]\nscopes = [\"user.info.basic\"]\n");
    for name in [MIRA, "jonas"] {
        let command = stage.cli("connect tiktok --no-browser --reference").arg(name).overlay(&narrow);
        stage.walk(command, &person(name)).done.ok();
    }
    stage.connect_with("--reference nova", &unticking("nova", &["user.info.stats"]));

    let mut running = stage.cli("reconnect --all-needed --print-urls --json").start();
    running.line("in a browser on this machine");
    let urls: Vec<(String, Url)> = [MIRA, "jonas"]
        .map(|name| {
            let line: Value = serde_json::from_str(&running.line(&format!("\"reference\":\"{name}\""))).unwrap();
            (name.to_owned(), line["url"].as_str().unwrap().parse().unwrap())
        })
        .into();
    for (name, url) in urls.iter().rev() {
        let page = stage.visit(&stage.consent_at(url, &person(name)));
        assert!(page.contains("is connected."), "{page}");
    }
    let done = running.done().ok();
    let events: Vec<Value> = lines(&done.out);
    let kinds: Vec<&str> = events.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["url", "url", "reconnected", "reconnected"], "what somebody did not allow is not asked for");
    let ids: Vec<&Value> = events.iter().map(|line| &line["connection"]).collect();
    assert_eq!((ids[0], ids[1]), (ids[3], ids[2]), "each is told as it comes");
    stage.cli("reconnect --all-needed").run().ends(0, &["No connection needs its person"]);
    stage.assert_nothing_leaked();
}

#[test]
fn everybody_who_is_needed_is_asked_one_after_the_other() {
    let stage = Stage::new();
    let required = stage.file("required.toml", REQUIRED);
    for name in [MIRA, "jonas"] {
        stage.connect_with(&format!("--reference {name}"), &unticking(name, &["user.info.stats"]));
    }
    stage.cli("reconnect --all-needed").run().ends(0, &["No connection needs its person"]);
    stage.cli("reconnect").run().ends(2, &["required"]);
    stage.cli("reconnect mira --all-needed").run().ends(2, &["cannot be used"]);
    let mut running = stage.cli("reconnect --all-needed --no-browser --platform tiktok").overlay(&required).start();
    stage.visit(&stage.consent_at(&running.urls(1)[0], &unticking(MIRA, &["user.info.stats"])));
    stage.visit(&stage.consent_at(&running.urls(2)[1], &person("jonas")));
    running.done().ends(3, &["1 of 2", "2 of 2", "requires user.info.stats, which was not allowed"]);
    let states: Vec<Value> = stage
        .cli("connections --json")
        .overlay(&required)
        .run()
        .ok()
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["state"].clone())
        .collect();
    assert_eq!(states, ["reauth_required", "active"]);

    let web = stage.file(
        "web.toml",
        "[platforms.tiktok.apps.default]\nkind = \"web\"\nredirect_uri = \"https://app.example/callback\"\n",
    );
    let command = stage.cli("reconnect --all-needed --print-urls").overlay(&required).overlay(&web);
    command.run().ends(2, &["does not lead to this machine", "connector-host reconnect <connection>", "paste"]);
}

#[test]
fn what_somebody_did_not_allow_is_offered_and_never_nagged_about() {
    let stage = Stage::new();
    stage.connect_with("--reference mira", &unticking(MIRA, &["user.info.stats", "video.list"]));
    let connection = shown(stage.cli(""));
    assert_eq!((&connection["state"], &connection["reauthentication_helps"]), (&json!("active"), &json!(false)));
    assert_eq!(connection["abilities"]["account.metrics"]["status"], "needs_scopes");
    assert_eq!(connection["abilities"]["account.metrics"]["any_of"], json!(["user.info.stats"]));
    assert_eq!(connection["next"], json!(null));
    for (command, code) in [("connections", 0), ("metrics", 0), ("connections list --state reauth_required", 0)] {
        stage.cli(command).run().ends(code, &[]).without("hint").without("reconnect");
    }
    let show = stage.cli("connections show mira").run().ok();
    assert!(show.out.contains("not_granted") && show.out.contains("offer"), "{}", show.out);
}
