//! One account, erased for good.

use std::path::PathBuf;

use connector_host::store::Connections as _;
use serde_json::json;

use crate::support::{MIRA, Stage, person};

/// The files of the data directory, without what the emulators keep: they play the platform.
fn files(stage: &Stage) -> Vec<PathBuf> {
    let (mut dirs, mut files) = (vec![stage.realm()], Vec::new());
    while let Some(dir) = dirs.pop() {
        for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { dirs.push(path) } else { files.push(path) }
        }
    }
    files.retain(|path| path.extension().is_none_or(|kind| kind != "json"));
    assert!(files.iter().any(|path| path.ends_with("store.db")), "{files:?}");
    files
}

fn found(stage: &Stage, needles: &[Vec<u8>]) -> Vec<usize> {
    let files = files(stage).into_iter().map(|path| std::fs::read(path).unwrap_or_default()).collect::<Vec<_>>();
    let held = |needle: &[u8]| files.iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle));
    needles.iter().enumerate().filter(|(_, needle)| held(needle)).map(|(place, _)| place).collect()
}

#[test]
fn a_purged_account_is_found_in_no_file() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    let connected = stage.connect_with("--reference customer-17", &person(MIRA));
    stage.metrics("--max-age 0");
    let id = connected["id"].as_str().unwrap();
    let mut needles: Vec<Vec<u8>> = [connected["account_id"].as_str().unwrap(), "mira.bakes", "Mira Okafor"]
        .map(|text| text.as_bytes().to_vec())
        .into();
    {
        let store = stage.store();
        let stored = stage.web.wait(store.connection("default", &id.parse().unwrap())).unwrap().unwrap();
        for sealed in [stored.grant.access, stored.grant.refresh].into_iter().flatten() {
            needles.push(sealed.as_bytes().to_vec());
        }
        stage.web.wait(store.close());
    }
    assert_eq!(found(&stage, &needles), [0, 1, 2, 3, 4], "there is something to erase");

    stage.cli("connections purge customer-17").run().ends(2, &["pass --yes", "nothing was changed"]);
    let done = stage.cli("connections purge customer-17 --yes --json").run().ok();
    assert_eq!(done.json(), json!({ "purged": id, "files_clean": true, "kept_aside": [] }));
    assert_eq!(stage.tiktok.live_grants(MIRA), 0, "its access is revoked");
    assert_eq!(found(&stage, &needles), Vec::<usize>::new());
    assert!(stage.connections().is_empty());
    stage.cli("audit").arg(id).run().ends(0, &["purged", "disconnected"]).without("mira").without("Mira");

    let again = stage.connect(&person(MIRA));
    assert_ne!(again["id"], id, "nobody remembers");
}

#[test]
fn an_access_that_cannot_be_revoked_is_not_forgotten_unless_told() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.tiktok.fail(&json!({ "endpoint": "revoke", "status": 503, "times": 9 }));
    stage.cli("connections purge customer-17 --yes").run().ends(4, &["not erased", "--leave-access"]);
    let pending = &stage.connections()[0];
    assert_eq!((&pending["state"], pending["next_try_at"].is_string()), (&json!("disconnecting"), true));
    stage.cli("connections purge customer-17 --yes").run().ends(4, &["not erased"]);
    stage.cli("connections purge customer-17 --yes --leave-access").run().ends(0, &["Erased"]);
    assert!(stage.connections().is_empty());
    assert_eq!(stage.tiktok.live_grants(MIRA), 1);
}

#[test]
fn what_a_restore_kept_aside_is_named_by_a_purge() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.cli("backup store.backup").run().ok();
    stage.cli("restore store.backup").run().ok();
    let words = ["Backups made before", "store.db.before-restore-", "delete it"];
    stage.cli("connections purge customer-17 --yes").run().ends(0, &words);
}

#[test]
fn what_is_held_for_another_owner_is_erased_here_alone() {
    let stage = Stage::new();
    stage.connect_with("--reference customer-17", &person(MIRA));
    stage.cli("connections export grants.ndjson --platform tiktok").run().ok();
    stage.cli("connections purge customer-17 --yes").run().ends(2, &["held here (exported)", "--leave-access"]);
    stage.cli("connections purge customer-17 --yes --leave-access").run().ok();
    assert!(stage.connections().is_empty() && stage.tiktok.requests("revoke").is_empty());
    assert_eq!(stage.tiktok.live_grants(MIRA), 1);
}
