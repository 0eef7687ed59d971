//! A connection as it is shown.

use connector_core::account::FieldValue;
use connector_core::scope::{Drift, ScopeStatus, list_scopes};
use connector_core::{AbilityStatus, Scope};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::format;
use crate::data::{ConnectionData, reason};
use crate::host::Host;
use crate::standing::{Around, Told, Trouble, told};
use crate::store::{AppHealth, Connected, ConnectionState, RevocationRecord};

/// A connection as data, with what this program can tell about it.
#[derive(Serialize)]
pub(super) struct Row {
    #[serde(flatten)]
    connection: ConnectionData,
    told: Option<String>,
    next: Option<String>,
    offer: Option<String>,
    doubt: Value,
    next_try_at: Option<String>,
    app_health: Option<Value>,
}

/// A connection with what its app wants of it, as far as the platform is still linked and configured.
pub(super) struct View<'a> {
    host: &'a Host,
    pub(super) connected: &'a Connected,
    around: Around<'a>,
    abilities: Vec<(String, AbilityStatus)>,
    now: Timestamp,
}

impl<'a> View<'a> {
    /// Of a connection, the apps that something is wrong with, and its own revocation.
    pub(super) fn of(
        host: &'a Host,
        connected: &'a Connected,
        apps: &'a [AppHealth],
        revocation: Option<RevocationRecord>,
    ) -> Self {
        let around = Around::of(host, connected, apps, revocation);
        Self { host, connected, around, abilities: host.abilities(connected), now: host.context().now() }
    }

    fn drift(&self) -> Option<&Drift> {
        self.around.drift.as_ref()
    }

    /// The state by what is stored and what the configuration requires.
    fn state(&self) -> ConnectionState {
        self.connected.state_given(!self.around.lacking().is_empty())
    }

    fn reason(&self) -> Option<&str> {
        reason(self.connected, self.state())
    }

    /// The state with its reason.
    pub(super) fn state_text(&self) -> String {
        let state = self.state();
        match (state, self.reason()) {
            (ConnectionState::ReauthRequired | ConnectionState::Held, Some(reason)) => {
                format!("{} ({reason})", state.as_str())
            }
            _ => state.as_str().to_owned(),
        }
    }

    /// Since when, by the clock and in words.
    pub(super) fn since(&self) -> String {
        let since = self.connected.grant.state_since;
        format!("{since:.0}, {}", format::ago(since, self.now))
    }

    /// What there is to say about it, if anything.
    pub(super) fn told(&self) -> Option<Told> {
        told(self.connected, &self.around, self.now)
    }

    /// When something is sent for it again, where something is in the way.
    fn next_try_at(&self) -> Option<Timestamp> {
        let grant = &self.connected.grant;
        let times = match self.connected.state() {
            ConnectionState::Disconnecting => [self.around.revocation.as_ref().map(|job| job.next_try_at), None, None],
            ConnectionState::Active => {
                [grant.parked_until, self.around.rests_until, self.around.app.and_then(|app| app.health.next_try_at)]
            }
            _ => [None; 3],
        };
        times.into_iter().flatten().filter(|at| *at > self.now).max()
    }

    fn doubt_json(&self) -> Value {
        let Some(mark) = &self.connected.grant.refresh_mark else { return Value::Null };
        json!({
            "since": mark.sent_at.to_string(), "unanswered": mark.unanswered, "under_way": mark.attempt.is_some(),
            "answer_kept": self.connected.grant.kept_answer.is_some(),
        })
    }

    /// Everything about it as data, with what to do about it here.
    pub(super) fn json(&self) -> Row {
        let told = self.told();
        let (what, next) = told.map_or((None, None), |told| (told.what, told.next));
        Row {
            connection: ConnectionData::of(self.host, self.connected),
            told: what,
            next,
            offer: self.offer(),
            doubt: self.doubt_json(),
            next_try_at: self.next_try_at().map(|at| at.to_string()),
            app_health: self.around.app.map(|app| health_json(&app)),
        }
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
        let connection = &self.connected.connection;
        let reference = connection.reference.as_deref().unwrap_or("none");
        vec![
            ("platform".to_owned(), format!("{}, app {}", connection.platform, connection.app)),
            ("account".to_owned(), format::line(&connection.account_id)),
            ("reference".to_owned(), format::line(reference)),
            ("state".to_owned(), format!("{} since {}", self.state_text(), self.since())),
        ]
    }

    fn profile(&self) -> Rows {
        self.connected.connection.profile.iter().map(|(name, value)| (name.to_owned(), field_text(value))).collect()
    }

    fn scopes(&self) -> Rows {
        let Some(drift) = self.drift() else { return Rows::new() };
        let wanted = drift.statuses.iter().map(|(scope, status)| (scope.to_string(), status.as_str().to_owned()));
        wanted.chain(drift.extra.iter().map(|scope| (scope.to_string(), "extra".to_owned()))).collect()
    }

    fn abilities(&self) -> Rows {
        self.abilities.iter().map(|(name, status)| (name.clone(), ability_text(status))).collect()
    }

    /// What the person did not allow may be asked for again, once they want to: it is said where everything is, and nowhere else.
    fn offer(&self) -> Option<String> {
        let refused: Vec<&Scope> = self.drift()?.with(ScopeStatus::NotGranted).collect();
        let is_open = self.state() == ConnectionState::Active && !refused.is_empty();
        is_open.then(|| {
            let id = &self.connected.connection.id;
            format!(
                "not allowed: {}; should the person want it after all, connector-host reconnect {id}",
                list_scopes(refused)
            )
        })
    }

    fn trouble(&self) -> Rows {
        let error = self.connected.grant.last_error.as_ref().map(|error| {
            let log_id = error.log_id.as_ref().map(|id| format!(", log_id {id}")).unwrap_or_default();
            ("last error".to_owned(), format!("{} ({:.0}{log_id})", error.message, error.at))
        });
        let told = self.told().into_iter().flat_map(|told| {
            let (why, next) = (told.what.map(|what| ("why".to_owned(), what)), told.next);
            why.into_iter().chain(next.map(|next| ("next".to_owned(), next)))
        });
        error.into_iter().chain(told).chain(self.offer().map(|offer| ("offer".to_owned(), offer))).collect()
    }
}

fn health_json(trouble: &Trouble<'_>) -> Value {
    let health = trouble.health;
    json!({
        "state": trouble.as_str(),
        "since": health.since.to_string(),
        "next_try_at": health.next_try_at.map(|at| at.to_string()),
        "message": health.last_error.as_ref().map(|error| &error.message),
        "log_id": health.last_error.as_ref().and_then(|error| error.log_id.as_ref()),
    })
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

fn field_text(value: &FieldValue) -> String {
    match value {
        FieldValue::Text(text) if text.is_empty() => "(empty)".to_owned(),
        FieldValue::Text(text) => format::line(text),
        FieldValue::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        FieldValue::Integer(number) => number.to_string(),
    }
}
