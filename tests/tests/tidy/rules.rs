//! What must not be written, and where.

use connector_core::Registry;

use super::tree::{Source, assert_none, files, folders, rust_files, sources};

/// Platforms that no connector is there for yet, and that are just as little the core's and the host's business.
const OTHER_PLATFORMS: [&str; 5] = ["instagram", "youtube", "mastodon", "bluesky", "facebook"];

/// The only places of the host that name its connectors.
const LINKS: [&str; 2] = ["host/Cargo.toml", "host/src/linked.rs"];

const REQWEST: &str = "connector-core/src/http/reqwest.rs";

const CONTEXT: &str = "connector-core/src/context.rs";

/// The clock and the randomness of the system and of the crates at hand.
const AMBIENT: [&str; 9] = [
    "Timestamp::now",
    "SystemTime::now",
    "Instant::now",
    "Zoned::now",
    "clock_gettime",
    "getrandom::",
    "rand::",
    "Uuid::now_v7",
    "Uuid::new_v4",
];

/// What gives a platform away in a line of lower-case text.
fn platform_names() -> Vec<String> {
    let linked = Registry::linked().unwrap();
    let names = linked.iter().map(|platform| platform.name().to_lowercase());
    let all = folders("connectors").into_iter().chain(names).chain(OTHER_PLATFORMS.map(str::to_owned));
    all.flat_map(|name| match name.len() {
        // A short name is part of many a word.
        0..4 => vec![format!("\"{name}\""), format!("connector_{name}"), format!("connector-{name}")],
        _ => vec![name],
    })
    .collect()
}

#[test]
fn core_and_host_name_no_platform() {
    let names = platform_names();
    let names_one = |line: &str| names.iter().any(|name| line.to_lowercase().contains(name));
    let files: Vec<_> = files("connector-core").into_iter().chain(files("host")).collect();
    let found = files.iter().filter(|file| !LINKS.contains(&file.path.as_str())).flat_map(|file| {
        file.lines().filter(|(_, line)| names_one(line)).map(|line| file.at(line)).collect::<Vec<_>>()
    });
    assert_none(found, "say it without the platform's name, or move it into the connector");
}

#[test]
fn reqwest_is_named_in_one_file() {
    let manifests = files("").into_iter().filter(|file| {
        file.path.ends_with("/Cargo.toml") && file.path != "connector-core/Cargo.toml" && file.text.contains("reqwest")
    });
    assert_none(manifests.map(|file| file.path), "only connector-core depends on reqwest: send with `Context::send`");
    let found = lines_with(&rust_files("connector-core"), REQWEST, |line| {
        let elsewhere = line.replace("self::reqwest::", "").replace("mod reqwest;", "");
        contains_word(&elsewhere, "reqwest")
    });
    assert_none(found, "name reqwest in connector-core/src/http/reqwest.rs alone");
}

#[test]
fn the_clock_and_randomness_are_the_contexts() {
    let found = lines_with(&sources(), CONTEXT, |line| AMBIENT.iter().any(|name| contains_word(line, name)));
    assert_none(found, "ask the `Context` for the time and for random bytes");
}

#[test]
fn only_the_command_line_prints() {
    let macros = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
    let others: Vec<_> = sources().into_iter().filter(|file| !file.path.starts_with("host/src/cli/")).collect();
    let found = lines_with(&others, "", |line| macros.iter().any(|name| contains_word(line, name)));
    assert_none(found, "return it, or use `tracing`: only host/src/cli prints");
}

#[test]
fn nothing_panics_on_what_comes_from_outside() {
    let found = lines_with(&sources(), "", |line| line.contains(".unwrap()") || line.contains(".expect("));
    assert_none(found, "return an error: only tests may unwrap");
}

#[test]
fn lints_are_excepted_with_a_reason() {
    let silenced = |line: &str| {
        let line = line.trim_start();
        line.starts_with(concat!("#[al", "low(")) || line.starts_with(concat!("#![al", "low("))
    };
    assert_none(lines_with(&rust_files(""), "", silenced), "write `#[expect(lint, reason = \"…\")]`");
}

#[test]
fn nothing_tells_where_it_was_written() {
    // In pieces, or this file would be found.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("../sha", "red"),
        concat!("issue", " #"),
        concat!("Cla", "ude"),
    ];
    let found: Vec<_> = files("")
        .iter()
        .flat_map(|file| {
            let told = file.lines().filter(|(_, line)| words.iter().any(|word| line.contains(word)));
            told.map(|line| file.at(line)).collect::<Vec<_>>()
        })
        .collect();
    assert_none(found, "say it in words that make sense to whoever reads the repository elsewhere");
}

/// The lines of code, outside one file, for which this is so.
fn lines_with(files: &[Source], except: &str, is_so: impl Fn(&str) -> bool) -> Vec<String> {
    let files = files.iter().filter(|file| file.path != except);
    files
        .flat_map(|file| file.code().filter(|(_, line)| is_so(line)).map(|line| file.at(line)).collect::<Vec<_>>())
        .collect()
}

/// Whether a line contains this, not as the end of a longer word.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(index, _)| {
        let before = line.get(..index).and_then(|text| text.chars().next_back());
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}
