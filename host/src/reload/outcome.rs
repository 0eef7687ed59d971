//! What came of reading the configuration again, in words that a program reads.

use connector_core::config::{Change, LayerName, Problems};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::data::Mistake;

/// Why the configuration was read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// A file says something else.
    Files,
    /// Somebody sent a hangup.
    Hangup,
    /// Somebody asked by a command.
    Asked,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Another configuration is in use.
    Changed,
    /// It says the same.
    Unchanged,
    /// It is wrong, and the one before stays in use.
    Refused,
}

/// What came of reading the configuration once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Reloaded {
    pub(crate) outcome: Outcome,
    pub(crate) at: Timestamp,
    /// The layers that are in use now, the lowest first. Empty if it was refused.
    pub(crate) layers: Vec<String>,
    /// What is different now, a line for each thing.
    pub(crate) changes: Vec<String>,
    /// What is wrong.
    pub(crate) problems: Vec<Mistake>,
}

impl Why {
    /// The reason as one stable word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Hangup => "hangup",
            Self::Asked => "asked",
        }
    }
}

impl Outcome {
    /// Every outcome.
    pub(crate) const ALL: [Self; 3] = [Self::Changed, Self::Unchanged, Self::Refused];

    /// The outcome as one stable word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

impl Reloaded {
    pub(super) fn taken_up(at: Timestamp, layers: &[LayerName], changes: &[Change]) -> Self {
        let outcome = if changes.is_empty() { Outcome::Unchanged } else { Outcome::Changed };
        let changes = changes.iter().map(Change::to_string).collect();
        Self { outcome, at, layers: names(layers), changes, problems: Vec::new() }
    }

    pub(super) fn refused(at: Timestamp, problems: &Problems) -> Self {
        let (outcome, problems) = (Outcome::Refused, Mistake::all(&problems.0));
        Self { outcome, at, layers: Vec::new(), changes: Vec::new(), problems }
    }
}

pub(super) fn names(layers: &[LayerName]) -> Vec<String> {
    layers.iter().map(ToString::to_string).collect()
}
