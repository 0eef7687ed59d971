//! Whether what has to be private is.

use std::path::Path;

use super::{Finding, Installation, Kind};
use crate::Error;
use crate::private_files::{self, FileError};
use crate::shell;
use crate::store::StoreError;
use crate::vault::VaultError;

pub(super) fn look(installation: &Installation) -> Vec<Finding> {
    let dir = &installation.dir;
    let dirs = [dir.clone(), dir.join("spool"), dir.join("locks")];
    let dirs = dirs.iter().map(|path| private_files::is_own_dir(path));
    let files = installation.store_files.iter().map(|path| private_files::is_there(path));
    let looked: Vec<FileError> = dirs.chain(files).filter_map(Result::err).chain(of_keys(installation)).collect();
    let mut findings: Vec<Finding> = looked.iter().map(finding).collect();
    if let Err(Error::Store(StoreError::Exposed(error))) = &installation.store {
        findings.push(finding(error));
    }
    findings
}

/// What is wrong with the file of the keys, whichever kind of file it is.
fn of_keys(installation: &Installation) -> Option<FileError> {
    match installation.keys.as_ref().ok()?.read() {
        Err(VaultError::File(error)) => Some(error),
        _ => None,
    }
}

fn finding(error: &FileError) -> Finding {
    let (path, kind, fix) = match error {
        FileError::Exposed { path, wanted, .. } => {
            (path, Kind::FileExposed, format!("chmod {wanted:o} {}", shell::path(path)))
        }
        // Root may use everything, and would take the file away from whoever it belongs to.
        FileError::Owner { path, owner, ours: 0, .. } => (
            path,
            Kind::FileUnusable,
            format!("run this as the user whose it is: `sudo -u '#{owner}' connector-host doctor`"),
        ),
        FileError::Owner { path, ours, .. } => {
            (path, Kind::FileUnusable, format!("chown {ours} {}", shell::path(path)))
        }
        FileError::Kind { path, wanted } => (path, Kind::FileUnusable, format!("put {wanted} at `{}`", path.display())),
        FileError::Io { path, .. } => {
            (path, Kind::FileUnusable, format!("let this user use it: `ls -ld {}`", shell::path(path)))
        }
    };
    Finding::new(kind, what(error, path), fix).at_path(path)
}

/// What is wrong alone: what to do stands apart.
fn what(error: &FileError, path: &Path) -> String {
    let shown = path.display();
    match error {
        FileError::Exposed { mode, .. } => {
            format!("`{shown}` is open to other users of this machine (mode {mode:04o})")
        }
        FileError::Owner { owner, ours, .. } => {
            format!("`{shown}` belongs to the user with id {owner}, and this process runs as {ours}")
        }
        FileError::Kind { wanted, .. } => format!("`{shown}` is not {wanted}"),
        FileError::Io { .. } => error.to_string(),
    }
}
