//! Sends new events to a program on the developer's machine. It follows the store by itself, so that no receiver notices.

use std::sync::Arc;
use std::time::Duration;

use connector_core::Secret;
use connector_core::http::{Fence, Network, ReqwestTransport};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::events::refused;
use super::exit::Exit;
use super::output::Output;
use crate::error::Result;
use crate::events::{body, fresh, signed};
use crate::host::Host;
use crate::store::{EventCursor, EventFilter, EventRecord};

/// How often it is looked for new events.
const EVERY: Duration = Duration::from_millis(500);

/// How many are read at once.
const PAGE: u32 = 100;

pub(super) async fn run(host: &Host, tenant: &str, to: &Url, output: Output, stop: &CancellationToken) -> Result<Exit> {
    let fence = Fence::with_open(Network::LOOPBACK);
    fence.check(to).map_err(|why| refused(&why))?;
    let cx = host.context().with_transport(Arc::new(ReqwestTransport::within(fence)));
    let secret = fresh(&cx)?;
    let mut from = latest(host, tenant).await?;
    output.either(&json!({ "forwarding_to": to.as_str(), "secret": secret.expose() }), || {
        format!("Forwarding new events to {to}, signed with {}", secret.expose())
    });
    let filter = EventFilter { tenant: tenant.to_owned(), ..EventFilter::default() };
    loop {
        let page = host.store().events_page(&filter, from, PAGE).await?;
        for listed in &page.items {
            let event = &listed.event;
            let came = forward(host, &cx, to, &secret, event).await?;
            output.either(&json!({ "event": event.id.as_str(), "type": event.kind.as_str(), "answer": came }), || {
                format!("{} {} -> {came}", event.id, event.kind)
            });
            from = Some(event.place);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(Exit::Interrupted),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Where the events end now.
async fn latest(host: &Host, tenant: &str) -> Result<Option<EventCursor>> {
    let filter = EventFilter { tenant: tenant.to_owned(), latest_first: true, ..EventFilter::default() };
    Ok(host.store().events_page(&filter, None, 1).await?.items.first().map(|listed| listed.event.place))
}

/// Sends one event once, and says what came of it: whoever develops sees it, and sends it again where that helps.
async fn forward(
    host: &Host,
    cx: &connector_core::Context,
    to: &Url,
    secret: &Secret,
    event: &EventRecord,
) -> Result<String> {
    let text = event.body.clone().unwrap_or_else(|| body(host, event));
    let request = signed(to.clone(), std::slice::from_ref(secret), event.id.as_str(), cx.now(), text)?;
    Ok(match cx.send(request).await {
        Ok(answer) => format!("HTTP {}", answer.status),
        Err(error) => error.message,
    })
}
