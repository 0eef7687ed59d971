//! Another database in place of the one of a data directory.
//!
//! The new one is made ready in a directory of its own, as a store like any other. It takes the place of the old one by a single rename, so
//! that whatever happens there is always one of the two.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use connector_core::Context;
use tempfile::TempDir;

use super::error::failed;
use super::files::{self, COMPANIONS, DATABASE};
use super::migrate::APPLICATION_ID;
use super::pool::on_blocking_thread;
use super::{SqliteStore, connection, lock};
use crate::private_files;
use crate::store::{Result, StoreError};

/// So many databases may be kept aside under one name.
const MOST_ASIDE: u32 = 100;

/// How the directory begins in which a backup is made ready.
const STAGING: &str = "restoring-";

/// A backup that is about to take the place of the store of a data directory. As long as it lives, nobody opens the store; when it is
/// dropped, nothing has changed.
#[derive(Debug)]
pub struct Replacement {
    dir: PathBuf,
    locks: PathBuf,
    alone: File,
    staging: TempDir,
    /// The backup as a store that may be changed.
    pub restored: SqliteStore,
    /// The store that is there, unless there is none or it cannot be read.
    pub present: Option<SqliteStore>,
}

impl Replacement {
    /// Takes a copy of a backup, brings it up to date, and opens what is there.
    ///
    /// # Errors
    /// When another process uses the store; when the file is no backup of a store, is damaged, or was made by a newer version.
    pub async fn prepare(cx: &Context, dir: &Path, file: &Path) -> Result<Self> {
        check_header(file)?;
        private_files::ensure_dir(dir)?;
        super::network::refuse(dir)?;
        let locks = files::prepare_locks(dir)?;
        let alone = lock::alone(&locks)?.ok_or_else(|| in_use(dir))?;
        clear_staging(dir)?;
        let staging = tempfile::Builder::new().prefix(STAGING).tempdir_in(dir).map_err(io("make", dir))?;
        let restored = stage(cx, file, staging.path()).await?;
        let mut replacement = Self { dir: dir.to_owned(), locks, alone, staging, restored, present: None };
        replacement.present = replacement.open_present(cx).await?;
        Ok(replacement)
    }

    /// Puts it in place and keeps what was there aside, under this name in the same directory. Gives the path of that, if there was one.
    ///
    /// # Errors
    /// When the system refuses. What was there is still there then, or under the name given.
    pub async fn commit(self, aside: &str) -> Result<Option<PathBuf>> {
        let staged = self.restored.path().to_owned();
        self.restored.close().await;
        if let Some(present) = &self.present {
            present.close().await;
        }
        if companion(&staged, "-wal").exists() {
            return Err(StoreError::corrupt("backup", "it could not be written to one file"));
        }
        File::options().write(true).open(&staged).and_then(|file| file.sync_all()).map_err(io("write", &staged))?;
        let kept = set_aside(&self.dir, aside)?;
        let path = self.dir.join(DATABASE);
        fs::rename(&staged, &path).map_err(io("make", &path))?;
        private_files::sync_dir(&self.dir).map_err(io("write", &self.dir))?;
        drop(self.staging);
        Ok(kept)
    }

    /// What is there may be damaged, which is why somebody restores a backup. Something that is not ours is not replaced.
    async fn open_present(&self, cx: &Context) -> Result<Option<SqliteStore>> {
        let path = self.dir.join(DATABASE);
        // An empty file is what a disk that was full leaves. Opened, it would become a new store.
        if !private_files::is_there(&path)? || path.metadata().is_ok_and(|file| file.len() == 0) {
            return Ok(None);
        }
        let held = self.alone.try_clone().map_err(io("lock", &path))?;
        let opened = match SqliteStore::open_locked(cx, path.clone(), &self.locks, held).await {
            Ok(present) => present,
            Err(error) => return unless_damaged(error, &path),
        };
        match check_sound(&path).await {
            Ok(()) => Ok(Some(opened)),
            Err(error) => {
                opened.close().await;
                unless_damaged(error, &path)
            }
        }
    }
}

/// Removes what a restore left that did not come to its end. Nobody else restores here: the lock is held.
fn clear_staging(dir: &Path) -> Result<()> {
    for entry in dir.read_dir().map_err(io("read", dir))? {
        let left = entry.map_err(io("read", dir))?;
        if left.file_name().to_str().is_some_and(|name| name.starts_with(STAGING)) {
            let path = left.path();
            fs::remove_dir_all(&path).map_err(io("remove", &path))?;
        }
    }
    Ok(())
}

