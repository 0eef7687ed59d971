use std::env::VarError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector_core::config::Config;
use connector_core::http::{ReqwestTransport, Retry};
use connector_core::{Context, Registry, Secret};
use directories::ProjectDirs;

use super::args::Global;
use super::database;
use super::output::Output;
use super::running::{Emulators, Running};
use crate::apps::Realm;
use crate::emulate::Emulated;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::layers::{ConfigFiles, default_file};
use crate::open::{Opened, Opening};
use crate::shell;
use crate::store::{Actor, SqliteStore, Store};
use crate::vault::{KeyFile, KeySource, Unlocked, Vault, unlock};

/// Holds the vault's keys themselves.
const KEYS: &str = "CONNECTOR_VAULT_KEY";

/// What the global options say, put together as far as a command needs it.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) global: Global,
    pub(super) registry: Registry,
}

impl Setup {
    pub(super) fn new(global: Global) -> Result<Self> {
        database::check(&global)?;
        Ok(Self { global, registry: Registry::linked()? })
    }

    /// The configuration files that are read.
    pub(super) fn files(&self) -> ConfigFiles {
        let default = dirs().map(|dirs| default_file(dirs.config_dir())).filter(|_| self.global.config.is_none());
        let (operator, overlays) = (self.global.config.clone(), self.global.overlay.clone());
        ConfigFiles { operator, default, overlays }.settled()
    }

    /// The options that name those files, for a command that is to read the same ones.
    pub(super) fn file_options(&self) -> String {
        let by_variable = std::env::var_os("CONNECTOR_CONFIG");
        let named = self.global.config.as_ref().filter(|file| by_variable.as_deref() != Some(file.as_os_str()));
        let config = named.map(|file| format!(" --config {}", shell::path(file)));
        let overlays = self.global.overlay.iter().map(|file| format!(" --overlay {}", shell::path(file)));
        config.into_iter().chain(overlays).collect()
    }

    /// The options by which another command is about the same data and files. A name of the installation is not among them, and a database
    /// that an option names is called `URL`: its address may hold a password.
    pub(super) fn same_options(&self) -> String {
        let by_variable = std::env::var_os("CONNECTOR_DATA_DIR");
        let named = self.global.data_dir.as_ref().filter(|dir| by_variable.as_deref() != Some(dir.as_os_str()));
        let dir = named.map(|dir| format!(" --data-dir {}", shell::path(dir))).unwrap_or_default();
        if self.global.emulator {
            return format!(" --emulator{dir}{}", self.file_options());
        }
        let is_option = |variable: &str| std::env::var_os(variable).is_none();
        let database = self.global.database.as_ref().filter(|_| is_option("CONNECTOR_DATABASE_URL"));
        let database = database.map_or("", |_| " --database URL");
        let key = self.global.vault_key.as_ref().filter(|_| is_option("CONNECTOR_VAULT_KEY_FILE"));
        let key = key.map(|file| format!(" --vault-key {}", shell::path(file))).unwrap_or_default();
        format!("{database}{dir}{key}{}", self.file_options())
    }

    /// The configuration files, read and checked.
    pub(super) fn config(&self, output: Output) -> Result<Config> {
        self.config_of(&self.files(), output)
    }

    /// These files, read and checked.
    pub(super) fn config_of(&self, files: &ConfigFiles, output: Output) -> Result<Config> {
        let config = files.load(&self.registry)?;
        for layer in &config.layers {
            output.detail(format!("configuration: {layer}"));
        }
        Ok(config)
    }

    /// Where this command's data is. An emulator's is apart from the real one.
    pub(super) fn data_dir(&self) -> Result<PathBuf> {
        if self.global.emulator { self.emulator_dir() } else { self.base_dir() }
    }

    /// Where the data of the emulated realm is.
    pub(super) fn emulator_dir(&self) -> Result<PathBuf> {
        Ok(self.base_dir()?.join("emulator"))
    }

    /// The directory that was named, else the user's own.
    pub(super) fn base_dir(&self) -> Result<PathBuf> {
        match &self.global.data_dir {
            Some(dir) => Ok(dir.clone()),
            None => dirs().map(|dirs| dirs.data_local_dir().to_owned()).ok_or_else(no_home),
        }
    }

