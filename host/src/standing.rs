//! What the state of a connection means: what happened, whose doing it was as far as that is known, and what to do.

use connector_core::Scope;
use connector_core::scope::{Drift, ScopeStatus, list_scopes};
use jiff::Timestamp;

use crate::format;
use crate::host::Host;
use crate::refresh::rests_until;
use crate::store::{AppHealth, Connected, ConnectionState, GrantRecord, GrantState, RevocationRecord};

/// What is known about a connection besides its rows.
#[derive(Debug, Default)]
pub(crate) struct Around<'a> {
    /// What is wrong with its app.
    pub(crate) app: Option<Trouble<'a>>,
    /// Until when a refresh token that may be spent is left alone.
    pub(crate) rests_until: Option<Timestamp>,
    /// What is left to tell the platform.
    pub(crate) revocation: Option<RevocationRecord>,
    /// What the app wants of it.
    pub(crate) drift: Option<Drift>,
}

impl<'a> Around<'a> {
    /// Of a connection, the apps that something is wrong with, and its own revocation.
    pub(crate) fn of(
        host: &Host,
        connected: &Connected,
        apps: &'a [AppHealth],
        revocation: Option<RevocationRecord>,
    ) -> Self {
        let class = host.platform(connected.connection.platform.as_str()).ok();
        let class = class.map(|platform| platform.connector.oauth().refresh_class());
        let rests_until = class.and_then(|class| Some(rests_until(class, connected.grant.refresh_mark.as_ref()?)));
        Self { app: trouble(host, connected, apps), rests_until, revocation, drift: host.drift(connected) }
    }

    /// The required scopes that the grant is known to lack.
    pub(crate) fn lacking(&self) -> &[Scope] {
        self.drift.as_ref().map_or(&[], |drift| &drift.lacking)
    }
}

/// What is wrong with an app at its platform.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble<'a> {
    pub(crate) health: &'a AppHealth,
    /// Whether the platform refuses the id and secret that the app has now.
    pub(crate) refused: bool,
}

impl Trouble<'_> {
    /// What it is, as one stable word.
    pub(crate) fn as_str(&self) -> &'static str {
        match () {
            () if self.refused => "refused",
            () if self.health.is_down() => "no_answer",
            () => "asked_to_wait",
        }
    }

    /// What it is, for people. `None` while it keeps nobody from anything.
    pub(crate) fn told(&self) -> Option<Told> {
        let AppHealth { app, since, next_try_at, .. } = self.health;
        let then = next_try_at.map(|at| format!("; the next try is at {at:.0}")).unwrap_or_default();
        match self.as_str() {
            "refused" => Some(Told::with(
                format!(
                    "the platform has refused the id and secret of the app `{app}` since {since:.0}; no connection is lost by this"
                ),
                format!("correct the credentials of the app `{app}`: the next command tries them at once"),
            )),
            "no_answer" => Some(Told::only(format!(
                "the platform has answered no token request of the app `{app}` since {since:.0}{then}"
            ))),
            _ => next_try_at
                .is_some()
                .then(|| Told::only(format!("the platform asked the app `{app}` to wait with token requests{then}"))),
        }
    }
}

/// What is wrong with the app of a connection.
fn trouble<'a>(host: &Host, connected: &Connected, apps: &'a [AppHealth]) -> Option<Trouble<'a>> {
    let Connected { connection, grant } = connected;
    let same = |health: &&AppHealth| {
        (&health.platform, &health.app, &health.client_id) == (&connection.platform, &connection.app, &grant.client_id)
    };
    apps.iter().find(same).map(|health| Trouble { health, refused: refuses(host, health) })
}

/// Whether the platform refuses the credentials that the app has now.
pub(crate) fn refuses(host: &Host, health: &AppHealth) -> bool {
    match host.app(health.platform.as_str(), &health.app) {
        Ok(app) => health.refuses(&app.credentials_digest()),
        Err(_) => health.refused_credentials.is_some(),
    }
}

/// What there is to say about a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// What happened, if anything did.
    pub(crate) what: Option<String>,
    /// What to do, if anything.
    pub(crate) next: Option<String>,
}

impl Told {
    fn with(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: Some(what.into()), next: Some(next.into()) }
    }

    fn only(what: impl Into<String>) -> Self {
        Self { what: Some(what.into()), next: None }
    }

    /// Both in one line.
    #[cfg(feature = "cli")]
    pub(crate) fn line(&self) -> String {
        self.what.iter().chain(&self.next).map(String::as_str).collect::<Vec<_>>().join(": ")
    }
}

