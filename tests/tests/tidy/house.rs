//! What stands where, and how long it may be.

use std::fs;

use super::tree::{assert_none, read, root, rust_files};

/// All that may be seen at the root. What configures tools has a name that begins with a dot.
const ROOT: [&str; 15] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "config",
    "connector-core",
    "connectors",
    "deploy",
    "host",
    "rust-toolchain.toml",
    "tests",
];

/// The most lines of a file, in a folder `src` and elsewhere.
const LONGEST: (usize, usize) = (500, 700);

/// What a newcomer is told to type.
const COMMANDS: [&str; 2] = ["cargo run -- demo", "cargo test --workspace"];

#[test]
fn the_root_is_complete_and_shows_nothing_else() {
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // What is built lies there too, and git ignores it.
    let mut seen: Vec<_> = entries.filter(|name| !name.starts_with('.') && name != "target").collect();
    seen.sort();
    assert_eq!(seen, ROOT, "the root has a fixed set of names: find a room for the new thing");
}

#[test]
fn files_are_short() {
    let long = rust_files("").into_iter().filter_map(|file| {
        let most = if file.path.split('/').any(|part| part == "src") { LONGEST.0 } else { LONGEST.1 };
        let lines = file.text.lines().count();
        (lines > most).then(|| format!("{}: {lines} lines, {most} at most", file.path))
    });
    assert_none(long, "a file this long has more than one subject: split it");
}

#[test]
fn the_readme_begins_with_the_two_commands_that_are_needed() {
    let readme = read("README.md");
    let first_screen = readme.split("\n## ").next().unwrap_or_default();
    assert_eq!(commands(first_screen), COMMANDS, "README.md shows these two commands before its first heading");
}

#[test]
fn what_the_readme_says_to_test_with_is_what_is_run() {
    let [_, tests] = COMMANDS;
    let runs = read(".ci/run").lines().any(|line| line.starts_with("step ") && line.ends_with(&format!("\" {tests}")));
    assert!(runs, "a step of .ci/run is `{tests}`, to the letter");
}

/// The lines inside fences.
fn commands(text: &str) -> Vec<&str> {
    let blocks = text.split("```").skip(1).step_by(2);
    blocks.flat_map(|block| block.lines().skip(1)).filter(|line| !line.trim().is_empty()).collect()
}