    /// The machine's own clock and randomness, and one HTTP transport for everything.
    pub(super) fn context() -> Context {
        Context::system(Arc::new(Retry::new(ReqwestTransport::new())))
    }

    /// The host on this command's data, with the emulators it needs.
    pub(super) async fn host(&self, running: &Running, output: Output) -> Result<Host> {
        let (config, cx) = (self.config(output)?, Self::context());
        let realm = self.realm(&cx, running).await?;
        let host = self.open(config, &self.data_dir()?, cx, realm, running, output).await?;
        Ok(host.on_behalf_of(Actor::Command))
    }

    /// The realm that the options name, with the emulators it needs.
    pub(super) async fn realm(&self, cx: &Context, running: &Running) -> Result<Realm> {
        if self.global.emulator { self.emulated(&self.data_dir()?, cx, running).await } else { Ok(Realm::Live) }
    }

    /// The host on a given directory and realm.
    pub(super) async fn open(
        &self,
        config: Config,
        dir: &Path,
        cx: Context,
        realm: Realm,
        running: &Running,
        output: Output,
    ) -> Result<Host> {
        output.detail(format!("data: {}", dir.display()));
        let live = matches!(realm, Realm::Live);
        let store = self.open_store(&cx, dir, live).await?;
        let keys = self.keys(dir, &store, live, output).await?;
        let (registry, settings, spool) = (self.registry.clone(), config.settings, Some(dir.join("spool")));
        let opened = Host::open(Opening { registry, settings, realm, store, keys, spool, cx }).await?;
        let Opened { host, made, replayed, recovered } = opened;
        running.host(&host);
        tell_of_key(made.as_deref().filter(|_| live), output);
        if replayed.stored > 0 {
            output.note(format!("Stored {} answers that an earlier process could not store.", replayed.stored));
        }
        if recovered > 0 {
            output.note(format!("The tokens of {recovered} grants open again: their key is back."));
        }
        Ok(host)
    }