/// The backup as a store in a directory of its own.
async fn stage(cx: &Context, file: &Path, staging: &Path) -> Result<SqliteStore> {
    let dir = staging.join("store");
    private_files::ensure_dir(&dir)?;
    let path = dir.join(DATABASE);
    let mut to = private_files::create(&path).map_err(io("make", &path))?;
    let mut from = File::open(file).map_err(io("read", file))?;
    io::copy(&mut from, &mut to).map_err(io("copy", file))?;
    drop(to);
    let told = |error| match error {
        StoreError::Newer { found, known, .. } => StoreError::Newer { place: file.into(), found, known },
        StoreError::Corrupt { why, .. } => unfit(file, format!("is damaged ({why}): restore another backup")),
        other => other,
    };
    let store = SqliteStore::open(cx, &dir).await.map_err(told)?;
    check_sound(&path).await.map_err(told)?;
    Ok(store)
}

/// A database that is damaged tells nothing. One that cannot be read just now would: nothing is put in its place as if it were not there.
fn unless_damaged(error: StoreError, path: &Path) -> Result<Option<SqliteStore>> {
    match error {
        StoreError::Corrupt { .. } | StoreError::Foreign { .. } => Ok(None),
        StoreError::Database(error) => Err(unfit(
            path,
            format!(
                "cannot be read to compare it with the backup ({error}): make it readable, or move it away to do without"
            ),
        )),
        error => Err(error),
    }
}

/// Reads every page of a database.
async fn check_sound(path: &Path) -> Result<()> {
    let path = path.to_owned();
    let check = move || {
        let file = connection::open(&path)?;
        file.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    };
    match on_blocking_thread(move || check().map_err(failed)).await?.as_str() {
        "ok" => Ok(()),
        why => Err(StoreError::corrupt("database", why)),
    }
}

/// Tells a backup by the first bytes of the file: <https://www.sqlite.org/fileformat.html#the_database_header>.
fn check_header(file: &Path) -> Result<()> {
    let mut header = [0; 72];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(no_backup(file)),
        read => read.map_err(io("read", file))?,
    }
    let application = header.last_chunk::<4>().map(|bytes| i64::from(u32::from_be_bytes(*bytes)));
    if !header.starts_with(b"SQLite format 3\0") || application != Some(APPLICATION_ID) {
        return Err(no_backup(file));
    }
    let log = companion(file, "-wal");
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        let why = format!(
            "is a database in use, and what it wrote last is in `{}`: make a copy with `connector-host backup`",
            log.display()
        );
        return Err(unfit(file, why));
    }
    Ok(())
}

/// Gives the database that is there a second name, and what belongs to it a new one. Until the rename that follows it still has its own.
/// A log goes aside without its database as well: it would be taken for that of the new one, and ruin it.
fn set_aside(dir: &Path, aside: &str) -> Result<Option<PathBuf>> {
    let path = dir.join(DATABASE);
    let there = path.exists();
    let kept = if there { second_name(&path, dir, aside).map_err(io("keep aside", &path))? } else { dir.join(aside) };
    for suffix in COMPANIONS {
        match fs::rename(companion(&path, suffix), companion(&kept, suffix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done.map_err(io("keep aside", &path))?,
        }
    }
    private_files::sync_dir(dir).map_err(io("write", dir))?;
    Ok(there.then_some(kept))
}

/// The name, or with a number behind it where that is taken.
fn second_name(path: &Path, dir: &Path, aside: &str) -> io::Result<PathBuf> {
    let numbered = (2..=MOST_ASIDE).map(|number| format!("{aside}-{number}"));
    let mut outcome = Err(io::ErrorKind::AlreadyExists.into());
    for name in [aside.to_owned()].into_iter().chain(numbered) {
        let kept = dir.join(name);
        outcome = fs::hard_link(path, &kept).map(|()| kept);
        if outcome.as_ref().is_err_and(|error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists) {
            continue;
        }
        break;
    }
    outcome
}

fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn in_use(dir: &Path) -> StoreError {
    let why = "is in use by another process: stop every connector-host on this data directory, then restore";
    unfit(&dir.join(DATABASE), why)
}

fn no_backup(file: &Path) -> StoreError {
    unfit(file, "is no backup of a store of connector-host")
}

fn unfit(path: &Path, why: impl Into<String>) -> StoreError {
    StoreError::Unfit { path: path.to_owned(), why: why.into() }
}

fn io(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |source| StoreError::Io { doing, path: path.to_owned(), source }
}
