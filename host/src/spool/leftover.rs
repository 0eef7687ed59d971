//! What processes that have ended left behind.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::entry::{self, Content};
use super::{Reserved, Result, failed};
use crate::private_files::{self, Access};

/// What the name of a slot begins with. A number follows.
pub(super) const PREFIX: &str = "slot-";

/// What stands between a slot's name and a number, once the slot is set aside.
const ASIDE: &str = ".damaged-";

/// What was found in a spool.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// Whole entries, for this caller alone as long as they are held.
    pub(crate) entries: Vec<Leftover>,
    /// Whole entries that living processes hold, as they were written: they are theirs to store.
    pub(crate) held: Vec<Vec<u8>>,
    /// Files that hold something, but no whole entry. They are kept until a person has looked at them.
    pub(crate) damaged: Vec<Damaged>,
}

/// An entry of a process that has ended. Dropped before it is done, it is found again.
#[derive(Debug)]
pub(crate) struct Leftover {
    sealed: Vec<u8>,
    reserved: Reserved,
}

/// A file that holds no whole entry, or cannot be read.
#[derive(Debug)]
pub(crate) struct Damaged {
    /// Where it is now.
    pub(crate) path: PathBuf,
    /// What is wrong with it, for a person.
    pub(crate) why: String,
}

impl Leftover {
    /// What was written.
    pub(crate) fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    /// Removes it: the store has it, or will never need it.
    ///
    /// # Errors
    /// When the disk fails. It may then be found again.
    pub(crate) fn done(self) -> Result<()> {
        self.reserved.remove()
    }
}

/// What lies in a spool, for whoever only looks.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// How many whole entries there are.
    pub(crate) entries: usize,
    /// Files that were set aside because they hold no whole entry.
    pub(crate) damaged: Vec<PathBuf>,
}

/// What lies in a directory and belongs to nobody any more.
pub(super) fn collect(dir: &Path) -> Result<Leftovers> {
    let mut found = Leftovers::default();
    for path in files(dir)? {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if is_slot(name) {
            let taken = take(&path, &mut found);
            taken.unwrap_or_else(|error| found.damaged.push(Damaged { why: error.to_string(), path }));
        } else if name.starts_with(PREFIX) && name.contains(ASIDE) {
            found.damaged.push(Damaged::set_aside(path));
        }
    }
    Ok(found)
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).map_err(failed("read", dir))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<std::io::Result<Vec<_>>>().map_err(failed("read", dir))?;
    paths.sort();
    Ok(paths)
}

fn is_slot(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Takes a slot, unless a living process holds it: then it is looked into.
fn take(path: &Path, found: &mut Leftovers) -> Result<()> {
    let Some(file) = private_files::open(path, Access::Write)? else { return Ok(()) };
    let Some(reserved) = Reserved::lock(path.to_owned(), file)? else {
        found.held.extend(look(path)?);
        return Ok(());
    };
    match entry::decode(&reserved.read()?) {
        Content::Nothing => reserved.remove()?,
        Content::Entry(sealed) => found.entries.push(Leftover { sealed, reserved }),
        Content::Damaged => found.damaged.push(Damaged::set_aside(aside(&reserved)?)),
    }
    Ok(())
}

/// The whole entry of a slot, whoever holds it. What looks damaged may be half-way in or out.
fn look(path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(file) = private_files::open(path, Access::Read)? else { return Ok(None) };
    match entry::decode(&super::read(path, &file)?) {
        Content::Entry(sealed) => Ok(Some(sealed)),
        Content::Nothing | Content::Damaged => Ok(None),
    }
}

/// Every whole entry in a directory, whoever holds it.
pub(super) fn entries(dir: &Path) -> Result<Vec<Vec<u8>>> {
    let files = files(dir)?.into_iter();
    let slots = files.filter(|path| is_slot(path.file_name().and_then(OsStr::to_str).unwrap_or_default()));
    slots.filter_map(|path| look(&path).transpose()).collect()
}

/// How many whole entries a directory has, whoever holds them, and which files are set aside because they hold none. Nothing is changed.
pub(super) fn waiting(dir: &Path) -> Result<Waiting> {
    if !dir.exists() {
        return Ok(Waiting::default());
    }
    let name = |path: &PathBuf| path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let is_aside = |path: &PathBuf| name(path).starts_with(PREFIX) && name(path).contains(ASIDE);
    let damaged = files(dir)?.into_iter().filter(is_aside).collect();
    Ok(Waiting { entries: entries(dir)?.len(), damaged })
}

/// Gives a slot another name, that nobody has. Whoever holds the lock on a slot is the only one to do so.
fn aside(reserved: &Reserved) -> Result<PathBuf> {
    let name = |number: u32| {
        let mut name = reserved.path.clone().into_os_string();
        name.push(format!("{ASIDE}{number}"));
        PathBuf::from(name)
    };
    let mut number = 1;
    while fs::symlink_metadata(name(number)).is_ok() {
        number += 1;
    }
    let free = name(number);
    fs::rename(&reserved.path, &free).map_err(failed("rename", &reserved.path))?;
    Ok(free)
}

impl Damaged {
    fn set_aside(path: PathBuf) -> Self {
        let why = format!(
            "`{}` holds no whole entry: it was cut off or changed. Keep it until every connection works, then remove it",
            path.display()
        );
        Self { path, why }
    }
}
