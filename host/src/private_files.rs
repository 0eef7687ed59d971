//! Files and directories that nobody else may read.
//!
//! Modes and owners are what a Unix system knows. Elsewhere the directory of a user's data is private by inheritance, and only the kind
//! of a file is checked.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What is wrong with a file or directory, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Somebody else may read or change it.
    #[error("`{path}` is open to other users of this machine (mode {mode:04o}): run `chmod {wanted:o} {path}`", path = .path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have.
        wanted: u32,
    },
    /// It belongs to somebody else, who could change it at any time.
    #[error("`{path}` belongs to the user with id {owner}, and this process runs as {ours}: run `chown {ours} {path}`, or run as that user", path = .path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        ours: u32,
    },
    /// It is a link, a pipe or anything else that is not what it should be.
    #[error("`{path}` is not {wanted}: put {wanted} there, not a link to one", path = .path.display())]
    Kind {
        /// What was found.
        path: PathBuf,
        /// What should be there.
        wanted: &'static str,
    },
    /// The system refused.
    #[error("cannot {doing} `{path}`: {source}", path = .path.display())]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    /// Whether the system said that this process may not do it there.
    pub(crate) fn is_denial(error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    }
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// For reading, a file that a service manager has made for this service: it may belong to the super-user, and its group may read it,
    /// because that is how an access list shows.
    Handed,
}

/// Tells a file from one that took its place, or from what it was before it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    written: Option<SystemTime>,
    length: u64,
    file: Option<(u64, u64)>,
}

/// What a file looks like now; `None` when there is none to look at.
pub(crate) fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::symlink_metadata(path).ok()?;
    Some(Stamp { written: found.modified().ok(), length: found.len(), file: number(&found) })
}

/// The directory, made with mode 0700 if it is missing.
pub(crate) fn ensure_dir(path: &Path) -> Result<(), FileError> {
    if is_own_dir(path)? {
        return Ok(());
    }
    make_dir(path).map_err(|source| FileError::Io { doing: "make", path: path.to_owned(), source })
}

/// Whether something is there, which must be a directory of our own that nobody else may read. Nothing is made.
pub(crate) fn is_own_dir(path: &Path) -> Result<bool, FileError> {
    let io = |source| FileError::Io { doing: "read", path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io(error)),
        Ok(found) if found.is_dir() => check(path, &found, DIR_MODE).map(|()| true),
        Ok(_) => Err(FileError::Kind { path: path.to_owned(), wanted: "a directory" }),
    }
}

/// What everybody else may do with a file or directory, as the last bits of its mode; nothing where there is none, or no modes.
pub(crate) fn open_to(path: &Path) -> u32 {
    let standing = fs::metadata(path).ok().as_ref().and_then(Standing::of);
    standing.map_or(0, |standing| standing.mode & 0o1077)
}

/// Opens a file that must be a file of our own that nobody else may read. `None` when there is none.
pub(crate) fn open(path: &Path, access: Access) -> Result<Option<File>, FileError> {
    for _ in 0..REPLACED_AT_MOST {
        match open_once(path, access)? {
            Found::Nothing => return Ok(None),
            Found::File(file) => return Ok(Some(file)),
            // Somebody puts a new file in its place at this moment.
            Found::Another => {}
        }
    }
    Err(not_a_file(path))
}

/// How often a file may be replaced while it is opened.
const REPLACED_AT_MOST: u32 = 8;

/// What was found where a file should be.
enum Found {
    Nothing,
    File(File),
    /// What was opened is not what had been looked at.
    Another,
}

fn open_once(path: &Path, access: Access) -> Result<Found, FileError> {
    let io = |source| FileError::Io { doing: "open", path: path.to_owned(), source };
    let named = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        named => named.map_err(io)?,
    };
    if !named.is_file() {
        return Err(not_a_file(path));
    }
    let file = OpenOptions::new().read(true).write(access == Access::Write).open(path).map_err(io)?;
    let opened = file.metadata().map_err(io)?;
    if !is_same(&named, &opened) {
        return Ok(Found::Another);
    }
    match access {
        Access::Read | Access::Write => check(path, &opened, FILE_MODE)?,
        Access::Handed => check_handed(path, &opened)?,
    }
    Ok(Found::File(file))
}

fn not_a_file(path: &Path) -> FileError {
    FileError::Kind { path: path.to_owned(), wanted: "a file" }
}

