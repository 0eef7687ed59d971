//! The token with which the first admin is made, by whoever can read this machine's private files.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use connector_core::{Context, Secret};
use jiff::{SignedDuration, Timestamp};

use crate::error::Result;
use crate::private_files::{self, FileError};

/// How long the token is good.
const SET_UP_LIFE: SignedDuration = SignedDuration::from_mins(15);

/// The name of its file.
const FILE: &str = "set-up-token";

/// A token that is good for a while. Its file is there for as long as this value lives and nobody has used it.
#[derive(Debug)]
pub struct SetUp {
    token: Secret,
    file: PathBuf,
    /// Until when it is good.
    pub until: Timestamp,
}

impl SetUp {
    /// Makes a token, in a file of this directory that nobody else may read. One that an earlier process left is of no use any more.
    ///
    /// # Errors
    /// When the context has no randomness to give, or the file cannot be written.
    pub fn begin(cx: &Context, dir: &Path) -> Result<(Self, Secret)> {
        // Whoever reads where it is may be in another directory.
        let path = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let (token, file) = (cx.random_token()?, path.join(FILE));
        let failed = |doing, source| FileError::Io { doing, path: file.clone(), source };
        private_files::ensure_dir(dir)?;
        if private_files::is_there(&file)? {
            std::fs::remove_file(&file).map_err(|source| failed("remove", source))?;
        }
        let mut made = private_files::create(&file).map_err(|source| failed("make", source))?;
        writeln!(made, "{}", token.expose()).map_err(|source| failed("write", source))?;
        // What is kept is of no use to whoever comes to see it.
        let kept = Secret::from(token.digest());
        Ok((Self { token: kept, file, until: cx.now() + SET_UP_LIFE }, token))
    }

    /// Where the token can be read.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether a token is good.
    pub(crate) fn admits(&self, cx: &Context, token: &Secret) -> bool {
        self.token.matches(&token.digest()) && cx.now() < self.until
    }

    /// Takes the file away: the token was used.
    pub(crate) fn end(&self) {
        // Another process may have put its own there. One that stays behind is of no use: there is an admin.
        let is_own = |text: String| self.token.matches(&Secret::from(text.trim()).digest());
        if std::fs::read_to_string(&self.file).is_ok_and(is_own) {
            let _ = std::fs::remove_file(&self.file);
        }
    }

    /// Takes away what a process left that did not come to its end.
    pub fn clear(dir: &Path) {
        let _ = std::fs::remove_file(dir.join(FILE));
    }
}

impl Drop for SetUp {
    fn drop(&mut self) {
        self.end();
    }
}
