use std::fmt;
use std::path::PathBuf;

use crate::{Error, Result, Secret};

/// Where an id or a secret is, so that the file itself can be shown to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// `{ env = "NAME" }`: an environment variable, read raw: digits stay digits.
    Env(String),
    /// `{ file = "/path" }`: the first line of a file.
    File(PathBuf),
    /// The value itself, for an id, which is public.
    Literal(String),
}

impl ValueSource {
    /// Reads the value.
    ///
    /// # Errors
    /// When it is not there or empty, naming the variable or file.
    pub fn read(&self) -> Result<Secret> {
        let written = self.as_written()?;
        match (written.expose().trim(), self) {
            ("", Self::File(path)) => Err(Error::config(format!("the first line of {} is empty", path.display()))),
            ("", _) => Err(Error::config(format!("the {self} is empty"))),
            (value, _) => Ok(Secret::new(value)),
        }
    }

    /// The text that is there, be it empty or with blanks around the value.
    ///
    /// # Errors
    /// When it is not there, naming the variable or file.
    pub fn as_written(&self) -> Result<Secret> {
        match self {
            Self::Env(name) => match std::env::var(name) {
                Ok(text) => Ok(Secret::new(text)),
                Err(std::env::VarError::NotPresent) => {
                    Err(Error::config(format!("the environment variable {name} is not set")))
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    Err(Error::config(format!("the environment variable {name} is not text")))
                }
            },
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Error::config(format!("{} cannot be read: {error}", path.display())))?;
                Ok(Secret::new(text.lines().next().unwrap_or_default()))
            }
            Self::Literal(text) => Ok(Secret::new(text.as_str())),
        }
    }
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Literal(text) => f.write_str(text),
        }
    }
}