    /// The store that is there, for a command that looks after the store itself. It needs neither keys nor configuration.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn store(&self, cx: &Context, output: Output) -> Result<Arc<dyn Store>> {
        match &self.global.database {
            Some(url) => database::open(cx, url, self.global.instance.clone()).await,
            None => Ok(Arc::new(self.file(cx, output).await?)),
        }
    }

    /// The same where it has to be a file of the data directory.
    ///
    /// # Errors
    /// When there is none, or the store is on a server.
    pub(super) async fn file(&self, cx: &Context, output: Output) -> Result<SqliteStore> {
        database::refuse(&self.global)?;
        let dir = self.data_dir()?;
        output.detail(format!("data: {}", dir.display()));
        Self::is_there(&dir)?;
        Ok(SqliteStore::open(cx, &dir).await?.under(self.global.instance.clone()))
    }

    fn is_there(dir: &Path) -> Result<()> {
        if dir.join("store.db").exists() {
            return Ok(());
        }
        let message = format!("there is no store in {}: name its directory with --data-dir", dir.display());
        Err(Error::Request(message))
    }

    /// The store as it is, for a look: nothing is made, claimed or migrated. `None` where there is none that is up to date.
    ///
    /// # Errors
    /// When it cannot be read, or is none of this program's.
    pub(super) async fn store_as_is(&self, cx: &Context) -> Result<Option<Arc<dyn Store>>> {
        let name = self.global.instance.clone();
        if let Some(url) = &self.global.database {
            return database::open_as_is(url, name).await;
        }
        let store = SqliteStore::open_as_is(cx, &self.data_dir()?).await?;
        Ok(store.map(|store| Arc::new(store.under(name)) as Arc<dyn Store>))
    }

    /// The same, for a command that can do nothing without one.
    ///
    /// # Errors
    /// When there is none, or one that is empty or of an earlier version.
    pub(super) async fn store_to_look_at(&self, cx: &Context) -> Result<Arc<dyn Store>> {
        if self.global.database.is_none() {
            Self::is_there(&self.data_dir()?)?;
        }
        self.store_as_is(cx).await?.ok_or_else(|| {
            let command = format!("connector-host connections{}", self.same_options());
            Error::Request(format!(
                "the store is empty or of an earlier version, and is left as it is: `{command}` brings it up to date"
            ))
        })
    }

    /// The store and the vault of this command's data, for what needs no platform.
    pub(super) async fn vault(&self, cx: &Context, output: Output) -> Result<(Arc<dyn Store>, Vault, KeySource)> {
        let dir = self.data_dir()?;
        output.detail(format!("data: {}", dir.display()));
        let live = !self.global.emulator;
        let store = self.open_store(cx, &dir, live).await?;
        let source = self.keys(&dir, &store, live, output).await?;
        let Unlocked { vault, made } = unlock(cx, &source, &store).await?;
        tell_of_key(made.as_deref().filter(|_| live), output);
        Ok((store, vault, source))
    }

    /// The store: the database that was named, else a file of the data directory. An emulator's is always there.
    async fn open_store(&self, cx: &Context, dir: &Path, live: bool) -> Result<Arc<dyn Store>> {
        let name = self.global.instance.clone();
        match self.global.database.as_ref().filter(|_| live) {
            Some(url) => database::open(cx, url, name).await,
            None => Ok(Arc::new(SqliteStore::open(cx, dir).await?.under(name))),
        }
    }

    /// Where the keys of the store are. Those of a database that machines share have to be there already, once one of them has made them.
    async fn keys(&self, dir: &Path, store: &Arc<dyn Store>, live: bool, output: Output) -> Result<KeySource> {
        let source = self.key_source(dir, live, output)?;
        if live && self.global.database.is_some() {
            database::check_keys(&source, store).await?;
        }
        Ok(source)
    }

    /// Where the vault's keys are: in the one place that was named, else in the data directory. An emulator's are always there.
    pub(super) fn key_source(&self, dir: &Path, live: bool, output: Output) -> Result<KeySource> {
        let mut named = if live { self.named_keys()? } else { Vec::new() };
        if named.len() > 1 {
            let all: Vec<String> = named.iter().map(|(name, _)| (*name).to_owned()).collect();
            return Err(Error::Request(format!(
                "the vault's keys are named in {} places: {}. Leave one of them",
                all.len(),
                all.join(", ")
            )));
        }
        let source = named.pop().map_or_else(|| KeySource::in_dir(dir), |(_, source)| source);
        if let KeySource::Text { name, .. } = &source {
            output.warn(format!(
                "the vault's keys are in the environment variable {name}, which more eyes see than a file: every program started from here inherits it"
            ));
        }
        output.detail(format!("vault keys: {source}"));
        Ok(source)
    }

    /// Every place that was named for the vault's keys.
    fn named_keys(&self) -> Result<Vec<(&'static str, KeySource)>> {
        let file = self
            .global
            .vault_key
            .clone()
            .map(|path| ("--vault-key or CONNECTOR_VAULT_KEY_FILE", KeySource::File(path)));
        let text = match std::env::var(KEYS) {
            Ok(text) if text.trim().is_empty() => None,
            Ok(text) => Some((KEYS, KeySource::Text { name: KEYS.to_owned(), text: Secret::from(text) })),
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(_)) => {
                return Err(Error::Request(format!("{KEYS} holds no keys: it is not text")));
            }
        };
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join(KeyFile::NAME));
        let credential = credentials.filter(|path| path.exists());
        let credential = credential.map(|path| ("the credential vault.key", KeySource::Credential(path)));
        Ok([file, text, credential].into_iter().flatten().collect())
    }

    /// The emulators of every platform that has one, attached to or started.
    pub(super) async fn emulated(&self, dir: &Path, cx: &Context, running: &Running) -> Result<Realm> {
        let mut emulators = Emulators::new();
        for linked in self.registry.iter().filter(|linked| linked.emulator().is_some()) {
            emulators.insert(linked.id().clone(), Emulated::open(linked, dir, cx).await?);
        }
        let infos = emulators.iter().map(|(id, emulated)| (id.clone(), emulated.info.clone())).collect();
        running.emulators(emulators).await;
        Ok(Realm::Emulated(infos))
    }
}

fn tell_of_key(made: Option<&Path>, output: Output) {
    if let Some(path) = made {
        output.note(format!("Made the key {}. Keep a copy of it apart from the database: without it every account has to be connected again.", path.display()));
    }
}

/// The user's own directories for this program.
fn dirs() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "connector-host")
}

fn no_home() -> Error {
    Error::Machine(
        "there is no home directory to keep data in: name a directory with --data-dir or CONNECTOR_DATA_DIR".to_owned(),
    )
}
