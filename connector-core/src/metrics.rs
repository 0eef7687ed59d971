//! Counts of an account: named, sparse, and honest about what is missing.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::account::{Profile, Session};
use crate::app::is_identifier;
use crate::error::ErrorKind;
use crate::scope::{Scope, ScopeStatus};
use crate::{Context, Error, Result};

/// Reads the counts of an account.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait AccountMetrics: Send + Sync {
    /// The metrics this platform can give, whatever a grant holds.
    fn offered(&self) -> Vec<MetricName>;

    /// Reads what the grant's scopes allow. What they do not allow is in the report with its reason, and is never asked for.
    ///
    /// # Errors
    /// When the call as a whole fails. No error becomes a 0 or an empty report.
    async fn account_metrics(&self, cx: &Context, session: &Session, account_id: &str) -> Result<Report>;
}

/// What one reading of an account brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// When the request left.
    pub observed_at: Timestamp,
    /// Each metric the platform offers: its value, or why there is none.
    pub cells: BTreeMap<MetricName, Cell>,
    /// What the same answer said about the account.
    pub profile: Profile,
    /// The platform's request id.
    pub log_id: Option<String>,
}

/// A value, or the reason there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The platform's number. 0 is a number.
    Value(i64),
    /// There is none, because…
    Missing(Missing),
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It needs a scope the grant does not hold.
    Scope {
        /// The scope.
        scope: Scope,
        /// How it stands: `never_asked`, `not_granted`, `withdrawn`, `pending` or `not_wanted`.
        status: ScopeStatus,
    },
    /// It was asked for, and the platform has no such number for this account.
    NotOffered,
    /// What the platform answered is no count; it is among the profile's extras.
    NotACount,
    /// The platform says that the account's owner hides it.
    Hidden,
    /// It could not be read.
    Failed(ErrorKind),
}

impl Missing {
    /// The reason as one stable word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Scope { status, .. } => status.as_str(),
            Self::NotOffered => "not_offered",
            Self::NotACount => "not_a_count",
            Self::Hidden => "hidden",
            Self::Failed(_) => "failed",
        }
    }
}

/// The name of a metric: one of [`METRICS`], or `custom.<platform>.<field>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricName(String);

/// The metrics that mean the same on every platform. A platform's field is mapped by its meaning, never by likeness of names.
pub const METRICS: [(&str, &str); 21] = [
    ("followers", "accounts that follow this one"),
    ("following", "accounts this one follows"),
    ("posts", "published items"),
    ("likes_received", "likes on this account's items"),
    ("likes_given", "likes this account made"),
    ("page_likes", "likes of the page itself"),
    ("views", "views of this account's items"),
    ("reach", "different people who saw its items"),
    ("engagements", "interactions of any kind with its items"),
    ("followers_gained", "followers won in a period"),
    ("comments", "comments on its items"),
    ("shares", "shares of its items"),
    ("saves", "saves of its items"),
    ("quotes", "quotes of its items"),
    ("reposts", "reposts of its items"),
    ("clicks", "clicks on its items"),
    ("members", "members of a group"),
    ("watch_time", "seconds its items were watched"),
    ("listed", "lists it is on"),
    ("boards", "boards it has"),
    ("karma", "the platform's score for it"),
];

impl MetricName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it counts, for the shared names.
    pub fn meaning(&self) -> Option<&'static str> {
        METRICS.iter().find(|(name, _)| *name == self.0).map(|(_, meaning)| *meaning)
    }
}

impl FromStr for MetricName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if METRICS.iter().any(|(name, _)| *name == text) || is_custom(text) {
            return Ok(Self(text.to_owned()));
        }
        let names = METRICS.map(|(name, _)| name).join(", ");
        Err(Error::config(format!(
            "`{}` is not a metric: use one of {names}, or `custom.<platform>.<field>`",
            text.escape_debug()
        )))
    }
}

/// Whether a text is `custom.<platform>.<field>`.
pub(crate) fn is_custom(text: &str) -> bool {
    let mut parts = text.split('.');
    parts.next() == Some("custom")
        && parts.next().is_some_and(is_identifier)
        && parts.next().is_some_and(is_identifier)
        && parts.next().is_none()
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_shared_or_custom() {
        for name in ["followers", "custom.lantern.stars"] {
            assert_eq!(name.parse::<MetricName>().unwrap().as_str(), name);
        }
        for name in ["folowers", "custom.stars", "custom.Lantern.stars", "custom.a.b.c", ""] {
            let error = name.parse::<MetricName>().unwrap_err().to_string();
            assert!(error.contains("followers, following"), "{error}");
        }
    }
}
