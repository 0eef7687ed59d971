use std::fmt::Write as _;

use connector_core::metrics::{MetricName, Missing};
use connector_core::{ErrorKind, Scope};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::args::Metrics;
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::table::table;
use super::told::told_late;
use super::{ask, format};
use crate::error::Result;
use crate::host::Host;
use crate::metrics::{Metrics as Read, Shown};
use crate::store::{Connected, ConnectionState};

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
    show(&host, &chosen, args.max_age, output).await
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
    let data: Vec<Value> = all.iter().map(|(connected, read)| row_json(connected, read)).collect();
    let now = host.context().now();
    output.either(&data, || {
        all.iter().map(|(connected, read)| text(connected, read, now)).collect::<Vec<_>>().join("\n")
    });
    Ok(exit)
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

fn row_json(connected: &Connected, read: &Read) -> Value {
    let connection = &connected.connection;
    json!({
        "connection": connection.id.as_str(),
        "platform": connection.platform.as_str(),
        "account_id": connection.account_id,
        "reference": connection.reference,
        "metrics": read.cells.iter().map(|(name, shown)| cell_json(name, shown)).collect::<Map<_, _>>(),
        "error": read.error.as_ref().map(|error| json!({
            "kind": error.kind().map(connector_core::ErrorKind::as_str),
            "message": error.to_string(),
            "code": error.connector().and_then(connector_core::Error::code),
            "log_id": error.connector().and_then(connector_core::Error::log_id),
        })),
    })
}

fn cell_json(name: &MetricName, shown: &Shown) -> (String, Value) {
    let cell = match shown {
        Shown::Value(sample) => json!({ "value": sample.value, "observed_at": sample.observed_at.to_string() }),
        Shown::Stale(sample, why) => {
            json!({ "value": sample.value, "observed_at": sample.observed_at.to_string(), "stale": missing_json(why) })
        }
        Shown::Missing(why) => json!({ "missing": missing_json(why) }),
    };
    (name.to_string(), cell)
}

fn missing_json(missing: &Missing) -> Value {
    match missing {
        Missing::Scope { scope, .. } => json!({ "reason": missing.as_str(), "scope": scope.as_str() }),
        Missing::Failed(kind @ ErrorKind::MissingScopes { scopes }) => {
            json!({ "reason": "failed", "kind": kind.as_str(), "scopes": scopes.iter().map(Scope::as_str).collect::<Vec<_>>() })
        }
        Missing::Failed(kind) => json!({ "reason": "failed", "kind": kind.as_str() }),
        Missing::NotOffered | Missing::NotACount | Missing::Hidden => json!({ "reason": missing.as_str() }),
    }
}
