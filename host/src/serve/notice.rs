//! How commands on the same data find the host that runs there.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use connector_core::Secret;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::notice::{self, PATIENCE, PAUSE};
use crate::private_files;
use crate::public_url::PublicUrl;

/// What a host that runs says about itself.
#[derive(Deserialize, Serialize)]
pub(crate) struct Notice {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What browsers call it.
    pub(crate) public_url: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Lets it be asked for more than to tell. It is made anew at each start.
    token: String,
}

impl Notice {
    pub(crate) fn token(&self) -> Secret {
        Secret::from(self.token.as_str())
    }
}

/// A notice that is there for as long as this value lives.
pub(crate) struct Posted {
    path: PathBuf,
    /// The system gives it back should the process die.
    _lock: File,
}

/// Who runs on some data.
pub(crate) enum Found {
    Nobody,
    /// A process that ended without taking its notice away. Nobody believes that one, and the next start writes its own over it.
    Ended(u32),
    Running(Notice),
}

impl Posted {
    /// Says where this process listens. `None` if another one does so on the same data.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub(crate) async fn post(
        dir: &Path,
        address: SocketAddr,
        public_url: &PublicUrl,
        token: &Secret,
    ) -> Result<Option<Self>> {
        let (lock, path) = (lock_file(dir)?, notice_file(dir));
        // Whoever looks whether somebody runs here holds it for a moment.
        for _ in 0..LOOKS {
            match lock.try_lock() {
                Ok(()) => {
                    let notice = Notice {
                        address,
                        public_url: public_url.to_string(),
                        pid: std::process::id(),
                        token: token.expose().to_owned(),
                    };
                    notice::write(&path, &notice).map_err(|error| unusable(dir, &error))?;
                    return Ok(Some(Self { path, _lock: lock }));
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(unusable(dir, &error)),
            }
        }
        Ok(None)
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        // One that stays behind is harmless: nobody believes it unless the lock is held.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// How often to try for a lock that may be held for a moment.
const LOOKS: u32 = 10;

/// Who runs on the data in this directory.
///
/// # Errors
/// When the directory cannot be used, or a process that runs does not say where it listens.
pub(crate) async fn find(dir: &Path) -> Result<Found> {
    let path = notice_file(dir);
    if !path.exists() {
        return Ok(Found::Nobody);
    }
    let lock = lock_file(dir)?;
    for _ in 0..PATIENCE {
        match lock.try_lock_shared() {
            Ok(()) => return Ok(notice::read(&path).map_or(Found::Nobody, |left: Notice| Found::Ended(left.pid))),
            Err(TryLockError::WouldBlock) => {
                if let Some(notice) = notice::read(&path) {
                    return Ok(Found::Running(notice));
                }
            }
            Err(TryLockError::Error(error)) => return Err(unusable(dir, &error)),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Error::Machine(format!("a `serve` that runs on the data in {} does not say where it listens", dir.display())))
}

fn lock_file(dir: &Path) -> Result<File> {
    private_files::ensure_dir(dir)?;
    Ok(private_files::lock_file(&dir.join("serve.lock"))?)
}

fn notice_file(dir: &Path) -> PathBuf {
    dir.join("serve.running.json")
}

fn unusable(dir: &Path, error: &std::io::Error) -> Error {
    Error::Machine(format!("the data directory {} cannot be used: {error}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public_url() -> PublicUrl {
        "https://connect.example".parse().unwrap()
    }

    fn address() -> SocketAddr {
        "127.0.0.1:8787".parse().unwrap()
    }

    #[tokio::test]
    async fn a_host_is_found_while_it_runs_and_by_its_own_user_alone() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data");
        assert!(matches!(find(&dir).await.unwrap(), Found::Nobody));
        assert!(!dir.exists(), "to look makes nothing");
        let posted = Posted::post(&dir, address(), &public_url(), &Secret::from("t")).await.unwrap().unwrap();
        let Found::Running(notice) = find(&dir).await.unwrap() else { panic!("it runs") };
        assert_eq!((notice.address, notice.pid), (address(), std::process::id()));
        assert!(notice.token().matches("t"));
        assert!(
            Posted::post(&dir, address(), &public_url(), &Secret::from("u")).await.unwrap().is_none(),
            "one of them is found"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(notice_file(&dir).metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        }
        drop(posted);
        assert!(matches!(find(&dir).await.unwrap(), Found::Nobody));
    }

    #[tokio::test]
    async fn what_a_dead_process_left_is_not_believed() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data");
        drop(lock_file(&dir).unwrap());
        notice::write(
            &notice_file(&dir),
            &Notice { address: address(), public_url: public_url().to_string(), pid: 4711, token: "t".to_owned() },
        )
        .unwrap();
        assert!(matches!(find(&dir).await.unwrap(), Found::Ended(4711)));
        assert!(matches!(find(&dir).await.unwrap(), Found::Ended(4711)), "to look changes nothing");
        assert!(Posted::post(&dir, address(), &public_url(), &Secret::from("u")).await.unwrap().is_some());
    }
}
