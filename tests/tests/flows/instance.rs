//! A copy of the data beside the original, backups, and what a restore does to tokens.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Cli, MIRA, Stage, person};

const JONAS: &str = "jonas";

fn id(connection: &Value) -> &str {
    connection["id"].as_str().unwrap()
}

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
fn after_a_restore_what_was_refreshed_since_goes_on_and_nothing_is_lost() {
    let stage = Stage::new();
    let mira = stage.connect(&person(MIRA));
    let jonas = stage.connect(&person(JONAS));
    stage.cli("backup store.backup").run().ends(0, &["The keys are not in it", "vault.key"]);
    stage.cli("backup store.backup").run().ends(2, &["is there already"]);
    stage.tiktok.advance(90_000);
    stage.cli("metrics --max-age 0").arg(id(&mira)).run().ok();
    assert_eq!(stage.tiktok.refreshes(), (1, 0));

    let done = stage.cli("restore store.backup --json").run().ok().json();
    assert_eq!((&done["compared"], &done["in_doubt"]), (&json!(true), &json!([])));
    let carried = done["carried_over"].as_array().unwrap();
    assert_eq!(carried.len(), 1, "{done}");
    assert_eq!((&carried[0]["newer_tokens"], &carried[0]["connections"]), (&json!(true), &json!([id(&mira)])));
    assert_eq!((&done["forgotten"], &done["kept_disconnected"]), (&json!([]), &json!([])));
    let aside = Path::new(done["kept_aside"].as_str().unwrap()).file_name().unwrap().to_owned();
    assert!(stage.realm().join(&aside).is_file(), "{} is kept", aside.display());

    stage.tiktok.advance(90_000);
    stage.cli("metrics --max-age 0").arg(id(&mira)).run().ok();
    stage.cli("metrics --max-age 0").arg(id(&jonas)).run().ok();
    assert_eq!(stage.tiktok.refreshes(), (3, 0), "no token was used twice");
    stage.assert_nothing_leaked();
}

#[test]
fn without_the_store_that_was_there_what_may_be_spent_is_in_doubt() {
    let stage = Stage::new();
    let mira = stage.connect(&person(MIRA));
    let jonas = stage.connect(&person(JONAS));
    stage.cli("backup store.backup").run().ok();
    stage.tiktok.advance(90_000);
    stage.cli("metrics --max-age 0").arg(id(&mira)).run().ok();
    fs::remove_file(stage.realm().join("store.db")).unwrap();

    stage.cli("restore store.backup").run().ends(0, &["no readable store to compare", "nobody knows", "Mira Okafor"]);
    stage.cli("metrics --max-age 0").arg(id(&mira)).run().ends(3, &["could not be read"]);
    stage.cli("metrics --max-age 0").arg(id(&jonas)).run().ok();
    let shown = stage.cli("connections").run().ends(0, &["reauth_required (refresh_result_lost)"]);
    assert_eq!(shown.out.matches("refresh_result_lost").count(), 1);
    stage.walk(stage.cli("reconnect mira.bakes --no-browser"), &person(MIRA)).done.ok();
    stage.cli("metrics --max-age 0").run().ok();
    stage.assert_nothing_leaked();
}

#[test]
fn a_restore_brings_back_nobody_who_was_purged_and_nothing_that_was_exported() {
    let stage = Stage::new();
    let mira = stage.connect(&person(MIRA));
    stage.connect(&person(JONAS));
    stage.cli("backup first.backup").run().ok();
    stage.cli("connections purge mira.bakes --yes").run().ok();
    stage.cli("connections export grants.ndjson --platform tiktok").run().ok();
    let asked = stage.tiktok.requests("token").len();

    let words = ["Purged since", id(&mira), "held (exported)", "the backup still holds them"];
    stage.cli("restore first.backup").run().ends(0, &words).without("Mira").without("mira");
    let connections = stage.connections();
    assert_eq!(connections.len(), 1, "{connections:?}");
    assert_eq!((&connections[0]["state"], &connections[0]["reason"]), (&json!("held"), &json!("exported")));
    stage.cli("metrics --max-age 0").run().ends(2, &["held here (exported)"]);
    assert_eq!(stage.tiktok.requests("token").len(), asked);
    stage.cli("audit --event purged").run().ends(0, &[id(&mira)]);
    let stored = fs::read(stage.realm().join("store.db")).unwrap();
    let held = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!held("mira.bakes") && !held("Mira Okafor"), "she is in no page of the restored store");

    let done = stage.cli("restore first.backup --json").run().ok().json();
    assert_eq!(done["purged_again"], json!([id(&mira)]), "the record of the purge outlives a restore");
}

#[test]
fn a_database_on_a_server_is_not_restored_into_a_file() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    stage.cli("backup store.backup").run().ok();
    let url = "postgres://nobody@127.0.0.1:1/nowhere";
    let restore = stage.live("restore store.backup").env("CONNECTOR_DATABASE_URL", url);
    restore.run().ends(2, &["pg_restore", "store restored --since"]);
    assert!(!stage.path("data/store.db").exists(), "nothing was put in the data directory");
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
