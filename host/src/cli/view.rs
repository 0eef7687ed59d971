//! A connection as it is shown.

use connector_core::account::FieldValue;
use connector_core::scope::{Drift, ScopeStatus, list_scopes};
use serde_json::{Value, json};

use super::format;
use crate::abilities::{AbilityStatus, abilities};
use crate::host::Host;
use crate::store::{Connected, ConnectionState, GrantState, Linked};

/// A connection with what its app wants of it, as far as the platform is still linked and configured.
pub(super) struct View<'a> {
    pub(super) connected: &'a Connected,
    drift: Option<Drift>,
    abilities: Vec<(String, AbilityStatus)>,
}

impl<'a> View<'a> {
    pub(super) fn of(host: &Host, connected: &'a Connected) -> Self {
        let Connected { connection, grant } = connected;
        let known = host.platform(connection.platform.as_str()).ok();
        let known = known.and_then(|platform| Some((platform, &platform.settings.apps.get(&connection.app)?.wanted)));
        let drift = known.map(|(_, wanted)| wanted.drift(&grant.scopes));
        let abilities = known.map(|(platform, wanted)| {
            abilities(platform.connector.as_ref(), &platform.settings.catalogue, wanted, &grant.scopes)
        });
        let abilities =
            abilities.unwrap_or_default().into_iter().map(|(ability, status)| (ability.to_string(), status)).collect();
        Self { connected, drift, abilities }
    }

    /// The state with its reason.
    pub(super) fn state(&self) -> String {
        match &self.connected.grant.state {
            GrantState::ReauthRequired { reason } if self.connected.state() == ConnectionState::ReauthRequired => {
                format!("reauth_required ({reason})")
            }
            _ => self.connected.state().as_str().to_owned(),
        }
    }

    /// What a person would do next, if anything.
    pub(super) fn advice(&self) -> Option<String> {
        let id = self.connected.connection.id.as_str();
        match self.connected.state() {
            ConnectionState::ReauthRequired => Some(format!("connector-host reconnect {id}")),
            ConnectionState::Active => {
                let drift = self.drift.as_ref().filter(|drift| drift.reauthentication_helps())?;
                Some(format!(
                    "connector-host reconnect {id} would also ask for {}",
                    list_scopes(drift.with(ScopeStatus::NeverAsked))
                ))
            }
            ConnectionState::Held => {
                Some(format!("connector-host connections adopt {id}, once its old owner no longer refreshes it"))
            }
            ConnectionState::Disconnecting | ConnectionState::Disconnected => None,
        }
    }

    pub(super) fn json(&self) -> Value {
        let Connected { connection, grant } = self.connected;
        let scopes: Option<Vec<Value>> = self.drift.as_ref().map(|drift| {
            drift
                .statuses
                .iter()
                .map(|(scope, status)| json!({ "scope": scope.as_str(), "status": status.as_str() }))
                .collect()
        });
        let reason = match &grant.state {
            GrantState::ReauthRequired { reason } => Some(reason),
            _ => None,
        };
        json!({
            "id": connection.id.as_str(),
            "tenant": connection.tenant,
            "reference": connection.reference,
            "platform": connection.platform.as_str(),
            "app": connection.app,
            "account_id": connection.account_id,
            "profile": profile_json(&connection.profile),
            "state": self.connected.state().as_str(),
            "reason": reason,
            "since": grant.state_since.to_string(),
            "scopes": scopes,
            "extra_scopes": self.drift.as_ref().map(|drift| drift.extra.iter().map(ToString::to_string).collect::<Vec<_>>()),
            "reauthentication_helps": self.drift.as_ref().is_some_and(Drift::reauthentication_helps),
            "abilities": self.abilities.iter().map(|(name, status)| (name.clone(), ability_json(status))).collect::<serde_json::Map<_, _>>(),
            "last_error": grant.last_error.as_ref().map(|error| json!({
                "at": error.at.to_string(), "kind": error.kind, "message": error.message, "code": error.code, "log_id": error.log_id,
            })),
            "connected_at": connection.created_at.to_string(),
            "disconnected_at": connection.disconnected_at.map(|at| at.to_string()),
        })
    }

