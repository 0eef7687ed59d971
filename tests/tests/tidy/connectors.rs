//! Every folder in `connectors/` is a connector that the host links.

use connector_core::Registry;
// The host links the connectors.
use connector_host as _;

use super::tree::{assert_none, folders, read, root};

#[test]
fn every_folder_is_complete_and_linked() {
    let linked = Registry::linked().unwrap();
    let manifest = read("host/Cargo.toml");
    let lines = read("host/src/linked.rs");
    let lacks = folders("connectors").into_iter().flat_map(|id| {
        let package = format!("connector-{id}");
        let link_line = format!("use {} as _;", package.replace('-', "_"));
        let registered = linked.get(&id).is_ok_and(|linked| linked.package() == package);
        let checks = [
            (has(&id, "README.md"), "its folder has no README.md".to_owned()),
            (has(&id, "platform.toml"), "its folder has no platform.toml".to_owned()),
            (manifest.contains(&format!("\n{package} = ")), format!("host/Cargo.toml does not depend on {package}")),
            (platforms(&manifest).contains(&format!("\"dep:{package}\"")), format!("host/Cargo.toml: the feature `platforms` lacks \"dep:{package}\"")),
            (lines.lines().any(|line| line == link_line), format!("host/src/linked.rs lacks `{link_line}`")),
            (registered, format!("no registration has this id and the package {package}: the folder, the id and the package are named alike")),
        ];
        checks.into_iter().filter(|(well, _)| !well).map(|(_, lack)| format!("{id}: {lack}")).collect::<Vec<_>>()
    });
    assert_none(lacks, "connectors/README.md says what a connector consists of");
}

#[test]
fn nothing_else_is_linked() {
    let folders = folders("connectors");
    let others = read("host/src/linked.rs")
        .lines()
        .filter(|line| {
            line.starts_with("use ") && !folders.iter().any(|id| *line == format!("use connector_{id} as _;"))
        })
        .map(str::to_owned)
        .collect::<Vec<_>>();
    assert_none(others, "host/src/linked.rs has one line for each folder in connectors/, and no other");
}

fn has(id: &str, file: &str) -> bool {
    root().join("connectors").join(id).join(file).is_file()
}

/// The line of the manifest that says what the feature `platforms` holds.
fn platforms(manifest: &str) -> &str {
    manifest.lines().find(|line| line.starts_with("platforms = ")).unwrap_or_default()
}
