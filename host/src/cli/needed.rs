//! Everybody whose connection needs its person, or would gain by asking again: one after the other in the browser here, or by addresses
//! that are printed at once for people elsewhere on this machine.

use std::collections::{BTreeMap, HashSet};

use connector_core::PlatformId;
use connector_core::app::App;
use connector_core::scope::Drift;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::args::{Everybody, Reconnect};
use super::exit::Exit;
use super::flow::{Flows, Wish, walk};
use super::output::Output;
use super::setup::Setup;
use super::told::told;
use super::{ask, format};
use crate::data::LinkedData;
use crate::error::{Error, Result};
use crate::flow::Completed;
use crate::host::Host;
use crate::store::{Connected, ConnectionState};

/// Asks each of them again.
pub(super) async fn run(host: &Host, setup: &Setup, args: &Reconnect, output: Output) -> Result<Exit> {
    let needed = needed(host, &setup.global.tenant, &args.all).await?;
    if needed.is_empty() && !output.is_json() {
        output.say("No connection needs its person, and none would gain by asking again.");
    }
    let exit = if args.all.print_urls {
        by_addresses(host, setup, needed, args, output).await
    } else {
        one_by_one(host, setup, &needed, args, output).await
    };
    host.revoke_due().await?;
    Ok(exit)
}

/// One connection of each grant that needs its person, or whose app has come to want what the person was never asked for. What somebody
/// did not allow is respected.
async fn needed(host: &Host, tenant: &str, args: &Everybody) -> Result<Vec<Connected>> {
    let mut seen = HashSet::new();
    let mut all = ask::all(host, tenant).await?;
    all.retain(|connected| {
        let connection = &connected.connection;
        let named = args.platform.as_deref().is_none_or(|platform| platform == connection.platform.as_str())
            && args.app.as_ref().is_none_or(|app| *app == connection.app);
        let helps = || host.drift(connected).as_ref().is_some_and(Drift::reauthentication_helps);
        let needs = match host.state_of(connected) {
            ConnectionState::ReauthRequired => true,
            ConnectionState::Active => helps(),
            _ => false,
        };
        named && needs && seen.insert(connected.grant.id.clone())
    });
    Ok(all)
}

async fn one_by_one(host: &Host, setup: &Setup, needed: &[Connected], args: &Reconnect, output: Output) -> Exit {
    let mut exit = Exit::Done;
    for (place, connected) in needed.iter().enumerate() {
        output.note(format!("{} of {}: {}", place + 1, needed.len(), name(connected)));
        let outcome = one(host, setup, connected, args, output).await;
        exit = exit.or_worse(report(&wish(connected, args), &outcome, output));
    }
    exit
}

async fn one(host: &Host, setup: &Setup, connected: &Connected, args: &Reconnect, output: Output) -> Result<Completed> {
    let connection = &connected.connection;
    let app = host.app(connection.platform.as_str(), &connection.app)?;
    walk(host, &setup.global.tenant, &connection.platform, wish(connected, args), &app, &args.browse, output).await
}

fn wish(connected: &Connected, args: &Reconnect) -> Wish {
    Wish { reference: None, reconnects: Some(connected.connection.id.clone()), other_account: args.other_account }
}

/// Prints an address for each, and takes the callbacks of any of them until all are done, their ten minutes are over, or somebody stops it.
async fn by_addresses(host: &Host, setup: &Setup, needed: Vec<Connected>, args: &Reconnect, output: Output) -> Exit {
    let mut apps: BTreeMap<(PlatformId, String), Vec<Connected>> = BTreeMap::new();
    for connected in needed {
        let connection = &connected.connection;
        apps.entry((connection.platform.clone(), connection.app.clone())).or_default().push(connected);
    }
    let (mut exit, mut watched) = (Exit::Done, JoinSet::new());
    for ((platform, app), all) in apps {
        match addresses(host, setup, &platform, &app, &all, args, output).await {
            Ok(flows) => drop(watched.spawn(watch(host.clone(), flows, output))),
            Err(error) => {
                let outcome = Err(error);
                exit = all.iter().fold(exit, |exit, of| exit.or_worse(report(&wish(of, args), &outcome, output)));
            }
        }
    }
    if !watched.is_empty() {
        output.note("Each address is for that account's person, within ten minutes, in a browser on this machine, while this command runs.");
    }
    while let Some(done) = watched.join_next().await {
        let done = done.unwrap_or_else(|_| Err(Error::Machine("an inner task failed; please report it".to_owned())));
        // What ends the flows of one app is no reason to leave the people of another before a closed door.
        exit = exit.or_worse(done.unwrap_or_else(|error| {
            output.warn(format!("the others of that app were not reconnected: {error}"));
            Exit::of(&error)
        }));
    }
    exit
}