    /// Everything about it, for people: what it is, the profile, the scopes, the abilities, and what is wrong.
    pub(super) fn text(&self) -> String {
        let mut text = self.connected.connection.id.to_string();
        for (heading, rows) in [
            ("", self.identity()),
            ("profile", self.profile()),
            ("scopes", self.scopes()),
            ("abilities", self.abilities()),
            ("", self.trouble()),
        ] {
            text.push_str(&block(heading, &rows));
        }
        text
    }

    fn identity(&self) -> Rows {
        let Connected { connection, grant } = self.connected;
        let reference = connection.reference.as_deref().unwrap_or("none");
        vec![
            ("platform".to_owned(), format!("{}, app {}", connection.platform, connection.app)),
            ("account".to_owned(), format::line(&connection.account_id)),
            ("reference".to_owned(), format::line(reference)),
            ("state".to_owned(), format!("{} since {:.0}", self.state(), grant.state_since)),
        ]
    }

    fn profile(&self) -> Rows {
        self.connected.connection.profile.iter().map(|(name, value)| (name.to_owned(), field_text(value))).collect()
    }

    fn scopes(&self) -> Rows {
        let Some(drift) = &self.drift else { return Rows::new() };
        let wanted = drift.statuses.iter().map(|(scope, status)| (scope.to_string(), status.as_str().to_owned()));
        wanted.chain(drift.extra.iter().map(|scope| (scope.to_string(), "extra".to_owned()))).collect()
    }

    fn abilities(&self) -> Rows {
        self.abilities.iter().map(|(name, status)| (name.clone(), ability_text(status))).collect()
    }

    fn trouble(&self) -> Rows {
        let error = self.connected.grant.last_error.as_ref().map(|error| {
            let log_id = error.log_id.as_ref().map(|id| format!(", log_id {id}")).unwrap_or_default();
            ("last error".to_owned(), format!("{} ({:.0}{log_id})", error.message, error.at))
        });
        error.into_iter().chain(self.advice().map(|advice| ("next".to_owned(), advice))).collect()
    }
}

/// Names with what is to be said of them.
type Rows = Vec<(String, String)>;

/// Rows under a heading, the names in a column of their own.
fn block(heading: &str, rows: &[(String, String)]) -> String {
    let (indent, mut text) = match heading {
        "" => ("  ", String::new()),
        heading if rows.is_empty() => return format!("\n  {heading}: none"),
        heading => ("    ", format!("\n  {heading}")),
    };
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in rows {
        text.push('\n');
        text.push_str(&format::folded(&format!("{indent}{name:<width$}  "), value));
    }
    text
}

fn ability_text(status: &AbilityStatus) -> String {
    match status {
        AbilityStatus::Available => "available".to_owned(),
        AbilityStatus::NeedsScopes(scopes) => {
            format!("needs {}", scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "))
        }
        AbilityStatus::NotOffered => "not in this version".to_owned(),
    }
}

fn ability_json(status: &AbilityStatus) -> Value {
    match status {
        AbilityStatus::Available => json!({ "status": "available" }),
        AbilityStatus::NeedsScopes(scopes) => {
            json!({ "status": "needs_scopes", "any_of": scopes.iter().map(ToString::to_string).collect::<Vec<_>>() })
        }
        AbilityStatus::NotOffered => json!({ "status": "not_offered" }),
    }
}

fn field_text(value: &FieldValue) -> String {
    match value {
        FieldValue::Text(text) if text.is_empty() => "(empty)".to_owned(),
        FieldValue::Text(text) => format::line(text),
        FieldValue::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        FieldValue::Integer(number) => number.to_string(),
    }
}

/// A profile as data.
fn profile_json(profile: &connector_core::account::Profile) -> Value {
    let field = |value: &FieldValue| match value {
        FieldValue::Text(text) => json!(text),
        FieldValue::Flag(flag) => json!(flag),
        FieldValue::Integer(number) => json!(number),
    };
    profile.iter().map(|(name, value)| (name.to_owned(), field(value))).collect::<serde_json::Map<_, _>>().into()
}

/// What linking an account did, as data.
pub(super) fn linked_json(linked: &Linked) -> Value {
    let connection = &linked.connection;
    json!({
        "id": connection.id.as_str(),
        "platform": connection.platform.as_str(),
        "app": connection.app,
        "account_id": connection.account_id,
        "reference": connection.reference,
        "profile": profile_json(&connection.profile),
        "new": linked.link == crate::store::Link::New,
    })
}
