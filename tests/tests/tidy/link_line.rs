//! A connector whose line in `linked.rs` is missing would be absent from the program without a word. It must not compile.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::tree::{Source, files, folders, read};

/// What Cargo needs to see.
const FOLDERS: [&str; 6] = [".cargo", "config", "connector-core", "connectors", "host", "tests"];
const FILES: [&str; 3] = ["Cargo.lock", "Cargo.toml", "rust-toolchain.toml"];

/// A profile that only this test uses, for the members of the workspace alone. Cargo takes a copy of a workspace for the workspace itself,
/// and without this the two would overwrite each other's artifacts.
const APART: &str = r#"profile.dev.debug = "line-directives-only""#;

const LINKS: &str = "host/src/linked.rs";

#[test]
fn a_host_without_its_link_lines_does_not_compile() {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-link-lines");
    let sources = workspace().into_iter().filter(|file| file.path != LINKS);
    let links = Source { path: LINKS.to_owned(), text: "//! The lines are gone.\n".to_owned() };
    lay_out(&copy, &sources.chain([links]).collect::<Vec<_>>());
    let output = build(&copy);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "the host compiles without its link lines");
    assert!(errors.contains("unused_crate_dependencies"), "it fails for another reason:\n{errors}");
    for id in folders("connectors") {
        let complaint = format!("extern crate `connector_{id}` is unused");
        assert!(errors.contains(&complaint), "nothing says: {complaint}\n{errors}");
    }
}

fn workspace() -> Vec<Source> {
    let files_at_root = FILES.map(|path| Source { path: path.to_owned(), text: read(path) });
    FOLDERS.into_iter().flat_map(files).chain(files_at_root).collect()
}

/// The copy stays, and a file is written only if it differs: the next time next to nothing is compiled. When files come or go, it is
/// made anew.
fn lay_out(copy: &Path, sources: &[Source]) {
    let list = sources.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join("\n");
    if copy.exists() && !is(&copy.join("files.txt"), &list) {
        fs::remove_dir_all(copy).unwrap();
    }
    for Source { path, text } in sources {
        write(&copy.join(path), text);
    }
    write(&copy.join("files.txt"), &list);
}

fn write(path: &Path, text: &str) {
    if !is(path, text) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn is(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|there| there == text)
}

/// Builds the libraries up to the host's. `--examples`, of which there are none, makes Cargo switch on the features that the README's test
/// command switches on, so that every dependency is there already.
fn build(copy: &Path) -> Output {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    Command::new(env!("CARGO"))
        .args(["build", "--workspace", "--lib", "--examples", "--offline", "--locked", "--config", APART])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_TERM_COLOR", "never")
        .output()
        .unwrap()
}
