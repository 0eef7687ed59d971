//! A copy of the data beside the original, backups, and what a restore does to tokens.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Cli, MIRA, Stage, person};

const JONAS: &str = "jonas";

/// Every file of a directory and of those in it.
fn copy(from: &Path, to: &Path) {
    DirBuilder::new().mode(0o700).recursive(true).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The same data directory elsewhere, whose commands use the same emulators for as long as the locks are held.
fn copied(stage: &Stage) -> Vec<File> {
    let to = stage.path("copy/emulator");
    DirBuilder::new().mode(0o700).create(stage.path("copy")).unwrap();
    copy(&stage.realm(), &to);
    let locks = ["tiktok", "lantern"].map(|platform| File::create(to.join(format!("{platform}.lock"))).unwrap());
    locks.into_iter().inspect(|lock| lock.lock().unwrap()).collect()
}

fn on_the_copy(stage: &Stage, name: &str, args: &str) -> Cli {
    stage.cli(args).args("--data-dir copy --instance").arg(name)
}

#[test]
fn a_copy_beside_the_original_sends_nothing_until_it_is_adopted() {
    let stage = Stage::new();
    let original = |args: &str| stage.cli(args).args("--instance prod");
    stage.walk(original("connect tiktok --no-browser"), &person(MIRA)).done.ok();
    let followers = original("metrics --json").run().ok().json()[0]["metrics"]["followers"]["value"].clone();
    stage.tiktok.let_tokens_expire_at_once();
    original("metrics --max-age 0").run().ok();
    let _locks = copied(&stage);
    stage.tiktok.advance(7_300);
    let (token, info) = (stage.tiktok.requests("token").len(), stage.tiktok.requests("user_info").len());

    let said = ["belongs to the instance `prod`", "the name `copy`", "connector-host store adopt --instance copy"];
    let done = on_the_copy(&stage, "copy", "metrics --json --max-age 0").run().ends(2, &["`prod`"]);
    let row = &done.json()[0];
    assert_eq!(row["metrics"]["followers"]["value"], followers, "what is stored is shown");
    assert_eq!(row["metrics"]["followers"]["stale"], json!({ "reason": "failed", "kind": "config" }));
    on_the_copy(&stage, "copy", "connections").run().ends(0, &said);
    on_the_copy(&stage, "copy", "tokens refresh --due").run().ends(2, &said);
    on_the_copy(&stage, "copy", "serve --listen 127.0.0.1:0").run().ends(2, &said);
    on_the_copy(&stage, "copy", "disconnect mira.bakes").run().ends(2, &said);
    on_the_copy(&stage, "copy", "connect tiktok --no-browser").run().ends(2, &said);
    on_the_copy(&stage, "copy", "reconnect mira.bakes --no-browser").run().ends(2, &said);
    stage.cli("metrics --max-age 0 --data-dir copy").run().ends(2, &["this start has no name", "--instance prod"]);
    let shown = on_the_copy(&stage, "copy", "store show --json").run().ok().json();
    assert_eq!((&shown["instance"], &shown["grants"]), (&json!("prod"), &json!({ "active": 1 })));
    assert!(shown["read_only"].as_str().unwrap().contains("`prod`"), "{shown}");
    assert_eq!(stage.tiktok.requests("token").len(), token, "the copy sent nothing");
    assert_eq!(stage.tiktok.requests("user_info").len(), info);

    on_the_copy(&stage, "copy", "store adopt").run().ends(2, &["must never run again", "--yes"]);
    on_the_copy(&stage, "copy", "store adopt --yes").run().ends(0, &["belongs to `copy` now"]);
    on_the_copy(&stage, "copy", "metrics --max-age 0").run().ok();
    assert_eq!(stage.tiktok.requests("token").len(), token + 1);
    on_the_copy(&stage, "prod", "metrics --max-age 0").run().ends(2, &["belongs to the instance `copy`"]);
}

#[test]
fn a_name_that_is_none_is_refused_with_the_rule() {
    let stage = Stage::new();
    stage.cli("connections").args("--instance").arg("My Laptop").run().ends(2, &["begins with a small letter"]);
    stage.cli("connections").env("CONNECTOR_INSTANCE", "-x").run().ends(2, &["begins with a small letter"]);
    stage.cli("store show").run().ends(2, &["there is no store in"]);
    stage.cli("store adopt --yes").run().ends(2, &["there is no store in"]);
    stage.cli("connections").run().ok();
    stage.cli("store adopt --yes").run().ends(2, &["--instance NAME"]);
    let shown = stage.cli("store show --json").run().ok().json();
    assert_eq!(
        (&shown["instance"], &shown["read_only"], &shown["kind"]),
        (&Value::Null, &Value::Null, &json!("sqlite"))
    );
}

#[test]
fn after_a_restore_what_was_refreshed_since_is_in_doubt_and_nothing_else() {
    let stage = Stage::new();
    let mira = stage.connect(&person(MIRA));
    let jonas = stage.connect(&person(JONAS));
    stage.cli("backup store.backup").run().ends(0, &["The keys are not in it", "vault.key"]);
    stage.cli("backup store.backup").run().ends(2, &["is there already"]);
    let id = |connection: &Value| connection["id"].as_str().unwrap().to_owned();
    stage.tiktok.advance(90_000);
    stage.cli("metrics --max-age 0").arg(id(&mira)).run().ok();
    assert_eq!(stage.tiktok.refreshes(), (1, 0));

    let done = stage.cli("restore store.backup --json").run().ok().json();
    assert_eq!(done["compared"], true);
    let doubts = done["in_doubt"].as_array().unwrap();
    assert_eq!(doubts.len(), 1, "{done}");
    assert_eq!((&doubts[0]["doubt"], &doubts[0]["connections"]), (&json!("rotated"), &json!([id(&mira)])));
    assert_eq!((&done["forgotten"], &done["kept_disconnected"]), (&json!([]), &json!([])));
    let aside = Path::new(done["kept_aside"].as_str().unwrap()).file_name().unwrap().to_owned();
    assert!(stage.realm().join(&aside).is_file(), "{} is kept", aside.display());

    stage.cli("metrics --max-age 0").arg(id(&mira)).run().ends(3, &["could not be read"]);
    stage.cli("metrics --max-age 0").arg(id(&jonas)).run().ok();
    let shown = stage.cli("connections").run().ends(0, &["reauth_required (refresh_result_lost)"]);
    assert_eq!(shown.out.matches("refresh_result_lost").count(), 1);
    stage.walk(stage.cli("reconnect mira.bakes --no-browser"), &person(MIRA)).done.ok();
    stage.cli("metrics --max-age 0").run().ok();
    stage.assert_nothing_leaked();
}

#[test]
fn a_restore_brings_nothing_back_that_was_given_up_and_names_what_it_forgets() {
    let stage = Stage::new();
    let mira = stage.connect(&person(MIRA));
    stage.cli("backup store.backup").run().ok();
    stage.cli("disconnect mira.bakes").run().ok();
    stage.connect(&person(JONAS));

    let words = ["so they stay", "Mira Okafor", "this access lives on at the platform"];
    stage.cli("restore store.backup").run().ends(0, &words);
    let connections = stage.connections();
    assert_eq!(connections.len(), 1);
    assert_eq!((&connections[0]["id"], &connections[0]["state"]), (&mira["id"], &json!("disconnected")));
    let tokens = stage.tiktok.requests("token").len();
    stage.cli("metrics --max-age 0").run().ok();
    assert_eq!(stage.tiktok.requests("token").len(), tokens);
}
