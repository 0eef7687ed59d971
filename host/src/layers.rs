//! Which configuration files are read, and what only the host can check: what they say about linked platforms.

use std::path::{Path, PathBuf};

use connector_core::config::{Config, Key, Layer, LayerName, Problem, Problems};
use connector_core::{Linked, Registry, Scope};

use crate::error::Result;

/// The file that is built into the program, so that it knows every linked platform's scopes without any file.
const EMBEDDED: &str = include_str!("../../config/social-platforms.toml");

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
        let mut layers = vec![Layer::embedded("built-in", EMBEDDED)?];
        for path in self.operator.iter().chain(&self.overlays) {
            layers.push(Layer::read(path)?);
        }
        let config = Config::of(layers)?;
        check_endpoints(&config, registry)?;
        Ok(config)
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

/// A field of an endpoint that the platform's file does not describe could never be asked for.
fn check_endpoints(config: &Config, registry: &Registry) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for linked in registry.iter() {
        let Some(platform) = config.settings.platforms.get(linked.id()) else { continue };
        for (scope, entry) in &platform.catalogue.scopes {
            let known = &linked.protocol().endpoints;
            let unknown = entry.fields.keys().filter(|endpoint| !known.contains_key(*endpoint));
            problems.extend(unknown.map(|endpoint| unknown_endpoint(config, linked, scope, endpoint)));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

fn unknown_endpoint(config: &Config, linked: &Linked, scope: &Scope, endpoint: &str) -> Problem {
    let key = Key::of(["platforms", linked.id().as_str(), "scopes", scope.as_str()]);
    let names = linked.protocol().endpoints.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    Problem {
        layer: config.origins.get(&key).cloned().unwrap_or_else(|| LayerName::new("built-in")),
        key: key.child("fields").child(endpoint),
        message: format!("{} has no endpoint `{endpoint}`; it has: {names}", linked.name()),
    }
}
