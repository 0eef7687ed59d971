//! A connection, what it may be used for, and what it lacks.

use std::collections::BTreeMap;

use connector_core::account::{FieldValue, Profile};
use connector_core::scope::{Drift, REQUIRED_SCOPE_MISSING};
use connector_core::{AbilityStatus, Scope};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::texts;
use crate::flow::Revocation;
use crate::host::Host;
use crate::store::{Connected, ConnectionState, GrantState, LastError, Link, Linked};

/// An account that is linked for a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Connection)]
pub(crate) struct ConnectionData {
    /// Its id. It stays the same when the account is connected again.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) tenant: String,
    /// The product's own id for it.
    pub(crate) reference: Option<String>,
    /// The platform's id.
    pub(crate) platform: String,
    /// The app it was connected under, by the operator's name.
    pub(crate) app: String,
    /// The platform's stable id of the account.
    pub(crate) account_id: String,
    /// What the platform said about the account, by field. A field that was not asked for or not answered is absent.
    #[schema(value_type = Object)]
    pub(crate) profile: BTreeMap<String, Value>,
    /// `active`, `held`, `reauth_required`, `disconnecting` or `disconnected`.
    pub(crate) state: &'static str,
    /// Why it is in its state, as one stable word, where there is more to know than the state.
    pub(crate) reason: Option<String>,
    /// The scopes without which the configuration wants no connection, and which this one is known not to hold.
    pub(crate) lacks_required: Vec<String>,
    /// Since when it is in its state.
    pub(crate) since: String,
    /// Each scope that the app wants, and how it stands. `null` where the platform or the app is no longer configured.
    pub(crate) scopes: Option<Vec<ScopeData>>,
    /// The scopes that were granted and are not wanted. `null` as with `scopes`.
    pub(crate) extra_scopes: Option<Vec<String>>,
    /// Whether connecting again would ask for scopes that this connection was never asked for.
    pub(crate) reauthentication_helps: bool,
    /// What a product can do with it, and what it lacks for the rest.
    pub(crate) abilities: BTreeMap<String, AbilityData>,
    /// What went wrong last, until something goes right.
    pub(crate) last_error: Option<ErrorData>,
    /// When the account was linked first.
    pub(crate) connected_at: String,
    /// When it was disconnected, if it is.
    pub(crate) disconnected_at: Option<String>,
}

/// A wanted scope and how it stands with a connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScopeStanding)]
pub(crate) struct ScopeData {
    /// The scope.
    pub(crate) scope: String,
    /// `granted`, `never_asked`, `not_granted`, `withdrawn`, `unknown` or `pending`.
    pub(crate) status: &'static str,
}

/// How an ability stands with a connection.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Ability)]
pub(crate) struct AbilityData {
    /// `available`, `needs_scopes` or `not_offered`.
    pub(crate) status: &'static str,
    /// With `needs_scopes`: any one of these unlocks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) any_of: Option<Vec<String>>,
}

/// What went wrong at the platform.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastError)]
pub(crate) struct ErrorData {
    /// When.
    pub(crate) at: String,
    /// What the caller can do about it, as one stable word.
    pub(crate) kind: String,
    /// What happened, in words.
    pub(crate) message: String,
    /// The platform's own code.
    pub(crate) code: Option<String>,
    /// The platform's id of the request, for its support.
    pub(crate) log_id: Option<String>,
}

/// What linking an account did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Linked)]
pub(crate) struct LinkedData {
    /// The connection's id.
    pub(crate) id: String,
    /// The platform's id.
    pub(crate) platform: String,
    /// The app, by the operator's name.
    pub(crate) app: String,
    /// The platform's stable id of the account.
    pub(crate) account_id: String,
    /// The product's own id for it.
    pub(crate) reference: Option<String>,
    /// What the platform said about the account.
    #[schema(value_type = Object)]
    pub(crate) profile: BTreeMap<String, Value>,
    /// Whether the account was never linked before.
    pub(crate) new: bool,
}

