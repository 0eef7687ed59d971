//! The commands, and where they find the keys.
#![cfg(feature = "cli")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use connector_core::testing::size;
use fastrand::Rng;
use serde_json::Value;

use crate::bench::{Bench, expect_open, keys_in};

const PROGRAM: &str = env!("CARGO_BIN_EXE_connector-host");

/// A command on the bench's data, with nothing of this machine's environment.
fn command(bench: &Bench, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", bench.parent()).current_dir(bench.parent());
    command.arg("--data-dir").arg(bench.dir()).args(args);
    command
}

fn run(bench: &Bench, args: &[&str]) -> Output {
    command(bench, args).output().unwrap()
}

/// It ended with this code, said all of this, and no key.
fn said(bench: &Bench, output: &Output, code: i32, words: &[&str]) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(squeezed.contains(word), "it does not say `{word}`:\n{text}");
    }
    for file in fs::read_dir(bench.dir()).unwrap().chain(fs::read_dir(bench.parent()).unwrap()) {
        let path = file.unwrap().path();
        if path.is_file() && path.extension().is_some_and(|kind| kind == "key" || kind == "line") {
            for key in fs::read_to_string(path).unwrap().lines().filter_map(|line| line.split(' ').nth(1)) {
                assert!(key == "retired" || !text.contains(key), "a key is shown:\n{text}");
            }
        }
    }
    text
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The keys of the data directory moved to a file elsewhere.
fn moved(bench: &Bench, name: &str) -> PathBuf {
    let path = bench.parent().join(name);
    fs::rename(bench.key_file(), &path).unwrap();
    path
}

#[tokio::test]
async fn keys_are_shown_rotated_and_taken_away() {
    let bench = Bench::new();
    let ids = bench.grants(3).await;
    let old = keys_in(&bench.key_file())[0].clone();
    let place = bench.key_file().display().to_string();
    said(&bench, &run(&bench, &["vault"]), 0, &[&old, "active", "6", &place]);
    let keys = json(&run(&bench, &["vault", "keys", "--json"]));
    assert_eq!(keys, serde_json::json!([{ "key": old, "state": "active", "values": 6, "source": place }]));

    let output = run(&bench, &["vault", "rotate"]);
    let new = keys_in(&bench.key_file())[0].clone();
    said(&bench, &output, 0, &[&format!("Added the key {new}"), "3 rows were sealed anew", &format!("Older: {old}")]);
    said(&bench, &run(&bench, &["vault"]), 0, &[&format!("{new} active 6"), &format!("{old} older 0")]);
    said(&bench, &run(&bench, &["vault", "retire", &new]), 2, &["is the active one and stays"]);
    said(&bench, &run(&bench, &["vault", "retire", "zz"]), 2, &["8 hex digits"]);
    said(&bench, &run(&bench, &["vault", "retire"]), 0, &[&format!("{old} is gone"), "as long as you keep backups"]);
    said(&bench, &run(&bench, &["vault", "retire"]), 2, &["there is no older key"]);
    assert_eq!(keys_in(&bench.key_file()), std::slice::from_ref(&new));

    let rotated = json(&run(&bench, &["vault", "rotate", "--json"]));
    assert_eq!(
        (&rotated["rows"], &rotated["unopened"], &rotated["older"]),
        (&3.into(), &0.into(), &Value::from([new]))
    );
    let resumed = json(&run(&bench, &["vault", "rotate", "--resume", "--json"]));
    assert_eq!((&resumed["rows"], &resumed["added"]), (&0.into(), &Value::Null));
    for id in &ids {
        expect_open(&bench.host().await, id).await;
    }
    bench.expect_refresh_tokens(&ids).await;
}

#[tokio::test]
async fn a_rotation_says_what_is_not_under_the_new_key() {
    let bench = Bench::new();
    let ids = bench.grants(3).await;
    bench.file().run_with("UPDATE grants SET access = refresh WHERE id = ?1", &[ids[0].as_str()]).unwrap();
    let output = run(&bench, &["vault", "rotate"]);
    let text = said(&bench, &output, 3, &["1 sealed values do not open", "Whatever else there is is sealed with"]);
    assert!(!text.contains("Everything") && !text.contains("written under another key"), "{text}");
    let told = json(&run(&bench, &["vault", "rotate", "--resume", "--json"]));
    assert_eq!((&told["unopened"], &told["left"], &told["rows"]), (&1.into(), &1.into(), &0.into()));
}

