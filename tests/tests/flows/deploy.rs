//! What `deploy/` shows is what the program takes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use connector_tests::missing::is_there;

use crate::support::Stage;

/// Where they are.
pub(crate) fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("deploy")
}

/// The files there, as text, with the lines that a backslash breaks put together again.
fn files() -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap().replace("\\\n", " ")))
        .collect();
    files.sort();
    files
}

/// The words that begin with this and go on with letters of a name.
fn words<'t>(text: &'t str, start: &str) -> impl Iterator<Item = String> {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let words: Vec<&'t str> = text.split(|c| !is_of_a_name(c)).filter(|word| word.starts_with(start)).collect();
    words.into_iter().map(str::to_owned).filter(move |word| word.len() > 2)
}

#[test]
fn every_flag_and_variable_of_the_files_is_one_that_serve_takes() {
    let stage = Stage::new();
    let help = stage.cli("serve --help").run().ok().out;
    let flags: BTreeSet<String> = words(&help, "--").collect();
    let variables: BTreeSet<String> = words(&help, "CONNECTOR_").collect();
    let files = files();
    assert_eq!(files.len(), 3);
    let mut seen = 0;
    for (path, text) in &files {
        let commands = text.lines().filter_map(|line| line.split_once("connector-host serve"));
        let image = text.lines().filter(|line| line.starts_with("CMD") || line.contains("wants `--"));
        for flag in commands.map(|(_, args)| args).chain(image).flat_map(|line| words(line, "--")) {
            assert!(flags.contains(&flag), "{path}: {flag}: {flags:?}");
            seen += 1;
        }
        for variable in words(text, "CONNECTOR_") {
            assert!(variables.contains(&variable), "{path}: {variable}: {variables:?}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}

/// The directives of the service, without comments.
fn service() -> String {
    let (_, text) = files().into_iter().find(|(path, _)| path.ends_with("connector-host.service")).unwrap();
    text.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn the_service_is_shut_in_and_does_not_start_again_what_is_wrong() {
    let service = service();
    for line in [
        "DynamicUser=yes",
        "StateDirectory=connector-host",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=yes",
        "LimitCORE=0",
        "PrivateTmp=yes",
        "Restart=on-failure",
        "RestartPreventExitStatus=2 78",
    ] {
        assert!(service.lines().any(|told| told == line), "{line}: {service}");
    }
    assert!(service.contains("\nLoadCredential=vault.key:"), "the key is a credential");
}

/// What is wrong in a unit is a line, and nothing is said of one that is right.
#[test]
fn systemd_takes_the_service() {
    if !is_there("systemd-analyze", &["--version"], "install the package systemd") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let verify = |text: &str| {
        let unit = dir.path().join("connector-host.service");
        fs::write(&unit, text).unwrap();
        let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(unit).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let service = service().replace("/usr/local/bin/connector-host", env!("CARGO_BIN_EXE_connector-host-lantern"));
    assert_eq!(verify(&service), "");
    let wrong = service.replace("DynamicUser=", "DynamicUsers=");
    assert!(verify(&wrong).contains("Unknown key"), "it finds what is wrong");
}

#[test]
fn the_proxy_logs_no_query_and_passes_on_no_name_of_its_clients() {
    let (_, text) = files().into_iter().find(|(path, _)| path.ends_with("nginx.conf")).unwrap();
    for word in
        ["$request ", "\"$request\"", "$request_uri", "$args", "$query_string", "$http_", "$proxy_add_x_forwarded_for"]
    {
        assert!(!text.contains(word), "{word}");
    }
    let logs = text.lines().filter(|line| line.trim_start().starts_with("error_log"));
    assert!(logs.clone().count() == 2 && logs.clone().all(|line| line.ends_with(" crit;")), "an error has the request");
    assert!(text.contains("proxy_set_header X-Forwarded-For $remote_addr;"));
}
