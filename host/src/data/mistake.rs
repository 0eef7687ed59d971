//! What is wrong in the configuration.

use std::fmt;

use connector_core::config::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that is wrong in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub(crate) struct Mistake {
    /// The file, or what else the layer is called.
    file: String,
    /// The place in it. Empty where it is the file as a whole.
    key: String,
    /// What is wrong, and what is right.
    message: String,
}

impl Mistake {
    /// Everything that is wrong.
    pub(crate) fn all(problems: &[Problem]) -> Vec<Self> {
        let one = |Problem { layer, key, message }: &Problem| Self {
            file: layer.to_string(),
            key: key.to_string(),
            message: message.clone(),
        };
        problems.iter().map(one).collect()
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, key, message } = self;
        if key.is_empty() { write!(f, "{file}: {message}") } else { write!(f, "{file}: {key}: {message}") }
    }
}
