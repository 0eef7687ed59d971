//! The machine itself does not play along: a port, a file, a key, a browser, certificates.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Cli, MIRA, Stage, param, person};

const NO_CERTIFICATES: [(&str, &str); 2] = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];

/// Says why a test proved nothing here.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

fn without_certificates(command: Cli) -> Cli {
    NO_CERTIFICATES.iter().fold(command, |command, (name, value)| command.env(name, value))
}

#[test]
fn a_port_in_use_is_named() {
    let stage = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    stage.cli("connect tiktok --no-browser --port").arg(&port).run().ends(1, &[&port, "--port"]);
    let other = stage.bare("emulator tiktok --data-dir other --port").arg(&port).run();
    other.ends(2, &[&port, "is taken"]);
    stage.bare("emulator tiktok --data-dir data").run().ends(1, &["runs already", stage.tiktok.base.as_str()]);
}

#[test]
fn without_a_browser_the_address_is_there_to_be_opened_elsewhere() {
    let stage = Stage::new();
    let command = stage.cli("connect tiktok").env("BROWSER", "/nonexistent").env("PATH", "/nonexistent");
    let mut running = command.start();
    running.line("No browser can be opened from here: open the address above in one.");
    let back = stage.consent(&mut running, &person(MIRA));
    stage.visit(&back);
    running.done().ok();
}

#[test]
fn a_browser_in_the_terminal_does_not_keep_the_redirect_waiting() {
    let stage = Stage::new();
    let browser = stage.file("w3m", "#!/bin/sh\necho \"$1\" > opened\nwhile [ ! -e closed ]; do sleep 0.1; done\n");
    fs::set_permissions(&browser, Permissions::from_mode(0o700)).unwrap();
    let mut running = stage.cli("connect tiktok").env("BROWSER", &browser.display().to_string()).start();
    let back = stage.consent(&mut running, &person(MIRA));
    let page = stage.visit(&back);
    assert!(page.contains("Mira Okafor is connected."), "{page}");
    running.line("Connected Mira Okafor");
    assert!(fs::read_to_string(stage.path("opened")).unwrap().contains("/v2/auth/authorize/"));
    stage.file("closed", "");
    running.done().ok();
}

#[test]
fn without_certificates_only_the_platform_itself_is_out_of_reach() {
    let stage = Stage::new();
    without_certificates(stage.cli("connections")).run().ok();
    let command =
        stage.live("connect tiktok --no-browser").env("TIKTOK_CLIENT_KEY", "k").env("TIKTOK_CLIENT_SECRET", "s");
    let mut running = without_certificates(command).start();
    let url = running.url();
    let mut back: url::Url = param(&url, "redirect_uri").unwrap().parse().unwrap();
    back.query_pairs_mut().append_pair("code", "a-code").append_pair("state", &param(&url, "state").unwrap());
    let page = stage.visit(&back);
    assert!(page.contains("ca-certificates"), "{page}");
    running.done().ends(2, &["no CA certificates", "install the package `ca-certificates`", "SSL_CERT_FILE"]);
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let stage = Stage::new();
    stage.bare("connections --data-dir /dev/null/data").run().ends(1, &["/dev/null/data"]);
    stage.file("taken", "");
    stage.bare("connections --data-dir taken").run().ends(1, &["taken", "is not a directory"]);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let stage = Stage::new();
    let dir = stage.path("locked");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o500)).unwrap();
    if fs::write(dir.join("probe"), "").is_ok() {
        return skipped("this user may write everywhere");
    }
    stage.bare("connections --data-dir locked").run().ends(1, &["locked", "cannot be written"]);
}