impl ConnectionData {
    /// How it stands by what is stored and by the configuration in force.
    pub(crate) fn of(host: &Host, connected: &Connected) -> Self {
        let Connected { connection, grant } = connected;
        let drift = host.drift(connected);
        let lacking: &[Scope] = drift.as_ref().map_or(&[], |drift| &drift.lacking);
        let state = connected.state_given(!lacking.is_empty());
        Self {
            id: connection.id.to_string(),
            tenant: connection.tenant.clone(),
            reference: connection.reference.clone(),
            platform: connection.platform.to_string(),
            app: connection.app.clone(),
            account_id: connection.account_id.clone(),
            profile: profile(&connection.profile),
            state: state.as_str(),
            reason: reason(connected, state).map(str::to_owned),
            lacks_required: texts(lacking),
            since: grant.state_since.to_string(),
            scopes: drift.as_ref().map(standings),
            extra_scopes: drift.as_ref().map(|drift| texts(&drift.extra)),
            reauthentication_helps: drift.as_ref().is_some_and(Drift::reauthentication_helps),
            abilities: host.abilities(connected).into_iter().map(|(name, status)| (name, (&status).into())).collect(),
            last_error: grant.last_error.as_ref().map(ErrorData::from),
            connected_at: connection.created_at.to_string(),
            disconnected_at: connection.disconnected_at.map(|at| at.to_string()),
        }
    }
}

/// Why a connection is in its state, as one stable word, where there is more to know than the state.
pub(crate) fn reason(connected: &Connected, state: ConnectionState) -> Option<&str> {
    match (&connected.grant.state, state) {
        (GrantState::Held { reason } | GrantState::ReauthRequired { reason }, _) => Some(reason),
        (_, ConnectionState::ReauthRequired) => Some(REQUIRED_SCOPE_MISSING),
        _ => None,
    }
}

/// What became of the access of a connection that was given up, as one stable word.
pub(crate) fn revocation(revocation: &Revocation) -> &'static str {
    match revocation {
        Revocation::Done => "revoked",
        Revocation::GrantInUse => "grant_in_use",
        Revocation::NotOffered => "not_offered",
        Revocation::NotOurs => "not_ours",
        Revocation::Unconfirmed => "unconfirmed",
        Revocation::Pending(_) => "pending",
    }
}

/// A profile by field.
pub(crate) fn profile(profile: &Profile) -> BTreeMap<String, Value> {
    let value = |value: &FieldValue| match value {
        FieldValue::Text(text) => Value::from(text.as_str()),
        FieldValue::Flag(flag) => Value::from(*flag),
        FieldValue::Integer(number) => Value::from(*number),
    };
    profile.iter().map(|(name, field)| (name.to_owned(), value(field))).collect()
}

fn standings(drift: &Drift) -> Vec<ScopeData> {
    let data = |(scope, status): &(Scope, connector_core::scope::ScopeStatus)| ScopeData {
        scope: scope.to_string(),
        status: status.as_str(),
    };
    drift.statuses.iter().map(data).collect()
}

impl From<&AbilityStatus> for AbilityData {
    fn from(status: &AbilityStatus) -> Self {
        match status {
            AbilityStatus::Available => Self { status: "available", any_of: None },
            AbilityStatus::NeedsScopes(scopes) => Self { status: "needs_scopes", any_of: Some(texts(scopes)) },
            AbilityStatus::NotOffered => Self { status: "not_offered", any_of: None },
        }
    }
}

impl From<&LastError> for ErrorData {
    fn from(error: &LastError) -> Self {
        Self {
            at: error.at.to_string(),
            kind: error.kind.clone(),
            message: error.message.clone(),
            code: error.code.clone(),
            log_id: error.log_id.clone(),
        }
    }
}

impl From<&Linked> for LinkedData {
    fn from(linked: &Linked) -> Self {
        let connection = &linked.connection;
        Self {
            id: connection.id.to_string(),
            platform: connection.platform.to_string(),
            app: connection.app.clone(),
            account_id: connection.account_id.clone(),
            reference: connection.reference.clone(),
            profile: profile(&connection.profile),
            new: linked.link == Link::New,
        }
    }
}
