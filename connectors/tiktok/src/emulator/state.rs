//! What survives a restart. Codes and tokens are in it as SHA-256 alone; keys and secrets of apps are not in it at all.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use connector_core::{Error, Result};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::grants::{AccessToken, Code, Grant, RefreshToken};
use super::people::Edits;
use super::switches::Switches;

const VERSION: u32 = 1;

/// Everything that persists. Times are seconds since 1970 by the emulator's clock.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    version: u32,
    /// The port the grants' base URLs name.
    pub(super) port: Option<u16>,
    /// When it was made. Counts grow from here.
    pub(super) founded_at: i64,
    /// How far the emulator's clock is ahead of the machine's.
    pub(super) clock_offset_seconds: i64,
    pub(super) switches: Switches,
    people: BTreeMap<String, Edits>,
    pub(super) next_grant: u64,
    pub(super) grants: BTreeMap<u64, Grant>,
    /// By SHA-256, as the tokens are.
    pub(super) codes: BTreeMap<String, Code>,
    pub(super) access_tokens: BTreeMap<String, AccessToken>,
    pub(super) refresh_tokens: BTreeMap<String, RefreshToken>,
}

impl State {
    /// The state of an emulator that has just been made.
    pub(super) fn founded(at: i64) -> Self {
        Self {
            version: VERSION,
            port: None,
            founded_at: at,
            clock_offset_seconds: 0,
            switches: Switches::default(),
            people: BTreeMap::new(),
            next_grant: 1,
            grants: BTreeMap::new(),
            codes: BTreeMap::new(),
            access_tokens: BTreeMap::new(),
            refresh_tokens: BTreeMap::new(),
        }
    }

    /// What was changed about somebody.
    pub(super) fn edits(&self, person: &str) -> Option<&Edits> {
        self.people.get(person)
    }

    pub(super) fn edits_mut(&mut self, person: &str) -> &mut Edits {
        self.people.entry(person.to_owned()).or_default()
    }

    /// Forgets what has expired and can never work again.
    fn prune(&mut self, now: i64) {
        self.codes.retain(|_, code| code.expires_at > now);
        self.access_tokens.retain(|_, token| token.expires_at > now);
        self.refresh_tokens.retain(|_, token| token.expires_at > now);
    }
}

/// The file the state is kept in.
#[derive(Debug)]
pub(super) struct StateFile(PathBuf);

impl StateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads it; `None` when there is none yet.
    pub(super) fn load(&self) -> Result<Option<State>> {
        let bytes = match std::fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.trouble("cannot be read", &error)),
        };
        let state: State = serde_json::from_slice(&bytes).map_err(|error| self.unusable(&error.to_string()))?;
        if state.version != VERSION {
            return Err(self.unusable(&format!("it has version {}, this emulator writes {VERSION}", state.version)));
        }
        Ok(Some(state))
    }

    /// Replaces it, readable to its owner alone. A reader sees the old one or the new one.
    pub(super) fn save(&self, state: &mut State, now: i64) -> Result<()> {
        state.prune(now);
        self.write(state).map_err(|error| self.trouble("cannot be written", &error))
    }

    fn write(&self, state: &State) -> std::io::Result<()> {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A file of tempfile's has mode 0600.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(state)?)?;
        file.persist(&self.0)?;
        Ok(())
    }

    fn trouble(&self, what: &str, error: &std::io::Error) -> Error {
        Error::config(format!("the emulator's state {} {what}: {error}", self.0.display()))
    }

    fn unusable(&self, why: &str) -> Error {
        Error::config(format!(
            "the emulator's state {} cannot be used: {why}. Delete it to start with a fresh one; grants made with it stop working",
            self.0.display()
        ))
    }
}