#[test]
fn a_data_directory_that_others_can_read_is_refused() {
    let stage = Stage::new();
    let dir = stage.path("open");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
    stage.bare("connections --data-dir open").run().ends(1, &["is open to other users", "chmod 700"]);
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
    stage.bare("connections --data-dir open").run().ok();
    let modes = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((modes("store.db"), modes("vault.key")), (0o600, 0o600));
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let step = stage.schema_step();
    stage.by_others("PRAGMA user_version = 9999");
    for command in ["connections", "metrics", "connect tiktok --no-browser", "disconnect mira.bakes"] {
        stage.cli(command).run().ends(1, &["newer version of connector-host", "9999", "nothing was changed"]);
    }
    stage.by_others(&format!("PRAGMA user_version = {step}"));
    stage.metrics("--max-age 0");
}

#[test]
fn a_file_that_is_no_database_of_ours_is_left_alone() {
    let stage = Stage::new();
    stage.cli("connections").run().ok();
    let path = stage.realm().join("store.db");
    let foreign = "this is a shopping list, and longer than a hundred bytes so that it could be a header of something else altogether";
    for name in ["store.db-wal", "store.db-shm"] {
        // They are there only while a command runs.
        let _ = fs::remove_file(stage.realm().join(name));
    }
    fs::write(&path, foreign).unwrap();
    stage.cli("connections").run().ends(1, &["store.db", "is not a database", "nothing was changed"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), foreign);
}

/// A stage with an account, and the key file of its realm.
fn with_key() -> (Stage, std::path::PathBuf) {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let key = stage.realm().join("vault.key");
    (stage, key)
}

/// Commands are refused with these words while the key is as it is, and work again once it is put back.
fn refused_until_put_back(stage: &Stage, key: &Path, good: &[u8], words: &[&str]) {
    for command in ["connections", "metrics --max-age 0", "disconnect mira.bakes", "connect tiktok --no-browser"] {
        stage.cli(command).run().ends(2, words);
    }
    fs::write(key, good).unwrap();
    fs::set_permissions(key, Permissions::from_mode(0o600)).unwrap();
    stage.metrics("--max-age 0");
}

#[test]
fn a_missing_key_file_is_not_replaced() {
    let (stage, key) = with_key();
    let good = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    stage.cli("connections").run().ends(2, &["vault.key` is missing", "put the file back from your copy"]);
    assert!(!key.exists(), "a new key would open nothing");
    refused_until_put_back(&stage, &key, &good, &["vault.key` is missing"]);
}

#[test]
fn a_wrong_key_file_is_refused() {
    let (stage, key) = with_key();
    stage.bare("connections --data-dir other").run().ends(0, &["Made the key", "Keep a copy"]);
    let good = fs::read(&key).unwrap();
    fs::copy(stage.path("other/vault.key"), &key).unwrap();
    refused_until_put_back(&stage, &key, &good, &["put the key file of this database back", "nothing was changed"]);
    fs::write(&key, "not a key\n").unwrap();
    let done = stage.cli("connections").run().ends(2, &["is not a key file: line 1"]);
    done.without("not a key\n");
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let (stage, key) = with_key();
    let good = fs::read(&key).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    refused_until_put_back(&stage, &key, &good, &["vault.key` is open to other users", "chmod 600"]);
}

#[test]
fn emulated_connections_and_real_ones_never_meet() {
    let (stage, _) = with_key();
    let done = stage.live("connections --json").run().ok();
    assert_eq!(done.json(), serde_json::json!([]));
    assert_ne!(fs::read(stage.realm().join("vault.key")).unwrap(), fs::read(stage.path("data/vault.key")).unwrap());
}

#[test]
fn commands_that_begin_at_the_same_time_make_one_store_and_one_key() {
    let stage = Stage::new();
    let running: Vec<_> = (0..6).map(|_| stage.bare("connections --json --data-dir fresh").start()).collect();
    let ended: Vec<_> = running.into_iter().map(|command| command.done().ok()).collect();
    assert_eq!(ended.iter().filter(|done| done.err.contains("Made the key")).count(), 1);
    stage.bare("connections --data-dir fresh").run().ok();
}
