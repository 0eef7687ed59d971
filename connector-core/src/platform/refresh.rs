use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Error, Result};

/// How access is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RefreshTable")]
pub struct RefreshFacts {
    /// What a refresh does to the token it uses. Without a class there is no refresh.
    pub class: RefreshClass,
}

/// What a refresh does to the token it uses. It decides whether a request may ever be sent twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefreshClass {
    /// It stops working once the new one is issued: a lost answer is a lost account.
    RotatingStrict,
    /// It goes on working for a moment after the new one is issued.
    RotatingGrace {
        /// For how long, counted from the first request that used it.
        grace: SignedDuration,
    },
    /// It stays the same.
    NonRotating,
    /// There is none: the access token itself is prolonged, as long as it lives.
    Extension {
        /// How old it must be.
        min_age: SignedDuration,
    },
    /// There is no refresh.
    #[default]
    None,
}

/// How access is kept.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RefreshFacts")]
pub(super) struct RefreshTable {
    /// What a refresh does to the token it uses. Without a class there is no refresh.
    #[serde(default)]
    class: ClassWord,
    /// With `rotating_grace`: how many seconds a refresh token goes on working after its first use.
    #[serde(default)]
    grace_seconds: Option<u32>,
}

/// What a refresh does to the token it uses. It decides whether a request may ever be sent twice.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RefreshClass")]
enum ClassWord {
    /// It stops working once the new one is issued: a lost answer is a lost account.
    RotatingStrict,
    /// It goes on working for `grace_seconds` after the new one is issued.
    RotatingGrace,
    /// It stays the same.
    NonRotating,
    /// There is none: the access token itself is prolonged. Data cannot say how, so this is refused.
    #[schemars(skip)]
    Extension,
    /// There is no refresh.
    #[default]
    None,
}

impl TryFrom<RefreshTable> for RefreshFacts {
    type Error = Error;

    fn try_from(table: RefreshTable) -> Result<Self> {
        let RefreshTable { class, grace_seconds } = table;
        if class != ClassWord::RotatingGrace && grace_seconds.is_some() {
            return Err(Error::config(
                "`grace_seconds` belongs to class = \"rotating_grace\": remove it, or change the class",
            ));
        }
        let class = match class {
            ClassWord::RotatingStrict => RefreshClass::RotatingStrict,
            ClassWord::RotatingGrace => RefreshClass::RotatingGrace { grace: grace(grace_seconds)? },
            ClassWord::NonRotating => RefreshClass::NonRotating,
            ClassWord::Extension => return Err(no_extension()),
            ClassWord::None => RefreshClass::None,
        };
        Ok(Self { class })
    }
}

fn grace(seconds: Option<u32>) -> Result<SignedDuration> {
    match seconds {
        Some(0) => Err(Error::config("`grace_seconds = 0` is no grace: write class = \"rotating_strict\" instead")),
        Some(seconds) => Ok(SignedDuration::from_secs(seconds.into())),
        None => Err(Error::config(
            "class = \"rotating_grace\" needs `grace_seconds`: how many seconds a refresh token goes on working after its first use",
        )),
    }
}

fn no_extension() -> Error {
    Error::config(
        "class = \"extension\" is not followed by data: how an access token is exchanged for a longer-lived one needs an `OAuthProvider` of its own; without one write class = \"none\", and people connect again when their access ends",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Protocol;

    fn class(table: &str) -> Result<RefreshClass> {
        let protocol = Protocol::parse(&format!("verified_on = \"2026-11-22\"\n[oauth.refresh]\n{table}"))?;
        Ok(protocol.oauth.refresh.class)
    }

    #[test]
    fn a_class_brings_the_durations_it_needs() {
        let seconds = SignedDuration::from_secs;
        for (table, wanted) in [
            ("", RefreshClass::None),
            ("class = \"none\"", RefreshClass::None),
            ("class = \"rotating_strict\"", RefreshClass::RotatingStrict),
            ("class = \"non_rotating\"", RefreshClass::NonRotating),
            ("class = \"rotating_grace\"\ngrace_seconds = 30", RefreshClass::RotatingGrace { grace: seconds(30) }),
        ] {
            assert_eq!(class(table).unwrap(), wanted, "{table}");
        }
    }

    #[test]
    fn a_duration_that_is_missing_or_has_no_use_is_named_with_its_place() {
        for (table, fault) in [
            ("class = \"rotating_grace\"", "class = \"rotating_grace\" needs `grace_seconds`"),
            ("class = \"rotating_grace\"\ngrace_seconds = 0", "`grace_seconds = 0` is no grace"),
            ("class = \"rotating_grace\"\ngrace_seconds = -1", "invalid value: integer `-1`"),
            ("class = \"rotating_grace\"\ngrace_seconds = \"30s\"", "invalid type: string \"30s\""),
            ("class = \"extension\"", "needs an `OAuthProvider` of its own"),
            ("class = \"extension\"\ngrace_seconds = 1", "`grace_seconds` belongs to"),
            ("class = \"rotating_strict\"\ngrace_seconds = 30", "`grace_seconds` belongs to"),
            ("class = \"non_rotating\"\nmin_age_seconds = 30", "unknown field `min_age_seconds`"),
            ("class = \"rotating\"", "unknown variant `rotating`"),
            ("grace = 30", "unknown field `grace`"),
        ] {
            let error = class(table).unwrap_err().to_string();
            assert!(error.contains(fault) && error.contains("parse error at line "), "{error}");
        }
    }
}
