//! The small words of a scope definition: fields, where they go, and abilities.

use crate::account::PROFILE_FIELDS;
use crate::config::near::did_you_mean;
use crate::config::{ABILITIES, Ability, Target};
use crate::metrics::METRICS;
use crate::{Error, Result};

/// An ability there is.
pub(super) fn read_ability(text: &str) -> Result<Ability> {
    text.parse().map_err(|error| hinted(&error, &did_you_mean(text, ABILITIES.map(|(name, _)| name))))
}

/// A target there is. A custom one carries the platform's own id, so that no platform writes into another's values.
pub(super) fn read_target(platform: &str, text: &str) -> Result<Target> {
    let target = text.parse().map_err(|error| hinted(&error, &near_target(text)))?;
    if let Target::Custom(name) | Target::Metric(name) = &target
        && let Some((named, field)) = name.as_str().strip_prefix("custom.").and_then(|rest| rest.split_once('.'))
        && named != platform
    {
        return Err(Error::config(format!("`{name}` names another platform: write `custom.{platform}.{field}`")));
    }
    Ok(target)
}

/// The platform's name of a field, or a JSON pointer into the answer (RFC 6901).
pub(super) fn read_field(text: &str) -> Result<()> {
    let shown = text.escape_debug();
    if text.is_empty() {
        return Err(Error::config("a field has a name"));
    }
    if text.starts_with('/') {
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        return if escapes {
            Ok(())
        } else {
            Err(Error::config(format!("`{shown}` is not a JSON pointer: write ~0 for ~ and ~1 for /")))
        };
    }
    if text.chars().any(|c| c == ',' || c.is_whitespace() || c.is_control()) {
        return Err(Error::config(format!("`{shown}` is not the name of a field: it has no commas and no spaces")));
    }
    Ok(())
}

fn near_target(text: &str) -> String {
    let metrics = METRICS.iter().map(|(name, _)| format!("metric.{name}"));
    let targets: Vec<String> =
        metrics.chain(PROFILE_FIELDS.iter().map(|(name, _)| format!("profile.{name}"))).collect();
    did_you_mean(text, targets.iter().map(String::as_str))
}

fn hinted(error: &Error, hint: &str) -> Error {
    Error::config(format!("{}{hint}", error.message()))
}
