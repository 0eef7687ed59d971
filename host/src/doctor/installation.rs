//! What is looked at.

use std::path::PathBuf;
use std::sync::Arc;

use connector_core::app::App;
use connector_core::config::{AppSettings, Config, Key, LayerName};
use connector_core::{Context, Linked, Registry};

use crate::apps::Realm;
use crate::error::Result;
use crate::layers::{ConfigFiles, layer_of};
use crate::store::Store;
use crate::vault::KeySource;

/// An installation of a host, as far as it can be come by. What could not be opened is a finding.
#[derive(Debug)]
pub struct Installation {
    /// The connectors.
    pub registry: Registry,
    /// The configuration files.
    pub files: ConfigFiles,
    /// Where the apps are registered. Of emulators, those that run.
    pub realm: Realm,
    /// The data directory, which needs not be there.
    pub dir: PathBuf,
    /// The files of the store that nobody else may read, if it is in files.
    pub store_files: Vec<PathBuf>,
    /// The store, opened for a look. `None` where there is none that is up to date.
    pub store: Result<Option<Arc<dyn Store>>>,
    /// Where the keys are.
    pub keys: Result<KeySource>,
    /// Transport, clock, randomness.
    pub cx: Context,
    /// Whether nothing may be sent.
    pub offline: bool,
    /// The options that a command needs to be about this installation, each with a blank before it.
    pub options: String,
}

/// An app with what is known of its platform.
pub(super) struct KnownApp<'a> {
    pub(super) linked: &'a Linked,
    pub(super) name: &'a str,
    pub(super) settings: &'a AppSettings,
}

impl Installation {
    /// Whether emulators stand in for the platforms.
    pub(super) fn is_emulated(&self) -> bool {
        matches!(self.realm, Realm::Emulated(_))
    }

    /// The store, if it could be opened.
    pub(super) fn open_store(&self) -> Option<&Arc<dyn Store>> {
        self.store.as_ref().ok()?.as_ref()
    }

    /// A command about this installation.
    pub(super) fn command(&self, args: &str) -> String {
        format!("connector-host {args}{}", self.options)
    }

    /// Every app of every platform that is linked.
    pub(super) fn apps<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = KnownApp<'a>> {
        let configured = |linked: &'a Linked| Some((linked, config.settings.platforms.get(linked.id())?));
        self.registry.iter().filter_map(configured).flat_map(|(linked, platform)| {
            platform.apps.iter().map(move |(name, settings)| KnownApp { linked, name, settings })
        })
    }

    /// The app, ready for use, unless it lacks something.
    pub(super) fn ready(&self, app: &KnownApp<'_>) -> Option<App> {
        self.realm.app(app.linked, app.name, app.settings).ok()
    }
}

impl KnownApp<'_> {
    /// The place of one of its settings.
    pub(super) fn key(&self, name: &str) -> Key {
        Key::of(["platforms", self.linked.id().as_str(), "apps", self.name, name])
    }

    /// The file to write a setting in: the one that sets it, else the one that names the kind of the app.
    pub(super) fn file(&self, config: &Config, name: &str) -> LayerName {
        let set = config.origins.get(&self.key(name)).cloned();
        set.unwrap_or_else(|| layer_of(config, &self.key("kind")))
    }

    /// How it is called in a sentence.
    pub(super) fn title(&self) -> String {
        format!("the app `{}` of {}", self.name, self.linked.name())
    }

    /// Where its portal is, in a sentence.
    pub(super) fn portal(&self) -> String {
        let url = self.linked.protocol().portal.url.as_deref();
        url.map_or_else(|| "the developer portal".to_owned(), |url| format!("the developer portal ({url})"))
    }
}
