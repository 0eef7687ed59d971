use super::args::{Connections, ConnectionsAction};
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::table::table;
use super::told::told_late;
use super::view::View;
use super::{ask, format};
use crate::error::Result;
use crate::host::Host;
use crate::store::Connected;

pub(super) async fn run(setup: &Setup, running: &Running, args: &Connections, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    let tenant = &setup.global.tenant;
    if let Err(error) = host.store().check_ours().await {
        output.warn(error);
    }
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
        output.say(format::folded("hint: ", &advice));
    }
    Ok(())
}

fn show(host: &Host, connected: &Connected, output: Output) {
    let view = View::of(host, connected);
    output.either(&view.json(), || view.text());
}
