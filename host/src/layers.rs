//! Which configuration files are read, and what only the host can check: what they say about linked platforms.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[cfg(feature = "web")]
use connector_core::config::read_text;
use connector_core::config::{Catalogue, Config, Key, Layer, LayerName, PlatformSettings, Problem, Problems};
use connector_core::{Linked, PlatformId, Registry, Scope};

/// The file that is built into the program, so that it knows every linked platform's scopes without any file.
const EMBEDDED: &str = include_str!("../../config/social-platforms.toml");

/// The name of the layer that is built in.
pub(crate) const BUILT_IN: &str = "built-in";

/// The name of a layer that came with a request.
#[cfg(feature = "web")]
const SENT: &str = "request";

/// What the operator's file is called where its path is not told.
#[cfg(feature = "web")]
const OPERATOR: &str = "operator";

/// The name of the operator's file in the user's configuration directory.
pub(crate) const FILE_NAME: &str = "social-platforms.toml";

/// The files to read, the lowest first.
#[derive(Clone, Debug, Default)]
pub struct ConfigFiles {
    /// The operator's file.
    pub operator: Option<PathBuf>,
    /// The file that is read where nobody names one, if it is there.
    pub default: Option<PathBuf>,
    /// More files over it, in order.
    pub overlays: Vec<PathBuf>,
}

impl ConfigFiles {
    /// Reads the built-in file and these over it, and checks the whole, also against the linked platforms.
    ///
    /// # Errors
    /// Everything that is wrong, with file and key.
    pub fn load(&self, registry: &Registry) -> Result<Config, Problems> {
        let config = Config::of(self.clone().settled().layers()?)?;
        check_platforms(&config, registry)?;
        Ok(config)
    }

    /// The same files, with the default one as the operator's if it is there: from then on it must not be missing.
    pub fn settled(mut self) -> Self {
        if self.operator.is_none() {
            self.operator = self.default.clone().filter(|path| path.is_file());
        }
        self
    }

    /// Every path at which a file is read, or would be.
    #[cfg(feature = "cli")]
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.operator.iter().chain(&self.default).chain(&self.overlays).map(PathBuf::as_path)
    }

    /// The files that were named, the lowest first. The built-in one is not among them.
    pub(crate) fn named(&self) -> impl Iterator<Item = &PathBuf> {
        self.operator.iter().chain(&self.overlays)
    }

    /// The same with a text in place of the operator's file, or over all. Each file goes by what it is here instead of by its path, also
    /// in what is said to be wrong.
    ///
    /// # Errors
    /// Everything that is wrong, with what the file is and key.
    #[cfg(feature = "web")]
    pub(crate) fn load_with(&self, text: &str, replaces: bool, registry: &Registry) -> Result<Config, Problems> {
        let Self { operator, overlays, .. } = self.clone().settled();
        let sent = std::iter::once_with(|| Layer::embedded(SENT, text));
        let operator = operator.iter().map(|path| read_as(OPERATOR.to_owned(), path));
        let overlays = overlays.iter().zip(1..).map(|(path, number)| read_as(overlay(number), path));
        let layers = if replaces { sound(sent.chain(overlays)) } else { sound(operator.chain(overlays).chain(sent)) };
        let config = Config::of(layers?)?;
        check_platforms(&config, registry)?;
        Ok(config)
    }

    /// What the files are here, the lowest first.
    #[cfg(feature = "web")]
    pub(crate) fn labels(&self) -> Vec<String> {
        let Self { operator, overlays, .. } = self.clone().settled();
        let operator = operator.map(|_| OPERATOR.to_owned());
        let overlays = (1..).zip(overlays).map(|(number, _)| overlay(number));
        std::iter::once(BUILT_IN.to_owned()).chain(operator).chain(overlays).collect()
    }

    fn layers(&self) -> Result<Vec<Layer>, Problems> {
        sound(self.named().map(Layer::read))
    }
}

#[cfg(feature = "web")]
fn overlay(number: usize) -> String {
    format!("overlay {number}")
}

/// These over the built-in file, each read by itself. One that is wrong does not keep what is wrong in the others from being told.
fn sound(over: impl Iterator<Item = Result<Layer, Problem>>) -> Result<Vec<Layer>, Problems> {
    let (mut layers, mut problems) = (Vec::new(), Vec::new());
    for read in std::iter::once_with(|| Layer::embedded(BUILT_IN, EMBEDDED)).chain(over) {
        match read {
            Ok(layer) => layers.push(layer),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(layers) } else { Err(Problems(problems)) }
}

/// The layer in a file, under another name than its path.
#[cfg(feature = "web")]
fn read_as(name: String, path: &Path) -> Result<Layer, Problem> {
    match read_text(path) {
        Ok(text) => Layer::embedded(name, &text),
        Err(message) => Err(Problem { layer: LayerName::new(name), key: Key::default(), message }),
    }
}

/// The text of the built-in file.
pub fn embedded() -> &'static str {
    EMBEDDED
}

/// The operator's file where nobody names one: in the user's configuration directory. Never in the current directory: a file there could
/// send secrets elsewhere.
pub fn default_file(config_dir: &Path) -> PathBuf {
    config_dir.join(FILE_NAME)
}

/// Platforms that a file describes and no connector is linked for, for each file: nothing here uses them. That is no mistake where several
/// programs share a file, and may be a slip of the finger. What is built in may speak of what a smaller program leaves out.
pub(crate) fn unlinked<'a>(
    config: &'a Config,
    registry: &'a Registry,
) -> impl Iterator<Item = (&'a PlatformId, Problem)> {
    let ids = config.settings.platforms.keys();
    let unknown = ids.filter_map(|id| Some((id, registry.get(id.as_str()).err()?)));
    unknown.flat_map(|(id, why)| {
        let key = Key::of(["platforms", id.as_str()]);
        let message = why.message().to_owned();
        let problem =
            move |layer: &LayerName| Problem { layer: layer.clone(), key: key.clone(), message: message.clone() };
        speakers(config, id).into_iter().map(move |layer| (id, problem(layer)))
    })
}

/// The files that speak of a platform.
fn speakers<'a>(config: &'a Config, id: &PlatformId) -> BTreeSet<&'a LayerName> {
    let speaks = |key: &Key| key.names().get(1).is_some_and(|name| name == id.as_str());
    let spoken = config.origins.iter().filter(|(key, _)| speaks(key)).map(|(_, layer)| layer);
    spoken.filter(|layer| layer.as_str() != BUILT_IN).collect()
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
    let Some(scope) = account_scope(linked, &platform.catalogue) else { return Vec::new() };
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

/// The scope that unlocks the ids of a platform's accounts, if one does.
pub(crate) fn account_scope<'a>(linked: &Linked, catalogue: &'a Catalogue) -> Option<&'a Scope> {
    let facts = linked.protocol().accounts.as_ref()?;
    catalogue.fields(&facts.endpoint).find(|(_, field, _)| *field == facts.id).map(|(scope, ..)| scope)
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
