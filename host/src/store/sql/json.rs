//! Structures as JSON text. What is stored has shapes of its own, so that renaming a type of the framework changes no database.

use std::collections::{BTreeMap, BTreeSet};

use connector_core::account::{FieldValue, Profile};
use connector_core::metrics::MetricName;
use connector_core::scope::{GrantScopes, Granted, GrantedSource};
use connector_core::{Scope, ScopeSet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::{ConnectLinkOutcome, LastError, LinkIntent, Result, StoreError};

pub(super) fn to_text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(StoreError::database)
}

#[derive(Serialize, Deserialize)]
pub(super) struct Scopes {
    requested: BTreeSet<String>,
    granted: Option<GrantedScopes>,
    ever_granted: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
struct GrantedScopes {
    scopes: BTreeSet<String>,
    source: Source,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    Token,
    Callback,
}

impl From<&GrantScopes> for Scopes {
    fn from(scopes: &GrantScopes) -> Self {
        let granted = match &scopes.granted {
            Granted::Unknown => None,
            Granted::Known { scopes, source } => {
                Some(GrantedScopes { scopes: texts(scopes), source: (*source).into() })
            }
        };
        Self { requested: texts(&scopes.requested), granted, ever_granted: texts(&scopes.ever_granted) }
    }
}

impl TryFrom<Scopes> for GrantScopes {
    type Error = connector_core::Error;

    fn try_from(stored: Scopes) -> connector_core::Result<Self> {
        let granted = match stored.granted {
            None => Granted::Unknown,
            Some(known) => Granted::Known { scopes: scopes(&known.scopes)?, source: known.source.into() },
        };
        Ok(Self { requested: scopes(&stored.requested)?, granted, ever_granted: scopes(&stored.ever_granted)? })
    }
}

impl From<GrantedSource> for Source {
    fn from(source: GrantedSource) -> Self {
        match source {
            GrantedSource::Token => Self::Token,
            GrantedSource::Callback => Self::Callback,
        }
    }
}

impl From<Source> for GrantedSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Token => Self::Token,
            Source::Callback => Self::Callback,
        }
    }
}

fn texts(scopes: &ScopeSet) -> BTreeSet<String> {
    scopes.iter().map(Scope::to_string).collect()
}

fn scopes(texts: &BTreeSet<String>) -> connector_core::Result<ScopeSet> {
    texts.iter().map(|text| text.parse()).collect()
}

/// What became of a connect link.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Completing { since: i64 },
    Connected { connections: Vec<String> },
    Waiting,
    Failed { error: String, instead: Vec<String> },
    Cancelled,
}

impl From<&ConnectLinkOutcome> for Outcome {
    fn from(outcome: &ConnectLinkOutcome) -> Self {
        match outcome {
            ConnectLinkOutcome::Completing { since } => Self::Completing { since: since.as_millisecond() },
            ConnectLinkOutcome::Connected { connections } => {
                Self::Connected { connections: connections.iter().map(ToString::to_string).collect() }
            }
            ConnectLinkOutcome::Waiting => Self::Waiting,
            ConnectLinkOutcome::Failed { error, instead } => {
                Self::Failed { error: error.clone(), instead: instead.iter().map(Scope::to_string).collect() }
            }
            ConnectLinkOutcome::Cancelled => Self::Cancelled,
        }
    }
}

impl TryFrom<Outcome> for ConnectLinkOutcome {
    type Error = StoreError;

    fn try_from(stored: Outcome) -> Result<Self> {
        Ok(match stored {
            Outcome::Completing { since } => {
                Self::Completing { since: Timestamp::from_millisecond(since).map_err(StoreError::database)? }
            }
            Outcome::Connected { connections } => {
                Self::Connected { connections: connections.iter().map(|id| id.parse()).collect::<Result<_>>()? }
            }
            Outcome::Waiting => Self::Waiting,
            Outcome::Failed { error, instead } => {
                let instead = instead.iter().map(|scope| scope.parse::<Scope>()).collect::<Result<_, _>>();
                Self::Failed { error, instead: instead.map_err(StoreError::database)? }
            }
            Outcome::Cancelled => Self::Cancelled,
        })
    }
}

