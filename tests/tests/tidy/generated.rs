//! What is generated is fresh: the blocks of the docs, which `connector-host docs` writes, and files that are written as a whole.

use std::fs;

use connector_core::Registry;
use connector_host::ConfigFiles;
use connector_host::docs::Docs;

use super::tree::{assert_none, files_of, folders, read, root};

#[test]
fn generated_blocks_are_fresh() {
    let registry = Registry::linked().unwrap();
    let settings = ConfigFiles::default().load(&registry).unwrap().settings;
    let found = files_of("md", "").into_iter().flat_map(|file| {
        let path = root().join(&file.path);
        match Docs::new(&registry, &settings).beside(path.parent().unwrap()).refresh(&file.text) {
            Ok(fresh) => fresh.stale.iter().map(|name| format!("{}: `{name}` is stale", file.path)).collect(),
            Err(error) => vec![format!("{}: {error}", file.path)],
        }
    });
    assert_none(found, "write them anew with `cargo run -- docs --dir .`");
}

#[test]
fn the_lists_stand_where_they_are_looked_for() {
    let readme = ["platforms", "scopes"].map(|name| ("README.md".to_owned(), name.to_owned()));
    let connectors = folders("connectors").into_iter();
    let connectors = connectors.map(|id| (format!("connectors/{id}/README.md"), format!("scopes {id}")));
    let findings = [("host/README.md".to_owned(), "findings".to_owned())];
    let lacking = readme.into_iter().chain(connectors).chain(findings).filter_map(|(file, name)| {
        let line = format!("<!-- generated: {name} -->");
        (!read(&file).lines().any(|found| found == line)).then(|| format!("{file} has no line `{line}`"))
    });
    assert_none(
        lacking,
        "add the line, and `<!-- /generated -->` after it; `cargo run -- docs --dir .` writes the list",
    );
}

/// What to do about a file that is stale.
pub(crate) fn stale() -> &'static str {
    "write it anew with `UPDATE=1 cargo test -p connector-tests --test tidy`"
}

/// Compares a file with what it should say, or writes it under `UPDATE=1`. Says what is wrong.
pub(crate) fn settle_file(file: &str, fresh: &str) -> Option<String> {
    if read(file) == fresh {
        return None;
    }
    if std::env::var_os("UPDATE").is_none_or(|value| value != "1") {
        return Some(format!("{file} is stale"));
    }
    fs::write(root().join(file), fresh).err().map(|error| format!("{file} cannot be written: {error}"))
}
