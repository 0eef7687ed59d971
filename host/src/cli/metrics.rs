use std::fmt::Write as _;

use jiff::Timestamp;

use super::args::Metrics;
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::table::table;
use super::told::told_late;
use super::{ask, format};
use crate::data::{FailureData, MetricsData};
use crate::error::Result;
use crate::host::Host;
use crate::metrics::{Metrics as Read, Shown};
use crate::store::{Connected, ConnectionState};
use crate::usual;

pub(super) async fn run(setup: &Setup, running: &Running, args: &Metrics, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    let tenant = &setup.global.tenant;
    told_late(&host.finish_all(tenant).await?, output);
    let chosen = match &args.connection {
        Some(text) => vec![ask::one(&host, tenant, text).await?],
        None => ask::all(&host, tenant)
            .await?
            .into_iter()
            .filter(|connected| {
                !matches!(connected.state(), ConnectionState::Disconnecting | ConnectionState::Disconnected)
            })
            .collect(),
    };
    host.revoke_due().await?;
    if chosen.is_empty() && !output.is_json() {
        output.say("No connection yet: `connector-host connect <platform>`.");
        return Ok(Exit::Done);
    }
    show(&host, &chosen, args.max_age.unwrap_or(usual::AGE), output).await
}

/// Reads and prints the counts of these connections.
pub(super) async fn show(
    host: &Host,
    chosen: &[Connected],
    max_age: jiff::SignedDuration,
    output: Output,
) -> Result<Exit> {
    let mut exit = Exit::Done;
    let mut all = Vec::new();
    for connected in chosen {
        let read = host.metrics(connected, max_age).await?;
        if let Some(error) = &read.error {
            exit = exit.or_worse(Exit::of(error));
        }
        all.push((connected, read));
    }
    let data: Vec<_> = all.iter().map(|(connected, read)| data(connected, read)).collect();
    let now = host.context().now();
    output.either(&data, || {
        all.iter().map(|(connected, read)| text(connected, read, now)).collect::<Vec<_>>().join("\n")
    });
    Ok(exit)
}

fn data(connected: &Connected, read: &Read) -> MetricsData {
    MetricsData::of(&connected.connection, read, |error| FailureData::new(error, error.to_string()))
}

fn text(connected: &Connected, read: &Read, now: Timestamp) -> String {
    let connection = &connected.connection;
    let handle =
        connection.profile.text("handle").map(|handle| format!(" @{}", format::text(handle))).unwrap_or_default();
    let name = format::text(connection.profile.label().unwrap_or(&connection.account_id));
    let mut text = format!("{name}{handle} ({}) {}\n", connection.platform, connection.id);
    let rows = read.cells.iter().map(|(name, shown)| {
        let (value, note) = cell_text(shown, now);
        [format!("  {name}"), value, note]
    });
    let _ = writeln!(text, "{}", table(["  metric", "value", "age, or why there is none"], rows));
    if let Some(error) = &read.error {
        let _ = writeln!(text, "  not updated: {error}");
    }
    text
}

fn cell_text(shown: &Shown, now: Timestamp) -> (String, String) {
    match shown {
        Shown::Value(sample) => (format::count(sample.value), format::age(sample.observed_at, now)),
        Shown::Stale(sample, why) => (
            format::count(sample.value),
            format!("stale, {}: {}", format::age(sample.observed_at, now), format::missing(why)),
        ),
        Shown::Missing(why) => ("-".to_owned(), format::missing(why)),
    }
}
