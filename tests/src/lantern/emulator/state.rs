//! What survives a restart. Tokens are in it as SHA-256 alone.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use connector_core::{Error, Result};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// Everything that persists.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The port the grants' base URLs name.
    pub(super) port: Option<u16>,
    /// By the SHA-256 of the refresh token.
    pub(super) grants: BTreeMap<String, Grant>,
    /// By the SHA-256 of the access token.
    pub(super) access_tokens: BTreeMap<String, AccessToken>,
}

/// What a person allowed an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) person: String,
    pub(super) scopes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AccessToken {
    /// The key of its grant.
    pub(super) grant: String,
    /// Seconds since 1970.
    pub(super) expires_at: i64,
}

impl State {
    /// Ends a grant and everything it gave.
    pub(super) fn end(&mut self, grant: &str) {
        self.grants.remove(grant);
        self.access_tokens.retain(|_, token| token.grant != grant);
    }
}

/// The file the state is kept in.
#[derive(Debug)]
pub(super) struct StateFile(pub(super) PathBuf);

impl StateFile {
    /// Reads it; a fresh state when there is none yet.
    pub(super) fn load(&self) -> Result<State> {
        match std::fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| self.trouble(&error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// Replaces it as a whole.
    pub(super) fn save(&self, state: &State) -> Result<()> {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec_pretty(state)?)?;
            file.persist(&self.0)?;
            Ok(())
        };
        write().map_err(|error| self.trouble(&error))
    }

    fn trouble(&self, error: &dyn std::fmt::Display) -> Error {
        Error::config(format!("the emulator's state {} cannot be used: {error}", self.0.display()))
    }
}
