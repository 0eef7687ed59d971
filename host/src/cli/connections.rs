use super::args::{Connections, ConnectionsAction, ListConnections};
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::table::table;
use super::told::told_late;
use super::view::View;
use super::{ask, format, purge, transfer};
use crate::error::Result;
use crate::host::Host;
use crate::store::{AppHealth, Connected, ConnectionState, GrantState};

pub(super) async fn run(setup: &Setup, running: &Running, args: &Connections, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    let tenant = &setup.global.tenant;
    match &args.action {
        Some(ConnectionsAction::Import(args)) => return transfer::import(&host, tenant, args, output).await,
        Some(ConnectionsAction::Export(args)) => return transfer::export(&host, tenant, args, output).await,
        Some(ConnectionsAction::Adopt(args)) => return transfer::adopt(&host, tenant, args, output).await,
        Some(ConnectionsAction::Purge(args)) => return purge::run(&host, tenant, args, output).await,
        None | Some(ConnectionsAction::List(_) | ConnectionsAction::Show { .. }) => {}
    }
    if let Err(error) = host.store().check_ours().await {
        output.warn(error);
    }
    host.revoke_due().await?;
    told_late(&host.finish_all(tenant).await?, output);
    match &args.action {
        Some(ConnectionsAction::Show { connection }) => {
            show(&host, &ask::one(&host, tenant, connection).await?, output).await?;
            Ok(Exit::Done)
        }
        Some(ConnectionsAction::List(ListConnections { state: Some(state) })) => {
            list_in(&host, tenant, *state, output).await
        }
        _ => {
            list(&host, tenant, output).await?;
            Ok(Exit::Done)
        }
    }
}

/// Says which grants are there that have no connection: their accounts could not be read yet.
async fn show_waiting(host: &Host, tenant: &str, output: Output) -> Result<()> {
    for grant in host.store().waiting_grants(tenant).await? {
        let why = grant.last_error.map_or_else(|| "it has not been read yet".to_owned(), |error| error.message);
        let next = match &grant.state {
            GrantState::ReauthRequired { reason } => format!(
                "the platform no longer takes it ({reason}): connect the account again with `connector-host connect {}`",
                grant.platform
            ),
            _ => "tried again by every `connections` and `metrics`".to_owned(),
        };
        let day = grant.created_at.strftime("%Y-%m-%d");
        output.note(format!("access allowed on {day} waits for its account: {why}; {next}"));
    }
    Ok(())
}

pub(super) async fn list(host: &Host, tenant: &str, output: Output) -> Result<()> {
    show_waiting(host, tenant, output).await?;
    let all = ask::all(host, tenant).await?;
    if all.is_empty() && !output.is_json() {
        output.say("No connection yet: `connector-host connect <platform>`.");
        return Ok(());
    }
    show_all(host, &all, output).await
}

/// Those in one state. Whoever looks for people who have to act is told by the exit code as well.
async fn list_in(host: &Host, tenant: &str, state: ConnectionState, output: Output) -> Result<Exit> {
    let mut all = ask::all(host, tenant).await?;
    all.retain(|connected| host.state_of(connected) == state);
    if all.is_empty() && !output.is_json() {
        output.say(format!("No connection is {}.", state.as_str()));
        return Ok(Exit::Done);
    }
    show_all(host, &all, output).await?;
    let needs_people = state == ConnectionState::ReauthRequired && !all.is_empty();
    Ok(if needs_people { Exit::Person } else { Exit::Done })
}

async fn show_all(host: &Host, all: &[Connected], output: Output) -> Result<()> {
    let apps = host.store().app_health().await?;
    let mut views = Vec::with_capacity(all.len());
    for connected in all {
        views.push(view(host, connected, &apps).await?);
    }
    if output.is_json() {
        output.data(&views.iter().map(View::json).collect::<Vec<_>>());
        return Ok(());
    }
    let rows = views.iter().map(|view| {
        let connection = &view.connected.connection;
        [
            connection.id.to_string(),
            connection.platform.to_string(),
            format::text(connection.profile.label().unwrap_or(&connection.account_id)),
            connection.reference.clone().unwrap_or_default(),
            view.state_text(),
            view.since(),
        ]
    });
    output.say(table(["connection", "platform", "account", "reference", "state", "since"], rows).trim_end());
    for told in views.iter().filter_map(View::told) {
        output.say(format::folded("hint: ", &told.line()));
    }
    Ok(())
}

async fn show(host: &Host, connected: &Connected, output: Output) -> Result<()> {
    let apps = host.store().app_health().await?;
    let view = view(host, connected, &apps).await?;
    output.either(&view.json(), || view.text());
    Ok(())
}

async fn view<'a>(host: &'a Host, connected: &'a Connected, apps: &'a [AppHealth]) -> Result<View<'a>> {
    let revocation = match connected.state() {
        ConnectionState::Disconnecting => host.store().revocation_of(&connected.grant.id).await?,
        _ => None,
    };
    Ok(View::of(host, connected, apps, revocation))
}