/// Says how a connection stands, if there is anything to say.
pub(crate) fn told(connected: &Connected, around: &Around<'_>, now: Timestamp) -> Option<Told> {
    let id = connected.connection.id.as_str();
    match (connected.state(), &connected.grant.state) {
        (ConnectionState::ReauthRequired, GrantState::ReauthRequired { reason }) => Some(Told::with(
            lost(reason),
            if reason == "key_lost" {
                format!("put the key file back where it was, or connector-host reconnect {id}")
            } else {
                format!("connector-host reconnect {id}")
            },
        )),
        (ConnectionState::Held, GrantState::Held { reason }) => Some(held(reason, id)),
        (ConnectionState::Active, _) if !around.lacking().is_empty() => Some(lacking(id, around)),
        (ConnectionState::Active, _) => {
            let app = around.app.as_ref().and_then(Trouble::told);
            doubt(&connected.grant, around, now).or(app).or_else(|| missing(id, around.drift.as_ref()?))
        }
        (ConnectionState::Disconnecting, _) => Some(Told::only(pending(around.revocation.as_ref()))),
        _ => None,
    }
}

/// Why a person has to connect again.
fn lost(reason: &str) -> String {
    let sentence = match reason {
        "refresh_token_rejected" => {
            "the platform no longer takes the refresh token, and says no more: the person removed the app there or changed their password, or somebody else used the token"
        }
        "refresh_result_lost" => {
            "the platform answered a refresh, and the answer was lost on its way or with this program, so that nobody has the new token; the person did nothing wrong"
        }
        "refresh_unanswered" => {
            "several refreshes were left unanswered, so nobody knows whether the access still works; the person did nothing wrong"
        }
        "refresh_token_expired" => {
            "the refresh token came to the end of its life before it was used; the person did nothing wrong"
        }
        "user_revoked" => "the platform ended the access before its time: most likely the person removed the app there",
        "identity_changed" => {
            "the platform answered with the tokens of another account, which were not stored: ask the person which account is meant"
        }
        "key_lost" => {
            "its tokens are sealed with a key that is not at hand here; the platform and the person did nothing wrong"
        }
        other => return format!("the person has to allow access again ({other})"),
    };
    sentence.to_owned()
}

/// What the configuration requires and the person has not allowed.
fn lacking(id: &str, around: &Around<'_>) -> Told {
    let how = |scope: &Scope| {
        let status = around.drift.iter().flat_map(|drift| &drift.statuses).find(|(named, _)| named == scope);
        let status = status.and_then(|(_, status)| format::standing(*status));
        format!("{scope} ({})", status.unwrap_or("missing"))
    };
    let scopes = around.lacking().iter().map(how).collect::<Vec<_>>().join(", ");
    Told::with(
        format!("the configuration requires what this person has not allowed: {scopes}; its access is kept"),
        format!("connector-host reconnect {id}, and allow it"),
    )
}

fn held(reason: &str, id: &str) -> Told {
    let adopt = format!("connector-host connections adopt {id}");
    match reason {
        "exported" => Told::with(
            "it was exported, so nothing is sent with its tokens from here",
            format!("should it come back, stop the other owner, import its newest tokens, then {adopt}"),
        ),
        _ => Told::with(
            "it was imported, and its old owner may still use its tokens, so nothing is sent with them from here",
            format!("stop the old owner, import once more, then {adopt}"),
        ),
    }
}

/// What keeps an active grant from being refreshed.
fn doubt(grant: &GrantRecord, around: &Around<'_>, now: Timestamp) -> Option<Told> {
    if grant.kept_answer.is_some() {
        return Some(Told::with(
            "the platform answered a refresh with something that cannot be read; the answer is kept, sealed",
            "every later version reads it again: update connector-host, and report this",
        ));
    }
    if let Some(mark) = &grant.refresh_mark {
        let next = match around.rests_until.filter(|at| *at > now) {
            Some(at) => format!("the next try is at {at:.0}"),
            None => "the next command that needs it tries again".to_owned(),
        };
        let what = if mark.attempt.is_some() && around.rests_until.is_some_and(|at| at > now) {
            "a refresh is under way, or its process died"
        } else {
            "an earlier refresh was not answered, so the token may be spent"
        };
        return Some(Told::only(format!("{what}; {next}")));
    }
    let until = grant.parked_until.filter(|at| *at > now)?;
    Some(Told::only(format!("the platform refuses the refresh as it is; it is not repeated before {until:.0}")))
}

fn missing(id: &str, drift: &Drift) -> Option<Told> {
    drift.reauthentication_helps().then(|| {
        let scopes = list_scopes(drift.with(ScopeStatus::NeverAsked));
        Told { what: None, next: Some(format!("connector-host reconnect {id} would also ask for {scopes}")) }
    })
}

fn pending(revocation: Option<&RevocationRecord>) -> String {
    let begin = "it is disconnected here, and the platform is still to be told";
    let Some(revocation) = revocation else { return begin.to_owned() };
    let error = revocation.last_error.as_ref().map(|error| format!(" ({})", error.message)).unwrap_or_default();
    format!("{begin}{error}; the next try is at {:.0}", revocation.next_try_at)
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
