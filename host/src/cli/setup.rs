use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector_core::config::Config;
use connector_core::http::{ReqwestTransport, Retry};
use connector_core::{Context, ErrorKind, Registry};
use directories::ProjectDirs;

use super::args::Global;
use super::database;
use super::output::Output;
use super::running::{Emulators, Running};
use crate::apps::Realm;
use crate::emulate::Emulated;
use crate::error::{Error, Result};
use crate::host::{Host, Parts};
use crate::layers::{ConfigFiles, default_file};
use crate::store::{SqliteStore, Store};
use crate::vault::unlock;

/// What the global options say, put together as far as a command needs it.
#[derive(Debug)]
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
        let operator = self.global.config.clone().or_else(|| dirs().and_then(|dirs| default_file(dirs.config_dir())));
        ConfigFiles { operator, overlays: self.global.overlay.clone() }
    }

    /// The options that name those files, for a command that is to read the same ones.
    pub(super) fn file_options(&self) -> String {
        let by_variable = std::env::var_os("CONNECTOR_CONFIG");
        let named = self.global.config.as_ref().filter(|file| by_variable.as_deref() != Some(file.as_os_str()));
        let config = named.map(|file| format!(" --config {}", file.display()));
        let overlays = self.global.overlay.iter().map(|file| format!(" --overlay {}", file.display()));
        config.into_iter().chain(overlays).collect()
    }

    /// The configuration files, read and checked.
    pub(super) fn config(&self, output: Output) -> Result<Config> {
        let config = self.files().load(&self.registry)?;
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
        self.open(config, &self.data_dir()?, cx, realm, running, output).await
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
        let shared = self.global.database.as_ref().filter(|_| matches!(realm, Realm::Live));
        let store: Arc<dyn Store> = match shared {
            Some(url) => database::open(&cx, url, dir).await?,
            None => Arc::new(SqliteStore::open(&cx, dir).await?),
        };
        let unlocked = unlock(&cx, dir, &store).await.map_err(|error| match shared {
            Some(_) if *error.kind() != ErrorKind::Unavailable => database::other_key(dir, error),
            _ => error.into(),
        })?;
        if let Some(path) = unlocked.made.filter(|_| matches!(realm, Realm::Live)) {
            output.note(format!("Made the key {}. Keep a copy of it apart from the database: without it every account has to be connected again.", path.display()));
        }
        let parts = Parts {
            registry: self.registry.clone(),
            settings: config.settings,
            realm,
            store,
            vault: unlocked.vault,
            cx,
        };
        let host = Host::new(parts);
        running.host(&host);
        Ok(host)
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

/// The user's own directories for this program.
fn dirs() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "connector-host")
}

fn no_home() -> Error {
    Error::Machine(
        "there is no home directory to keep data in: name a directory with --data-dir or CONNECTOR_DATA_DIR".to_owned(),
    )
}