#[tokio::test]
async fn an_emulators_data_has_keys_of_its_own() {
    let bench = Bench::new();
    bench.grants(1).await;
    let output =
        command(&bench, &["vault", "--emulator", "--json"]).env("CONNECTOR_VAULT_KEY", "nonsense").output().unwrap();
    said(&bench, &output, 0, &["emulator/vault.key"]);
}

/// Killed at any moment, a rotation leaves everything open, and the next one goes on.
///
/// `ROWS=100000 KILLS=100` for more rows and more kills.
#[tokio::test]
async fn a_rotation_that_is_killed_goes_on() {
    let (bench, rows, kills) = (Bench::new(), size("ROWS", 2_100), size("KILLS", 5));
    let ids = bench.grants(rows).await;
    let (mut random, mut killed) = (Rng::with_seed(1), 0);
    while killed < kills {
        killed += usize::from(rotate_until(&bench, rows, &mut random));
        let host = bench.host().await;
        for id in ids.iter().step_by(rows / 21) {
            expect_open(&host, id).await;
        }
    }
    let output = run(&bench, &["vault", "rotate", "--resume"]);
    said(&bench, &output, 0, &["Everything is sealed with the key"]);
    let keys = keys_in(&bench.key_file());
    assert!(keys.len() > 1, "{keys:?}");
    for old in &keys[1..] {
        said(&bench, &run(&bench, &["vault", "retire", old]), 0, &["is gone"]);
    }
    let used = json(&run(&bench, &["vault", "keys", "--json"]));
    let (place, values) = (bench.key_file().display().to_string(), 2 * rows);
    assert_eq!(used, serde_json::json!([{ "key": keys[0], "state": "active", "values": values, "source": place }]));
    let host = bench.host().await;
    for id in &ids {
        expect_open(&host, id).await;
    }
    bench.expect_refresh_tokens(&ids).await;
    let left = fs::read_dir(bench.dir()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let drafts = left.filter(|name| name.starts_with(".tmp")).count();
    assert!(drafts <= kills, "only a kill between making a draft and naming it leaves one: {drafts}");
}

/// Begins a rotation, or goes on with one, and kills it at a random moment. False when it was through by then.
///
/// It says a line when the key is there and one for each thousand rows; what is more than a line is told by how often its store can be read
/// meanwhile.
fn rotate_until(bench: &Bench, rows: usize, random: &mut Rng) -> bool {
    let args: &[&str] = if random.bool() { &["vault", "rotate"] } else { &["vault", "rotate", "--resume"] };
    let mut child = command(bench, args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap()).lines();
    said.take(random.usize(0..=rows / 1_000)).for_each(|line| drop(line.unwrap()));
    let file = bench.file();
    for _ in 0..random.usize(0..100) {
        file.number("SELECT count(*) FROM meta").unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

#[tokio::test]
async fn a_named_file_is_used_and_rotated() {
    let bench = Bench::new();
    bench.grants(1).await;
    let file = moved(&bench, "elsewhere.key");
    let path = file.to_str().unwrap();
    said(&bench, &run(&bench, &["vault"]), 2, &["vault.key` is missing"]);
    said(&bench, &run(&bench, &["vault", "--vault-key", path]), 0, &["active", "elsewhere.key"]);
    let by_variable = command(&bench, &["vault", "rotate"]).env("CONNECTOR_VAULT_KEY_FILE", path).output().unwrap();
    said(&bench, &by_variable, 0, &["elsewhere.key", "1 rows were sealed anew"]);
    assert_eq!(keys_in(&file).len(), 2);
    assert!(!bench.key_file().exists());
}

#[tokio::test]
async fn several_places_for_the_keys_are_an_error_that_names_them() {
    let bench = Bench::new();
    bench.grants(1).await;
    let credentials = bench.parent().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::copy(bench.key_file(), credentials.join("vault.key")).unwrap();
    let mut all = command(&bench, &["vault", "--vault-key", "a.key"]);
    all.env("CONNECTOR_VAULT_KEY", "text").env("CREDENTIALS_DIRECTORY", &credentials);
    let words = ["named in 3 places", "--vault-key or CONNECTOR_VAULT_KEY_FILE", "CONNECTOR_VAULT_KEY, the credential"];
    said(&bench, &all.output().unwrap(), 2, &words);
    let mut two = command(&bench, &["vault"]);
    two.env("CONNECTOR_VAULT_KEY", "text").env("CREDENTIALS_DIRECTORY", &credentials);
    said(&bench, &two.output().unwrap(), 2, &["named in 2 places"]);
    let mut none = command(&bench, &["vault"]);
    none.env("CONNECTOR_VAULT_KEY", "").env("CREDENTIALS_DIRECTORY", bench.parent());
    said(&bench, &none.output().unwrap(), 0, &["data/vault.key"]);
}

/// Keys that this program cannot write are rotated by whoever can, with its help.
#[tokio::test]
async fn keys_in_the_environment_are_used_with_a_warning_and_rotated_by_hand() {
    let bench = Bench::new();
    let ids = bench.grants(2).await;
    let file = moved(&bench, "kept.key");
    let old = keys_in(&file)[0].clone();
    let run = |args: &[&str], keys: &str| command(&bench, args).env("CONNECTOR_VAULT_KEY", keys).output().unwrap();
    let first = fs::read_to_string(&file).unwrap();
    said(&bench, &run(&["vault"], &first), 0, &["warning:", "more eyes", "The keys come from CONNECTOR_VAULT_KEY"]);
    let words = ["come from CONNECTOR_VAULT_KEY", "vault rotate --to NEW-FILE", "then put it in front of the others"];
    said(&bench, &run(&["vault", "rotate"], &first), 2, &words);
    said(&bench, &run(&["vault", "rotate"], "00 x"), 2, &["CONNECTOR_VAULT_KEY holds no keys: line 1"]);

    let output = run(&["vault", "rotate", "--to", "new.line"], &first);
    let line = bench.parent().join("new.line");
    said(
        &bench,
        &output,
        0,
        &["new.line", "behind the others in CONNECTOR_VAULT_KEY of every host", "start each host anew"],
    );
    said(&bench, &run(&["vault", "rotate", "--to", "new.line"], &first), 2, &["new.line` already"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&line).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let both = format!("{}; {}", fs::read_to_string(&line).unwrap().trim(), first.trim());
    said(&bench, &run(&["vault", "retire"], &both), 2, &[&format!("the key {old} stays: 4 sealed values")]);
    said(&bench, &run(&["vault", "rotate", "--resume"], &both), 0, &["2 rows were sealed anew"]);
    let words = [format!("Nothing is sealed with the key {old} any more"), "remove its line".to_owned()];
    let done = run(&["vault", "retire"], &both);
    let text = said(&bench, &done, 0, &words.each_ref().map(String::as_str));
    assert!(!text.contains("error:"), "{text}");
    let told = json(&run(&["vault", "retire", "--json"], &both));
    assert_eq!(told, serde_json::json!({ "key": old, "removed": false }));
    let new = fs::read_to_string(&line).unwrap();
    said(&bench, &run(&["vault"], &new), 0, &["active 4"]);
    said(&bench, &run(&["vault"], &first), 2, &["the database was sealed with the key"]);
    fs::write(bench.key_file(), new).unwrap();
    #[cfg(unix)]
    set_mode(&bench.key_file(), 0o600);
    for id in &ids {
        expect_open(&bench.host().await, id).await;
    }
    bench.expect_refresh_tokens(&ids).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_credential_may_be_the_super_users_and_nobody_elses() {
    use std::os::unix::fs::chown;

    let bench = Bench::new();
    bench.grants(1).await;
    let credentials = bench.parent().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let file = credentials.join("vault.key");
    fs::rename(bench.key_file(), &file).unwrap();
    let run = |args: &[&str]| command(&bench, args).env("CREDENTIALS_DIRECTORY", &credentials).output().unwrap();
    for mode in [0o400, 0o440, 0o600] {
        set_mode(&file, mode);
        said(&bench, &run(&["vault"]), 0, &["active", "the service's credential"]);
    }
    for mode in [0o404, 0o460] {
        set_mode(&file, mode);
        said(&bench, &run(&["vault"]), 2, &["is open to other users", "chmod 400"]);
    }
    set_mode(&file, 0o400);
    // Only the super-user can give a file away, and read it then.
    if chown(&file, Some(65_534), None).is_ok() {
        said(&bench, &run(&["vault"]), 0, &["active"]);
    }
    said(&bench, &run(&["vault", "rotate"]), 2, &["which this program does not write", "--to"]);
}
