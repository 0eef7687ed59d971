//! Which configuration files are read, and what only the host can check: what they say about linked platforms.

use std::path::{Path, PathBuf};

use connector_core::config::{Config, Key, Layer, LayerName, PlatformSettings, Problem, Problems};
use connector_core::{Linked, Registry, Scope};

use crate::error::Result;

/// The file that is built into the program, so that it knows every linked platform's scopes without any file.
const EMBEDDED: &str = include_str!("../../config/social-platforms.toml");

/// The name of the layer that is built in.
pub(crate) const BUILT_IN: &str = "built-in";

/// The name of the operator's file in the user's configuration directory.
pub(crate) const FILE_NAME: &str = "social-platforms.toml";

/// The files to read, the lowest first.
#[derive(Clone, Debug, Default)]
pub struct ConfigFiles {
    /// The operator's file.
    pub operator: Option<PathBuf>,
    /// More files over it, in order.
    pub overlays: Vec<PathBuf>,
}

impl ConfigFiles {
    /// Reads the built-in file and these over it, and checks the whole, also against the linked platforms.
    ///
    /// # Errors
    /// Everything that is wrong, with file and key.
    pub fn load(&self, registry: &Registry) -> Result<Config> {
        let config = Config::of(self.layers()?)?;
        check_platforms(&config, registry)?;
        Ok(config)
    }

    /// The files that were named, the lowest first. The built-in one is not among them.
    pub(crate) fn named(&self) -> impl Iterator<Item = &PathBuf> {
        self.operator.iter().chain(&self.overlays)
    }

    /// Every file by itself. One that is wrong does not keep what is wrong in the others from being told.
    fn layers(&self) -> Result<Vec<Layer>, Problems> {
        let (mut layers, mut problems) = (Vec::new(), Vec::new());
        let built_in = std::iter::once_with(|| Layer::embedded(BUILT_IN, EMBEDDED));
        for read in built_in.chain(self.named().map(Layer::read)) {
            match read {
                Ok(layer) => layers.push(layer),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(layers) } else { Err(Problems(problems)) }
    }
}

/// The text of the built-in file.
pub fn embedded() -> &'static str {
    EMBEDDED
}

/// The operator's file where nobody names one: in the user's configuration directory, if it is there. Never in the current directory: a
/// file there could send secrets elsewhere.
pub fn default_file(config_dir: &Path) -> Option<PathBuf> {
    Some(config_dir.join(FILE_NAME)).filter(|path| path.is_file())
}

/// What the layers say of the linked platforms.
fn check_platforms(config: &Config, registry: &Registry) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for linked in registry.iter() {
        let Some(platform) = config.settings.platforms.get(linked.id()) else { continue };
        problems.extend(unknown_endpoints(config, linked, platform));
        problems.extend(nameless_accounts(config, linked, platform));
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// A field of an endpoint that the platform's file does not describe could never be asked for.
fn unknown_endpoints(config: &Config, linked: &Linked, platform: &PlatformSettings) -> Vec<Problem> {
    let known = &linked.protocol().endpoints;
    let scopes = platform.catalogue.scopes.iter();
    let named = scopes.flat_map(|(scope, entry)| entry.fields.keys().map(move |endpoint| (scope, endpoint)));
    named
        .filter(|(_, endpoint)| !known.contains_key(*endpoint))
        .map(|(scope, endpoint)| unknown_endpoint(config, linked, scope, endpoint))
        .collect()
}

/// An app that does not ask for the scope of the accounts' ids could connect nobody: its accounts would have no names.
fn nameless_accounts(config: &Config, linked: &Linked, platform: &PlatformSettings) -> Vec<Problem> {
    let Some(facts) = &linked.protocol().accounts else { return Vec::new() };
    let mut fields = platform.catalogue.fields(&facts.endpoint);
    let Some((scope, ..)) = fields.find(|(_, field, _)| *field == facts.id) else { return Vec::new() };
    let lacking = platform.apps.iter().filter(|(_, app)| !app.wanted.requested().contains(scope));
    lacking
        .map(|(name, app)| {
            let (list, mend) = if app.wanted.pending.contains(scope) {
                ("pending", format!("take `{scope}` out"))
            } else {
                ("scopes", format!("add `{scope}`"))
            };
            let key = Key::of(["platforms", linked.id().as_str(), "apps", name.as_str(), list]);
            let why = format!(
                "{} gives the id of an account by this scope alone, so nobody could be connected without it",
                linked.name()
            );
            Problem { layer: layer_of(config, &key), key, message: format!("{mend}: {why}") }
        })
        .collect()
}

/// The file that sets a value.
pub(crate) fn layer_of(config: &Config, key: &Key) -> LayerName {
    config.origins.get(key).cloned().unwrap_or_else(|| LayerName::new(BUILT_IN))
}

fn unknown_endpoint(config: &Config, linked: &Linked, scope: &Scope, endpoint: &str) -> Problem {
    let key = Key::of(["platforms", linked.id().as_str(), "scopes", scope.as_str()]);
    let names = linked.protocol().endpoints.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    Problem {
        layer: layer_of(config, &key),
        key: key.child("fields").child(endpoint),
        message: format!("{} has no endpoint `{endpoint}`; it has: {names}", linked.name()),
    }
}