/// One field of a profile: a JSON text, yes or no, or whole number. To try one kind after the other would make an error of each that does
/// not fit, for every field of every profile that is read.
#[derive(Serialize, Deserialize)]
#[serde(untagged, try_from = "Value")]
pub(super) enum Field {
    Flag(bool),
    Integer(i64),
    Text(String),
}

impl TryFrom<Value> for Field {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Bool(flag) => Ok(Self::Flag(flag)),
            Value::Number(number) => number.as_i64().map(Self::Integer).ok_or("a number that is not whole"),
            Value::String(text) => Ok(Self::Text(text)),
            _ => Err("neither text, nor yes or no, nor a number"),
        }
    }
}

pub(super) type Fields = BTreeMap<String, Field>;

pub(super) fn profile_fields(profile: &Profile) -> Fields {
    profile.iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

pub(super) fn profile(fields: Fields) -> Profile {
    fields.into_iter().map(|(name, field)| (name, field.into())).collect()
}

impl From<&FieldValue> for Field {
    fn from(value: &FieldValue) -> Self {
        match value {
            FieldValue::Text(text) => Self::Text(text.clone()),
            FieldValue::Flag(flag) => Self::Flag(*flag),
            FieldValue::Integer(integer) => Self::Integer(*integer),
        }
    }
}

impl From<Field> for FieldValue {
    fn from(field: Field) -> Self {
        match field {
            Field::Text(text) => Self::Text(text),
            Field::Flag(flag) => Self::Flag(flag),
            Field::Integer(integer) => Self::Integer(integer),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Intent {
    reference: Option<String>,
    reconnects: Option<String>,
    other_account_allowed: bool,
}

impl From<&LinkIntent> for Intent {
    fn from(intent: &LinkIntent) -> Self {
        let LinkIntent { reference, reconnects, other_account_allowed } = intent.clone();
        Self { reference, reconnects: reconnects.map(|id| id.to_string()), other_account_allowed }
    }
}

impl TryFrom<Intent> for LinkIntent {
    type Error = StoreError;

    fn try_from(stored: Intent) -> Result<Self> {
        let Intent { reference, reconnects, other_account_allowed } = stored;
        Ok(Self { reference, reconnects: reconnects.map(|id| id.parse()).transpose()?, other_account_allowed })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Failure {
    at: i64,
    kind: String,
    message: String,
    code: Option<String>,
    log_id: Option<String>,
}

impl From<&LastError> for Failure {
    fn from(error: &LastError) -> Self {
        let LastError { at, kind, message, code, log_id } = error.clone();
        Self { at: at.as_millisecond(), kind, message, code, log_id }
    }
}

impl TryFrom<Failure> for LastError {
    type Error = jiff::Error;

    fn try_from(stored: Failure) -> Result<Self, jiff::Error> {
        let Failure { at, kind, message, code, log_id } = stored;
        Ok(Self { at: Timestamp::from_millisecond(at)?, kind, message, code, log_id })
    }
}

pub(super) fn failure_text(error: Option<&LastError>) -> Result<Option<String>> {
    error.map(|error| to_text(&Failure::from(error))).transpose()
}

/// One metric of a reading: its value, or why there is none.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cell {
    Value(i64),
    Missing(String),
}

pub(super) type Cells = BTreeMap<String, Cell>;

pub(super) fn cells(values: &BTreeMap<MetricName, i64>, missing: &BTreeMap<MetricName, String>) -> Cells {
    let missing = missing.iter().map(|(name, why)| (name.to_string(), Cell::Missing(why.clone())));
    missing.chain(values.iter().map(|(name, value)| (name.to_string(), Cell::Value(*value)))).collect()
}
