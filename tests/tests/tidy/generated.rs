//! What stands in the docs between `<!-- generated: NAME -->` and `<!-- /generated -->`.

use std::fs;
use std::ops::Range;

use super::tables::{findings, platforms, scopes, scopes_of};
use super::tree::{assert_none, folders, read, root};

const END: &str = "<!-- /generated -->";

#[test]
fn generated_blocks_are_fresh() {
    let readme = [settle("README.md", "platforms", &platforms()), settle("README.md", "scopes", &scopes())];
    let connectors = folders("connectors")
        .into_iter()
        .map(|id| settle(&format!("connectors/{id}/README.md"), &format!("scopes {id}"), &scopes_of(&id)));
    let findings = settle("host/README.md", "findings", &findings());
    assert_none(readme.into_iter().chain(connectors).flatten().chain(findings), stale());
}

/// What to do about something stale.
pub(crate) fn stale() -> &'static str {
    "write it anew with `UPDATE=1 cargo test -p connector-tests --test tidy`"
}

/// Compares a block with what it should say, or writes it under `UPDATE=1`. Says what is wrong.
fn settle(file: &str, name: &str, fresh: &str) -> Option<String> {
    let text = read(file);
    let Some(block) = block(&text, name) else {
        return Some(format!("{file} has no `<!-- generated: {name} -->` with a `{END}` after it: add the two lines"));
    };
    let mut whole = text.clone();
    whole.replace_range(block, &format!("\n{fresh}"));
    settle_file(file, &whole)
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

/// From the end of the line that opens a block to the line that closes it.
fn block(text: &str, name: &str) -> Option<Range<usize>> {
    let opening = format!("<!-- generated: {name} -->");
    let start = text.find(&opening)? + opening.len();
    let length = text.get(start..)?.find(END)?;
    Some(start..start + length)
}
