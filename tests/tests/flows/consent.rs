//! What a person allows is less than what was asked for, or the platform refuses to ask them at all.

use serde_json::{Value, json};

use crate::support::{Cli, MIRA, Stage, person, unticking};

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
