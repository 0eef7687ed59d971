//! Counts of a connection: each with its age, or why there is none.

use std::collections::BTreeMap;

use connector_core::metrics::Missing;
use connector_core::{Error as CoreError, ErrorKind, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Error;
use crate::metrics::{Metrics, Shown};
use crate::store::ConnectionRecord;

/// The counts of a connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Metrics)]
pub(crate) struct MetricsData {
    /// The connection's id.
    pub(crate) connection: String,
    /// The platform's id.
    pub(crate) platform: String,
    /// The platform's stable id of the account.
    pub(crate) account_id: String,
    /// The product's own id for the connection.
    pub(crate) reference: Option<String>,
    /// Each metric that the platform offers: a value with its time, or why there is none. Never a 0 that nobody counted.
    pub(crate) metrics: BTreeMap<String, CellData>,
    /// Why nothing could be fetched, when something should have been.
    pub(crate) error: Option<FailureData>,
}

/// One count. It has a value, or says why it has none; one that has both is the last known value and why there is no newer one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cell)]
pub(crate) struct CellData {
    /// The platform's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<i64>,
    /// When the platform said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) observed_at: Option<String>,
    /// Why there is no newer value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stale: Option<MissingData>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<MissingData>,
}

/// Why a count has no value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Missing)]
pub(crate) struct MissingData {
    /// `not_wanted`, `pending`, `never_asked`, `not_granted`, `withdrawn`, `not_offered`, `not_a_count`, `hidden` or `failed`.
    pub(crate) reason: &'static str,
    /// The scope that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    /// With `failed`: what kind of error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
    /// With `failed` for scopes: those that are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scopes: Option<Vec<String>>,
}

/// Why a platform could not be asked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
pub(crate) struct FailureData {
    /// What the caller can do about it, as one stable word, where that is known.
    pub(crate) kind: Option<&'static str>,
    /// What happened, in words.
    pub(crate) message: String,
    /// The platform's own code.
    pub(crate) code: Option<String>,
    /// The platform's id of the request, for its support.
    pub(crate) log_id: Option<String>,
}

impl MetricsData {
    /// The counts of this connection, and what is told of an error.
    pub(crate) fn of(
        connection: &ConnectionRecord,
        read: &Metrics,
        failure: impl FnOnce(&Error) -> FailureData,
    ) -> Self {
        Self {
            connection: connection.id.to_string(),
            platform: connection.platform.to_string(),
            account_id: connection.account_id.clone(),
            reference: connection.reference.clone(),
            metrics: read.cells.iter().map(|(name, shown)| (name.to_string(), shown.into())).collect(),
            error: read.error.as_ref().map(failure),
        }
    }
}

impl From<&Shown> for CellData {
    fn from(shown: &Shown) -> Self {
        let (sample, stale, missing) = match shown {
            Shown::Value(sample) => (Some(sample), None, None),
            Shown::Stale(sample, why) => (Some(sample), Some(why.into()), None),
            Shown::Missing(why) => (None, None, Some(why.into())),
        };
        let value = sample.map(|sample| sample.value);
        Self { value, observed_at: sample.map(|sample| sample.observed_at.to_string()), stale, missing }
    }
}

impl From<&Missing> for MissingData {
    fn from(missing: &Missing) -> Self {
        let only = Self { reason: missing.as_str(), scope: None, kind: None, scopes: None };
        match missing {
            Missing::Scope { scope, .. } => Self { scope: Some(scope.to_string()), ..only },
            Missing::Failed(kind) => {
                let scopes = match kind {
                    ErrorKind::MissingScopes { scopes } => Some(scopes.iter().map(Scope::to_string).collect()),
                    _ => None,
                };
                Self { kind: Some(kind.as_str()), scopes, ..only }
            }
            Missing::NotOffered | Missing::NotACount | Missing::Hidden => only,
        }
    }
}

impl FailureData {
    /// An error in these words.
    pub(crate) fn new(error: &Error, message: String) -> Self {
        Self {
            kind: error.kind().map(ErrorKind::as_str),
            message,
            code: error.connector().and_then(CoreError::code).map(str::to_owned),
            log_id: error.connector().and_then(CoreError::log_id).map(str::to_owned),
        }
    }
}
