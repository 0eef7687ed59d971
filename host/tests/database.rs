//! The program on a database that several machines share.
#![cfg(all(feature = "cli", feature = "postgres", feature = "testing", unix))]
#![expect(clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::path::Path;
use std::process::{Command, Output};

use connector_host::store::testing;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_connector-host");

/// The program on a machine with this home.
fn run(home: &Path, url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", home).env("CONNECTOR_DATABASE_URL", url).current_dir(home);
    command.args(["--data-dir", "data"]).args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn machines_of_one_database_need_the_same_key_file_and_are_told_so() {
    let Some(server) = testing::postgres() else { return };
    let url = server.fresh_database();
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let first = run(one.path(), &url, &["connections"]);
    assert!(first.status.success() && said(&first).contains("Made the key"), "{}", said(&first));
    assert!(!one.path().join("data/store.db").exists(), "nothing is kept in a file");

    let keyless = run(two.path(), &url, &["connections"]);
    assert_eq!(keyless.status.code(), Some(1));
    assert!(said(&keyless).contains("All machines of one database need the same keys"), "{}", said(&keyless));
    assert!(!two.path().join("data/vault.key").exists(), "no key is made that would open nothing");

    std::fs::create_dir_all(two.path().join("data")).unwrap();
    let copied =
        Command::new("cp").arg("-p").arg("-r").arg(one.path().join("data/.")).arg(two.path().join("data")).status();
    assert!(copied.unwrap().success());
    let done = run(two.path(), &url, &["tokens", "refresh", "--due", "--json"]);
    assert!(done.status.success(), "{}", said(&done));

    let other = TempDir::new().unwrap();
    run(other.path(), &server.fresh_database(), &["connections"]);
    let wrong = run(other.path(), &url, &["connections"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("All machines of one database need the same keys"), "{}", said(&wrong));
}
