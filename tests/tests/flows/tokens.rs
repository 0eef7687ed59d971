//! Refreshing what is due, as a scheduler asks for.

use serde_json::json;

use crate::support::{MIRA, Stage, person};

const PEOPLE: [&str; 3] = [MIRA, "jonas", "nova"];

fn three_due() -> Stage {
    let stage = Stage::new();
    for name in PEOPLE {
        stage.connect(&person(name));
    }
    stage.let_tokens_be_due();
    stage
}

#[test]
fn two_runs_at_once_send_once_for_each_grant() {
    let stage = three_due();
    let runs = [(); 2].map(|()| stage.cli("tokens refresh --due --json --max-in-flight 2").start());
    let tallies = runs.map(|run| run.done().ok().json());
    let count = |key: &str| tallies.iter().map(|tally| tally[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(count("refreshed"), 3, "{tallies:?}");
    assert_eq!(count("failed") + count("in_doubt") + count("needs_person"), 0, "{tallies:?}");
    assert_eq!(stage.tiktok.refreshes(), (3, 0));
    stage.cli("tokens refresh --due").run().ends(0, &["Nothing is due."]);
    assert_eq!(stage.tiktok.refreshes(), (3, 0), "what is fresh is not rotated");
}

#[test]
fn the_exit_code_says_whether_to_try_again_or_to_ask_a_person() {
    let stage = three_due();
    stage.tiktok.fail(&json!({ "endpoint": "token", "status": 429, "body": "html" }));
    let first = stage.cli("tokens refresh --due --max-in-flight 1").run();
    first.ends(4, &["waiting: a later pass sees to it"]);
    stage.app_is_well_again();
    stage.tiktok.withdraw(MIRA, None);
    let done = stage.cli("tokens refresh --due").run();
    done.ends(3, &["3 due:", "2 refreshed", "1 the person has to connect again"]);
    stage.cli("connections").run().ends(0, &["reauth_required"]);
    stage.cli("tokens refresh --due --json").run().ok();
}

#[test]
fn a_token_that_is_good_cannot_be_refreshed() {
    let stage = Stage::new();
    stage.bare("tokens refresh").run().ends(2, &["--due"]);
    stage.bare("tokens refresh --due mira").run().ends(2, &["mira"]);
    stage.bare("tokens refresh --help").run().ends(0, &["every refresh is one more chance to lose an answer"]);
}

#[test]
fn an_app_can_ask_for_tokens_that_are_always_fresh() {
    let stage = Stage::new();
    stage.tiktok.switch(&json!({ "access_lifetime_seconds": 1 }));
    stage.connect(&person(MIRA));
    stage.tiktok.switch(&json!({ "access_lifetime_seconds": null }));
    let (before, _) = stage.tiktok.refreshes();
    stage.cli("tokens refresh --due").run().ends(0, &["Nothing is due."]);
    let overlay = stage.file("fresh.toml", "[platforms.tiktok.apps.default]\nkeep_fresh = true\n");
    let refresh = || stage.cli("tokens refresh --due").overlay(&overlay).run();
    while refresh().ok().out.starts_with("Nothing") {}
    assert_eq!(stage.tiktok.refreshes(), (before + 1, 0));
    refresh().ends(0, &["Nothing is due."]);
    stage.cli("config show").overlay(&overlay).run().ends(0, &["platforms.tiktok.apps.default.keep_fresh = true"]);
}

#[test]
fn a_revocation_that_is_still_pending_is_said_where_nothing_else_is_due() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    stage.tiktok.fail(&json!({ "endpoint": "revoke", "status": 503, "times": 9 }));
    stage.cli("disconnect mira.bakes").run();
    stage.by_others("UPDATE revocations SET next_try_at = 0");
    stage.cli("tokens refresh --due").run().ends(4, &["No refresh is due.", "1 tried, 1 still pending"]);
    stage.tiktok.fail(&json!({ "endpoint": "revoke", "times": 0 }));
    stage.by_others("UPDATE revocations SET next_try_at = 0");
    stage.cli("tokens refresh --due").run().ends(0, &["1 tried, all done"]);
    stage.cli("tokens refresh --due").run().ends(0, &["Nothing is due."]);
}