/// Starts the flows of one app and prints where their people go.
async fn addresses(
    host: &Host,
    setup: &Setup,
    platform: &PlatformId,
    app: &str,
    all: &[Connected],
    args: &Reconnect,
    output: Output,
) -> Result<Flows> {
    let app = host.app(platform.as_str(), app)?;
    let mut flows = Flows::open(host, &setup.global.tenant, platform, &app, &args.browse)
        .await
        .and_then(|flows| if flows.listens() { Ok(flows) } else { Err(elsewhere(&app)) })?;
    flows.reading = false;
    for connected in all {
        let url = flows.begin(host, wish(connected, args)).await?;
        let connection = &connected.connection;
        let line = json!({
            "event": "url", "connection": connection.id.as_str(), "platform": connection.platform.as_str(),
            "app": connection.app, "account_id": connection.account_id, "reference": connection.reference, "url": url.as_str(),
        });
        output.line(&line, || format!("{}\n  {url}", name(connected)));
    }
    Ok(flows)
}

fn elsewhere(app: &App) -> Error {
    Error::Request(format!(
        "the redirect URI of the app `{}` does not lead to this machine, so no callback can be taken here: name the connection, `connector-host reconnect <connection>`, and paste the address that the browser ends at",
        app.name
    ))
}

/// Reports how each flow of an app ends, as it ends.
async fn watch(host: Host, mut flows: Flows, output: Output) -> Result<Exit> {
    let mut exit = Exit::Done;
    loop {
        let ended = flows.next(&host, output).await?;
        if !flows.is_waiting() {
            let (wish, outcome) = flows.close(ended).await;
            return Ok(exit.or_worse(report(&wish, &outcome, output)));
        }
        let (wish, outcome) = flows.show(&host, ended)?;
        exit = exit.or_worse(report(&wish, &outcome, output));
    }
}

/// Says how one ended: as JSON in a line of its own, if that was asked for.
fn report(wish: &Wish, outcome: &Result<Completed>, output: Output) -> Exit {
    let id = wish.reconnects.as_ref().map(ToString::to_string).unwrap_or_default();
    if output.is_json() {
        output.line(&line(&id, outcome), String::new);
    }
    match outcome {
        Ok(completed) if output.is_json() => completed.exit(),
        Ok(completed) => told(completed, output),
        Err(error) => {
            output.warn(format!("{id} was not reconnected: {error}"));
            Exit::of(error)
        }
    }
}

fn line(id: &str, outcome: &Result<Completed>) -> Value {
    let error = |error: &Error| json!({ "kind": error.kind().map(connector_core::ErrorKind::as_str), "message": error.to_string() });
    match outcome {
        Ok(Completed { finished: Ok(finished), lacking, .. }) => json!({
            "event": "reconnected", "connection": id,
            "linked": finished.linked.iter().map(LinkedData::from).collect::<Vec<_>>(),
            "lacks_required": lacking.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Ok(Completed { finished: Err(why), .. }) | Err(why) => {
            json!({ "event": "failed", "connection": id, "error": error(why) })
        }
    }
}

fn name(connected: &Connected) -> String {
    let connection = &connected.connection;
    let label = format::text(connection.profile.label().unwrap_or(&connection.account_id));
    format!("{label} ({}) {}", connection.platform, connection.id)
}
