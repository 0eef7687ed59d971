//! Whether the configuration is right.

use std::path::Path;

use connector_core::PlatformId;
use connector_core::config::{Config, Problem};

use super::{Finding, Installation, Kind};
use crate::layers::unlinked;
use crate::private_files;
use crate::shell;

/// What all files together say, or everything that is wrong with them.
pub(super) fn load(installation: &Installation) -> Result<Config, Vec<Finding>> {
    let loaded = installation.files.load(&installation.registry);
    loaded.map_err(|problems| problems.0.into_iter().map(|problem| wrong(installation, problem)).collect())
}

fn wrong(installation: &Installation, Problem { layer, key, message }: Problem) -> Finding {
    let place = if key.names().is_empty() { String::new() } else { format!("`{key}` in ") };
    let fix = format!("mend {place}{layer}, then run `{}`", check(installation));
    Finding::new(Kind::ConfigWrong, message, fix).at_key(layer, key)
}

fn check(installation: &Installation) -> String {
    installation.command("config check")
}

pub(super) fn look(installation: &Installation, config: &Config) -> Vec<Finding> {
    let unlinked = unlinked(config, &installation.registry).map(|(id, problem)| not_linked(id, problem));
    let writable = installation.files.named().filter(|path| private_files::open_to(path) & 0o002 != 0);
    unlinked.chain(writable.map(|path| open_to_all(path))).collect()
}

fn not_linked(id: &PlatformId, Problem { layer, key, message }: Problem) -> Finding {
    let fix = format!("remove [{key}] from {layer}, or correct its name, or use a program that has a connector for it");
    Finding::new(Kind::PlatformNotLinked, message, fix).at_key(layer, key).of_platform(id)
}

fn open_to_all(path: &Path) -> Finding {
    let shown = path.display();
    let what = format!("every user of this machine may change `{shown}`, and so which apps people connect to");
    Finding::new(Kind::ConfigWritable, what, format!("chmod o-w {}", shell::path(path))).at_path(path)
}
