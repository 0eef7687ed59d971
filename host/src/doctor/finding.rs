//! One thing that was found.

use std::path::{Path, PathBuf};

use connector_core::PlatformId;
use connector_core::config::{Key, LayerName};

use super::Kind;

/// One thing that was found, and what to do about it. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub place: Place,
    /// What is wrong, as a sentence for people.
    pub what: String,
    /// What to do: a command, or the line to write and where.
    pub fix: String,
}

/// Where something was found, as far as it is anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file of the configuration.
    pub file: Option<LayerName>,
    /// The key in it.
    pub key: Option<Key>,
    /// A directory or file of this machine.
    pub path: Option<PathBuf>,
    /// The platform.
    pub platform: Option<PlatformId>,
    /// The app, by the operator's name.
    pub app: Option<String>,
    /// How many connections it concerns.
    pub connections: Option<u64>,
}

impl Finding {
    pub(super) fn new(kind: Kind, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { kind, place: Place::default(), what: what.into(), fix: fix.into() }
    }

    pub(super) fn at_key(mut self, file: LayerName, key: Key) -> Self {
        (self.place.file, self.place.key) = (Some(file), Some(key));
        self
    }

    pub(super) fn at_path(mut self, path: &Path) -> Self {
        self.place.path = Some(path.to_owned());
        self
    }

    pub(super) fn of_platform(mut self, platform: &PlatformId) -> Self {
        self.place.platform = Some(platform.clone());
        self
    }

    pub(super) fn of_app(mut self, platform: &PlatformId, app: &str) -> Self {
        self.place.app = Some(app.to_owned());
        self.of_platform(platform)
    }

    pub(super) fn of_connections(mut self, count: u64) -> Self {
        self.place.connections = Some(count);
        self
    }
}
