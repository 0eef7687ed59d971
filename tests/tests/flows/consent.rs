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
const UNHELD: &str = r#"
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
    for words in ["does not hold one of its scopes", "Never accepted", "user.info.unheld", "under `pending`"] {
        assert!(page.contains(words), "{page}");
    }
    let again = running.urls(2)[1].clone();
    assert_eq!(asked(&again), "user.info.basic,user.info.stats");
    assert_eq!(link(&page), again);
    assert_ne!(param(&again, "state"), param(&running.urls(2)[0], "state"));
    assert_eq!(param(&again, "redirect_uri"), param(&running.urls(2)[0], "redirect_uri"));

    let page = stage.visit(&stage.consent_at(&again, &person(MIRA)));
    assert!(page.contains("Mira Okafor is connected."), "{page}");
    let words = ["Never accepted under the app `default` before: user.info.unheld", "it can be asked for less, once"];
    running.done().ends(0, &["Connected Mira Okafor"]).ends(0, &words);
    let told = stage.cli("audit --event scope_refused --json").run().ok();
    assert!(told.out.contains("user.info.unheld"), "{}", told.out);
    stage.assert_nothing_leaked();
}

#[test]
fn an_error_without_a_state_is_offered_the_same_and_what_is_required_where_nothing_was_accepted() {
    let stage = Stage::new();
    for (error, detail) in [("access_denied", Some("scope")), ("invalid_scope", None), ("invalid_scope", Some("scope"))]
    {
        let mut running = stage.cli("connect tiktok --no-browser").start();
        let first = running.url();
        let mut back: Url = param(&first, "redirect_uri").unwrap().parse().unwrap();
        back.query_pairs_mut().append_pair("error", error).extend_pairs(detail.map(|detail| ("error_type", detail)));
        let page = stage.visit(&back);
        assert!(page.contains("because of a scope") || page.contains("does not hold one of its scopes"), "{page}");
        assert!(page.contains("the developer portal") && page.contains("pending"), "{page}");
        assert_eq!(asked(&link(&page)), "user.info.basic");

        // It is offered once, and never what was refused before.
        let second = running.urls(2)[1].clone();
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
