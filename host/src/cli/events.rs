use connector_core::Secret;
use serde_json::json;

use super::args::{Events, EventsAction, ReceiversAction};
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::table::table;
use super::{Orders, ask, listen};
use crate::data::{EventData, ReceiverData};
use crate::error::{Error, Result};
use crate::events::{NewReceiver, kinds};
use crate::host::Host;
use crate::store::{DeliveryOutcome, EventFilter, ListedEvent, ReceiverRecord, Resend};

pub(super) async fn run(
    setup: &Setup,
    running: &Running,
    args: &Events,
    output: Output,
    orders: &Orders,
) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    let tenant = &setup.global.tenant;
    match &args.action {
        EventsAction::List { connection, dead, limit } => {
            let connection = match connection {
                Some(text) => Some(ask::one(&host, tenant, text).await?.connection.id),
                None => None,
            };
            let filter = EventFilter { tenant: tenant.clone(), connection, id: None, dead: *dead, latest_first: true };
            list(&host, &filter, *limit, output).await
        }
        EventsAction::Resend { event, dead: _ } => resend(&host, tenant, event.as_deref(), output).await,
        EventsAction::Listen { forward_to } => listen::run(&host, tenant, forward_to, output, &orders.stop).await,
        EventsAction::Receivers { action } => receivers(&host, tenant, action.as_ref(), output).await,
    }
}

async fn list(host: &Host, filter: &EventFilter, limit: u32, output: Output) -> Result<Exit> {
    let mut events = host.store().events_page(filter, None, limit).await?.items;
    events.reverse();
    output.either(&events.iter().map(|event| EventData::of(host, event)).collect::<Vec<_>>(), || text(&events));
    Ok(Exit::Done)
}

fn text(events: &[ListedEvent]) -> String {
    if events.is_empty() {
        return "There is no such event.".to_owned();
    }
    let rows = events.iter().map(|ListedEvent { event, deliveries }| {
        let count = |outcome| deliveries.iter().filter(|delivery| delivery.outcome == outcome).count();
        let (pending, done) = (count(None), count(Some(DeliveryOutcome::Delivered)));
        let dead = count(Some(DeliveryOutcome::Dead));
        let ways = [(done, "delivered"), (pending, "pending"), (dead, "dead")];
        let ways = ways.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        [
            event.id.to_string(),
            format!("{:.0}", event.at),
            event.kind.to_string(),
            event.connection.to_string(),
            ways.collect::<Vec<_>>().join(", "),
        ]
    });
    table(["id", "at", "type", "connection", "receivers"], rows)
}

async fn resend(host: &Host, tenant: &str, event: Option<&str>, output: Output) -> Result<Exit> {
    let which = match event {
        Some(text) => Resend::One(text.parse()?),
        None => Resend::Dead,
    };
    let deliveries = host.resend_events(tenant, &which).await?;
    output.either(&json!({ "deliveries": deliveries }), || match deliveries {
        0 => "Nothing is sent again: there is nothing such, or no receiver for it.".to_owned(),
        1 => "One delivery begins anew; a running `serve` makes it.".to_owned(),
        more => format!("{more} deliveries begin anew; a running `serve` makes them."),
    });
    Ok(Exit::Done)
}

async fn receivers(host: &Host, tenant: &str, action: Option<&ReceiversAction>, output: Output) -> Result<Exit> {
    match action {
        None | Some(ReceiversAction::List) => {
            let all = host.store().receivers(tenant).await?;
            output.either(&all.iter().map(ReceiverData::from).collect::<Vec<_>>(), || shown(&all));
        }
        Some(ReceiversAction::Add { url, types, open }) => {
            let kinds = kinds(types.iter().map(String::as_str))?;
            let new = NewReceiver { tenant: tenant.to_owned(), url: url.clone(), kinds };
            let (receiver, secret) = host.add_receiver(new, &host.fence(&open.allow_private_receivers)).await?;
            told("Added", &receiver, &secret, output);
        }
        Some(ReceiversAction::RotateSecret { receiver }) => {
            let (receiver, secret) = host.rotate_receiver(tenant, &receiver.parse()?).await?;
            told("Replaced the secret of", &receiver, &secret, output);
        }
        Some(ReceiversAction::Remove { receiver }) => {
            let id = receiver.parse()?;
            host.remove_receiver(tenant, &id).await?;
            output.either(&json!({ "removed": id.as_str() }), || format!("The receiver {id} is removed."));
        }
    }
    Ok(Exit::Done)
}

fn shown(receivers: &[ReceiverRecord]) -> String {
    if receivers.is_empty() {
        return "Nobody is told of events; `connector-host events receivers add` adds a receiver.".to_owned();
    }
    let rows = receivers.iter().map(|receiver| {
        let words = receiver.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        [
            receiver.id.to_string(),
            receiver.url.clone(),
            if words.is_empty() { "all".to_owned() } else { words },
            receiver.disabled_reason.clone().unwrap_or_else(|| "active".to_owned()),
        ]
    });
    table(["id", "url", "types", "state"], rows)
}

/// Says what was done, and the secret once, alone on standard output.
fn told(what: &str, receiver: &ReceiverRecord, secret: &Secret, output: Output) {
    if output.is_json() {
        output.data(&ReceiverData { secret: Some(secret.expose().to_owned()), ..receiver.into() });
        return;
    }
    output.note(format!("{what} the receiver {}. Its signing secret, which is not shown again:", receiver.id));
    output.say(secret.expose());
}

/// What cannot be sent to is said before anything is waited for.
pub(super) fn refused(why: &str) -> Error {
    Error::Request(format!("nothing can be forwarded to this URL: {why}"))
}
