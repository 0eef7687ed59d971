use std::fmt::Write as _;

use connector_core::account::FieldValue;
use connector_core::scope::{Drift, ScopeStatus, list_scopes};
use serde_json::{Value, json};

use super::args::{Connections, ConnectionsAction};
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::table::table;
use super::told::told_late;
use super::{ask, format};
use crate::abilities::{AbilityStatus, abilities};
use crate::error::Result;
use crate::host::Host;
use crate::store::{Connected, ConnectionState, GrantState, Linked};

pub(super) async fn run(setup: &Setup, running: &Running, args: &Connections, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    let tenant = &setup.global.tenant;
    host.revoke_due().await?;
    told_late(&host.finish_all(tenant).await?, output);
    match &args.action {
        None | Some(ConnectionsAction::List) => list(&host, tenant, output).await?,
        Some(ConnectionsAction::Show { connection }) => {
            show(&host, &ask::one(&host, tenant, connection).await?, output);
        }
    }
    Ok(Exit::Done)
}

/// A connection with what its app wants of it, as far as the platform is still linked and configured.
struct View<'a> {
    connected: &'a Connected,
    drift: Option<Drift>,
    abilities: Vec<(String, AbilityStatus)>,
}

impl<'a> View<'a> {
    fn of(host: &Host, connected: &'a Connected) -> Self {
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
    fn state(&self) -> String {
        match &self.connected.grant.state {
            GrantState::ReauthRequired { reason } if self.connected.state() == ConnectionState::ReauthRequired => {
                format!("reauth_required ({reason})")
            }
            _ => self.connected.state().as_str().to_owned(),
        }
    }

    /// What a person would do next, if anything.
    fn advice(&self) -> Option<String> {
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
            ConnectionState::Disconnecting | ConnectionState::Disconnected => None,
        }
    }

    fn json(&self) -> Value {
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
}

/// Says which grants are there whose accounts could not be read yet.
async fn show_waiting(host: &Host, tenant: &str, output: Output) -> Result<()> {
    for grant in host.store().unlinked_grants(tenant).await? {
        let why = grant.last_error.map_or_else(|| "it has not been read yet".to_owned(), |error| error.message);
        output.note(format!(
            "access allowed on {} waits for its account: {why}; tried again by every `connections` and `metrics`",
            grant.created_at.strftime("%Y-%m-%d")
        ));
    }
    Ok(())
}

pub(super) async fn list(host: &Host, tenant: &str, output: Output) -> Result<()> {
    show_waiting(host, tenant, output).await?;
    let all = ask::all(host, tenant).await?;
    let views: Vec<View<'_>> = all.iter().map(|connected| View::of(host, connected)).collect();
    if output.is_json() {
        output.data(&views.iter().map(View::json).collect::<Vec<_>>());
        return Ok(());
    }
    if views.is_empty() {
        output.say("No connection yet: `connector-host connect <platform>`.");
        return Ok(());
    }
    let now = host.context().now();
    let rows = views.iter().map(|view| {
        let connection = &view.connected.connection;
        [
            connection.id.to_string(),
            connection.platform.to_string(),
            format::text(connection.profile.label().unwrap_or(&connection.account_id)),
            connection.reference.clone().unwrap_or_default(),
            view.state(),
            format::age(view.connected.grant.state_since, now),
        ]
    });
    output.say(table(["connection", "platform", "account", "reference", "state", "since"], rows).trim_end());
    for advice in views.iter().filter_map(View::advice) {
        output.note(format!("hint: {advice}"));
    }
    Ok(())
}

fn show(host: &Host, connected: &Connected, output: Output) {
    let view = View::of(host, connected);
    output.either(&view.json(), || text(&view));
}

fn text(view: &View<'_>) -> String {
    let Connected { connection, grant } = view.connected;
    let mut text = format!("{}\n", connection.id);
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    row("platform", &format!("{}, app {}", connection.platform, connection.app));
    row("account", &format::text(&connection.account_id));
    row("reference", connection.reference.as_deref().unwrap_or("none"));
    row("state", &format!("{} since {}", view.state(), grant.state_since));
    for (name, value) in connection.profile.iter() {
        row(name, &field_text(value));
    }
    for (scope, status) in view.drift.iter().flat_map(|drift| &drift.statuses) {
        row(status.as_str(), scope.as_str());
    }
    for scope in view.drift.iter().flat_map(|drift| &drift.extra) {
        row("extra", scope.as_str());
    }
    for (ability, status) in &view.abilities {
        row(ability, &ability_text(status));
    }
    if let Some(error) = &grant.last_error {
        let log_id = error.log_id.as_ref().map(|id| format!(", log_id {id}")).unwrap_or_default();
        row("last error", &format!("{} ({}{log_id})", error.message, error.at));
    }
    if let Some(advice) = view.advice() {
        row("next", &advice);
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
        FieldValue::Text(text) => format::text(text),
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
