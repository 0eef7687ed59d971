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
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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

#[test]
fn a_key_of_several_machines_is_added_by_hand_and_in_two_steps() {
    let Some(server) = testing::postgres() else { return };
    let (url, home) = (server.fresh_database(), TempDir::new().unwrap());
    assert!(run(home.path(), &url, &["connections"]).status.success());
    let key = home.path().join("data/vault.key");
    let before = std::fs::read_to_string(&key).unwrap();
    let refused = run(home.path(), &url, &["vault", "rotate"]);
    let text = said(&refused);
    assert_eq!(refused.status.code(), Some(2), "{text}");
    for words in
        ["every other machine", "vault rotate --to NEW-FILE", "First put the line behind the others", "--resume"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(std::fs::read_to_string(&key).unwrap(), before);

    let made = run(home.path(), &url, &["vault", "rotate", "--to", "line"]);
    assert!(made.status.success() && said(&made).contains("behind the others"), "{}", said(&made));
    let line = std::fs::read_to_string(home.path().join("line")).unwrap();
    for keys in [format!("{before}{line}"), format!("{line}{before}")] {
        std::fs::write(&key, keys).unwrap();
        let resumed = run(home.path(), &url, &["vault", "rotate", "--resume"]);
        assert!(resumed.status.success() && said(&resumed).contains("Everything is sealed"), "{}", said(&resumed));
    }
    let retired = run(home.path(), &url, &["vault", "retire"]);
    assert!(retired.status.success() && said(&retired).contains("on the other machines as well"), "{}", said(&retired));
}
