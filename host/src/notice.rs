//! What a process that runs says about itself in a directory. It is true for as long as the lock beside it is held, which the system ends
//! with the process.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::private_files::{self, Access};

/// How often to look for the notice of a process that is just starting.
pub(crate) const PATIENCE: u32 = 250;
/// How long to wait before another look.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Writes a notice. It appears whole or not at all, and for this user alone.
pub(crate) fn write(path: &Path, notice: &impl Serialize) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(serde_json::to_string_pretty(notice)?.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// The notice, if there is one of our own that nobody else may read.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut text = String::new();
    private_files::open(path, Access::Read).ok()??.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
