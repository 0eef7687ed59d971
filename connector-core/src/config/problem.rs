use std::error::Error as StdError;
use std::fmt;

use super::{Key, LayerName};
use crate::Error;

/// One thing that is wrong in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The layer to mend it in.
    pub layer: LayerName,
    /// The place in it. Empty where it is the file as a whole.
    pub key: Key,
    /// What is wrong, and what is right.
    pub message: String,
}

/// Everything that is wrong in the configuration: one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, key, message } = self;
        match key.names() {
            [] => write!(f, "{layer}: {message}"),
            _ => write!(f, "{layer}: {key}: {message}"),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl Problems {
    fn lines(&self) -> Vec<String> {
        self.0.iter().map(Problem::to_string).collect()
    }
}

impl StdError for Problem {}

impl StdError for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::config(problem.to_string())
    }
}

/// The sentence of an [`Error`] is one line, so here the problems stand side by side.
impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self::config(problems.lines().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn problems_are_a_line_each_and_as_an_error_one_line() {
        let problem = |key: &[&str], message: &str| Problem {
            layer: LayerName::new("config/x.toml"),
            key: Key::of(key.iter().copied()),
            message: message.to_owned(),
        };
        let problems = Problems(vec![problem(&["platforms", "lantern"], "one is wrong"), problem(&[], "two is wrong")]);
        assert_eq!(problems.to_string(), "config/x.toml: platforms.lantern: one is wrong\nconfig/x.toml: two is wrong");
        let error = Error::from(problems);
        assert_eq!(error.to_string(), "config/x.toml: platforms.lantern: one is wrong; config/x.toml: two is wrong");
        assert_eq!(*error.kind(), ErrorKind::Config);
    }
}