/// Whether there is such a file: one of our own that nobody else may read and this process may write. It is not opened.
///
/// A database locks its files for the whole process, and the system ends those locks as soon as the process closes any descriptor of the
/// same file.
pub(crate) fn is_there(path: &Path) -> Result<bool, FileError> {
    let io = |source| FileError::Io { doing: "open", path: path.to_owned(), source };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found.map_err(io)?,
    };
    if !found.is_file() {
        return Err(FileError::Kind { path: path.to_owned(), wanted: "a file" });
    }
    check(path, &found, FILE_MODE)?;
    if found.permissions().readonly() {
        return Err(io(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only")));
    }
    Ok(true)
}

/// Whether the path still names this file.
pub(crate) fn is_named(path: &Path, file: &File) -> Result<bool, FileError> {
    let io = |source| FileError::Io { doing: "read", path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        named => Ok(is_same(&named.map_err(io)?, &file.metadata().map_err(io)?)),
    }
}

/// A file to hold a lock on, made if it is missing.
pub(crate) fn lock_file(path: &Path) -> Result<File, FileError> {
    loop {
        if let Some(file) = open(path, Access::Write)? {
            return Ok(file);
        }
        match create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map_err(|source| FileError::Io { doing: "make", path: path.to_owned(), source }),
        }
    }
}

const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;
const HANDED_MODE: u32 = 0o400;

fn check(path: &Path, found: &Metadata, wanted: u32) -> Result<(), FileError> {
    let Some(standing) = Standing::of(found) else { return Ok(()) };
    if standing.mode & 0o077 != 0 {
        return Err(FileError::Exposed { path: path.to_owned(), mode: standing.mode, wanted });
    }
    let dir = if found.is_dir() { Some(path) } else { path.parent() };
    let ours = our_id(dir.unwrap_or(path)).map_err(|source| FileError::Io {
        doing: "find out who owns",
        path: path.to_owned(),
        source,
    })?;
    match ours {
        Some(ours) if ours != standing.owner => {
            Err(FileError::Owner { path: path.to_owned(), owner: standing.owner, ours })
        }
        _ => Ok(()),
    }
}

fn check_handed(path: &Path, found: &Metadata) -> Result<(), FileError> {
    match Standing::of(found) {
        Some(Standing { mode, .. }) if mode & 0o037 != 0 => {
            Err(FileError::Exposed { path: path.to_owned(), mode, wanted: HANDED_MODE })
        }
        _ => Ok(()),
    }
}

/// Under which user this process makes files: what a new file says, made in this directory or, if it takes none, in the system's.
fn our_id(dir: &Path) -> io::Result<Option<u32>> {
    let file = tempfile::tempfile_in(dir).or_else(|_| tempfile::tempfile())?;
    Ok(Standing::of(&file.metadata()?).map(|standing| standing.owner))
}

/// Who may do what with a file.
struct Standing {
    mode: u32,
    owner: u32,
}

#[cfg(unix)]
mod system {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};

    use super::{DIR_MODE, DirBuilder, FILE_MODE, File, Metadata, OpenOptions, Path, Standing, fs, io};

    impl Standing {
        #[expect(clippy::unnecessary_wraps, reason = "other systems know no modes")]
        pub(super) fn of(found: &Metadata) -> Option<Self> {
            Some(Self { mode: found.mode() & 0o7777, owner: found.uid() })
        }
    }

    /// The mode is set once more after making, because the process' mask may have taken bits away.
    pub(super) fn make_dir(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(DIR_MODE))
    }

    #[expect(clippy::unnecessary_wraps, reason = "other systems know no such numbers")]
    pub(super) fn number(found: &Metadata) -> Option<(u64, u64)> {
        Some((found.dev(), found.ino()))
    }

    pub(super) fn is_same(named: &Metadata, opened: &Metadata) -> bool {
        number(named) == number(opened)
    }

    /// A new file for this process alone. Fails when there is one already.
    pub(crate) fn create(path: &Path) -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)?;
        restrict(&file)?;
        Ok(file)
    }

    /// Takes the file away from everybody else.
    pub(crate) fn restrict(file: &File) -> io::Result<()> {
        file.set_permissions(fs::Permissions::from_mode(FILE_MODE))
    }

    /// Makes the names in a directory survive a power loss.
    pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

#[cfg(not(unix))]
mod system {
    use super::{DirBuilder, File, Metadata, OpenOptions, Path, Standing, io};

    impl Standing {
        pub(super) fn of(_found: &Metadata) -> Option<Self> {
            None
        }
    }

    pub(super) fn make_dir(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).create(path)
    }

    pub(super) fn number(_found: &Metadata) -> Option<(u64, u64)> {
        None
    }

    pub(super) fn is_same(_named: &Metadata, opened: &Metadata) -> bool {
        opened.is_file()
    }

    pub(crate) fn create(path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    pub(crate) fn restrict(_file: &File) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn sync_dir(_dir: &Path) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) use self::system::{create, restrict, sync_dir};
use self::system::{is_same, make_dir, number};
