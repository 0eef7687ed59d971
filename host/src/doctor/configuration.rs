//! Whether the configuration is right.

use std::collections::BTreeSet;
use std::path::Path;

use connector_core::PlatformId;
use connector_core::config::{Config, Key, LayerName, Problem};

use super::{Finding, Installation, Kind};
use crate::error::Error;
use crate::layers::BUILT_IN;
use crate::private_files;

/// What all files together say, or everything that is wrong with them.
pub(super) fn load(installation: &Installation) -> Result<Config, Vec<Finding>> {
    installation.files.load(&installation.registry).map_err(|error| match error {
        Error::Config(problems) => problems.0.into_iter().map(|problem| wrong(installation, problem)).collect(),
        error => vec![Finding::new(Kind::ConfigWrong, error.to_string(), check(installation))],
    })
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
    let unlinked = config.settings.platforms.keys().filter(|id| installation.registry.get(id.as_str()).is_err());
    let unlinked = unlinked.flat_map(|id| not_linked(installation, config, id));
    let writable = installation.files.named().filter(|path| private_files::open_to(path) & 0o002 != 0);
    unlinked.chain(writable.map(|path| open_to_all(path))).collect()
}

/// One finding for each file that speaks of the platform. What is built in may speak of what a smaller program leaves out.
fn not_linked(installation: &Installation, config: &Config, id: &PlatformId) -> Vec<Finding> {
    let speaks = |key: &Key| key.names().get(1).is_some_and(|name| name == id.as_str());
    let files: BTreeSet<&LayerName> =
        config.origins.iter().filter(|(key, _)| speaks(key)).map(|(_, file)| file).collect();
    let ids = installation.registry.iter().map(|linked| linked.id().as_str()).collect::<Vec<_>>().join(", ");
    let key = Key::of(["platforms", id.as_str()]);
    let finding = |file: &LayerName| {
        let what = format!("this program has no connector for `{id}`, so `{key}` is of no use; it has: {ids}");
        let fix =
            format!("remove [{key}] from {file}, or correct its name, or use a program that has a connector for it");
        Finding::new(Kind::PlatformNotLinked, what, fix).at_key(file.clone(), key.clone()).of_platform(id)
    };
    files.into_iter().filter(|file| file.as_str() != BUILT_IN).map(finding).collect()
}

fn open_to_all(path: &Path) -> Finding {
    let shown = path.display();
    let what = format!("every user of this machine may change `{shown}`, and so which apps people connect to");
    Finding::new(Kind::ConfigWritable, what, format!("chmod o-w {shown}")).at_path(path)
}
