//! Emulators of a data directory: attached to where one runs, else started, with their state kept there.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use connector_core::app::AppKind;
use connector_core::emulator::{EmulatedApp, EmulatorInfo, Person, RunningEmulator, StartEmulator};
use connector_core::grant::BaseUrls;
use connector_core::{Context, Linked, Secret};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{Error, Result};
use crate::notice::{self, PATIENCE, PAUSE};
use crate::private_files;

/// The emulator of one platform in one directory, for as long as this value lives.
#[derive(Debug)]
pub struct Emulated {
    /// What there is to know of it.
    pub info: EmulatorInfo,
    ours: Option<Ours>,
}

/// An emulator that this process runs.
#[derive(Debug)]
struct Ours {
    running: RunningEmulator,
    notice: PathBuf,
    /// Held as long as the emulator runs; the system gives it back should the process die.
    _lock: File,
}

impl Emulated {
    /// Attaches to the emulator of this directory, or starts it.
    ///
    /// # Errors
    /// When the platform has none, its port is taken, or the directory cannot be used.
    pub async fn open(linked: &Linked, dir: &Path, cx: &Context) -> Result<Self> {
        let lock = open_lock(linked, dir)?;
        for _ in 0..PATIENCE {
            match lock.try_lock() {
                Ok(()) => return Self::start(linked, dir, cx, lock, None, cx.random_token()?).await,
                Err(TryLockError::WouldBlock) => {
                    if let Some(info) = read_notice(&notice(linked, dir)) {
                        return Ok(Self { info, ours: None });
                    }
                }
                Err(TryLockError::Error(error)) => return Err(unusable(dir, &error)),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Error::Machine(format!(
            "another process holds the emulator of {} in {} and does not say where it listens",
            linked.name(),
            dir.display()
        )))
    }

    /// The emulator that runs for this directory, if one does. None is started, and nothing is made.
    pub fn running(linked: &Linked, dir: &Path) -> Option<EmulatorInfo> {
        let lock = File::options().read(true).open(lock_path(linked, dir)).ok()?;
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => read_notice(&notice(linked, dir)),
            _ => None,
        }
    }

    /// Starts the emulator of this directory, for a command that is nothing else.
    ///
    /// # Errors
    /// As [`Emulated::open`], and when it runs already.
    pub async fn run(
        linked: &Linked,
        dir: &Path,
        cx: &Context,
        port: Option<u16>,
        admin_token: Secret,
    ) -> Result<Self> {
        let lock = open_lock(linked, dir)?;
        match lock.try_lock() {
            Ok(()) => Self::start(linked, dir, cx, lock, port, admin_token).await,
            Err(TryLockError::WouldBlock) => {
                let at =
                    read_notice(&notice(linked, dir)).map(|info| format!(" at {}", info.origin)).unwrap_or_default();
                Err(Error::Machine(format!("the emulator of {} in {} runs already{at}", linked.name(), dir.display())))
            }
            Err(TryLockError::Error(error)) => Err(unusable(dir, &error)),
        }
    }

    async fn start(
        linked: &Linked,
        dir: &Path,
        cx: &Context,
        lock: File,
        port: Option<u16>,
        admin_token: Secret,
    ) -> Result<Self> {
        let emulator = linked.emulator().ok_or_else(|| no_emulator(linked))?;
        // What an earlier one left behind would send others to where nobody listens.
        let _ = std::fs::remove_file(notice(linked, dir));
        let state = Some(dir.join(format!("{}.json", linked.id())));
        let running = emulator.start(StartEmulator { port, state, admin_token, cx: cx.clone() }).await?;
        let notice = notice(linked, dir);
        write_notice(&notice, &running.info).map_err(|error| unusable(dir, &error))?;
        Ok(Self { info: running.info.clone(), ours: Some(Ours { running, notice, _lock: lock }) })
    }

    /// Stops it, if this process runs it.
    pub async fn close(self) {
        if let Some(ours) = self.ours {
            // A notice that stays behind is harmless: nobody reads it unless the lock is held.
            let _ = std::fs::remove_file(&ours.notice);
            ours.running.stop().await;
        }
    }
}

fn no_emulator(linked: &Linked) -> Error {
    Error::Request(format!("{} has no emulator in this program", linked.name()))
}

fn open_lock(linked: &Linked, dir: &Path) -> Result<File> {
    if linked.emulator().is_none() {
        return Err(no_emulator(linked));
    }
    private_files::ensure_dir(dir)?;
    Ok(private_files::lock_file(&lock_path(linked, dir))?)
}

fn lock_path(linked: &Linked, dir: &Path) -> PathBuf {
    dir.join(format!("{}.lock", linked.id()))
}

fn notice(linked: &Linked, dir: &Path) -> PathBuf {
    dir.join(format!("{}.running.json", linked.id()))
}

fn unusable(dir: &Path, error: &std::io::Error) -> Error {
    Error::Machine(format!("the emulator's directory {} cannot be used: {error}", dir.display()))
}

/// What a running emulator says about itself in its directory.
#[derive(Deserialize, Serialize)]
struct Notice {
    origin: Url,
    base_urls: BaseUrls,
    apps: Vec<NoticeApp>,
    people: BTreeMap<String, String>,
}

#[derive(Deserialize, Serialize)]
struct NoticeApp {
    name: String,
    web: bool,
    client_id: String,
    client_secret: String,
}

fn write_notice(path: &Path, info: &EmulatorInfo) -> std::io::Result<()> {
    let app = |app: &EmulatedApp| NoticeApp {
        name: app.name.clone(),
        web: app.kind == AppKind::Web,
        client_id: app.client_id.clone(),
        client_secret: app.client_secret.expose().to_owned(),
    };
    let notice = Notice {
        origin: info.origin.clone(),
        base_urls: info.base_urls.clone(),
        apps: info.apps.iter().map(app).collect(),
        people: info.people.iter().map(|person| (person.name.clone(), person.about.clone())).collect(),
    };
    notice::write(path, &notice)
}

/// The notice, once it is whole.
fn read_notice(path: &Path) -> Option<EmulatorInfo> {
    let notice: Notice = notice::read(path)?;
    let app = |app: NoticeApp| EmulatedApp {
        name: app.name,
        kind: if app.web { AppKind::Web } else { AppKind::Desktop },
        client_id: app.client_id,
        client_secret: Secret::from(app.client_secret),
    };
    Some(EmulatorInfo {
        origin: notice.origin,
        base_urls: notice.base_urls,
        apps: notice.apps.into_iter().map(app).collect(),
        people: notice.people.into_iter().map(|(name, about)| Person { name, about }).collect(),
    })
}
