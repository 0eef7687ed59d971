use std::fmt::Write as _;

use connector_core::config::{ScopeEntry, Settings};
use connector_core::{PlatformId, Scope};
use serde::Serialize;

use super::args::{Scopes, ScopesAction};
use super::exit::Exit;
use super::format;
use super::output::Output;
use super::setup::Setup;
use crate::docs::unlocked;
use crate::error::Result;

/// One scope of a platform's catalogue.
#[derive(Serialize)]
struct Row {
    platform: String,
    scope: String,
    product: String,
    description: String,
    /// The metrics, profile fields and abilities it unlocks.
    unlocks: Vec<String>,
    /// The apps that ask for it.
    wanted_by: Vec<String>,
    /// The apps for which the platform has not approved it yet.
    pending_for: Vec<String>,
}

pub(super) fn run(setup: &Setup, args: &Scopes, output: Output) -> Result<Exit> {
    let config = setup.config(output)?;
    let only = match &args.action {
        Some(ScopesAction::List { platform }) => platform.as_deref(),
        None => None,
    };
    if let Some(id) = only {
        let id: PlatformId = id.parse()?;
        config.settings.platform(&id)?;
    }
    let rows = rows(&config.settings, only);
    output.either(&rows, || text(setup, &rows));
    Ok(Exit::Done)
}

fn rows(settings: &Settings, only: Option<&str>) -> Vec<Row> {
    let platforms = settings.platforms.iter().filter(|(id, _)| only.is_none_or(|only| only == id.as_str()));
    platforms
        .flat_map(|(id, platform)| {
            let apps = |wants: &dyn Fn(&connector_core::scope::Wanted) -> bool| {
                platform
                    .apps
                    .iter()
                    .filter(|(_, app)| wants(&app.wanted))
                    .map(|(name, _)| name.clone())
                    .collect::<Vec<_>>()
            };
            let row = |(scope, entry): (&Scope, &ScopeEntry)| Row {
                platform: id.to_string(),
                scope: scope.to_string(),
                product: entry.product.clone(),
                description: entry.description.clone(),
                unlocks: unlocked(entry),
                wanted_by: apps(&|wanted| wanted.requested().contains(scope)),
                pending_for: apps(&|wanted| wanted.pending.contains(scope)),
            };
            platform.catalogue.scopes.iter().map(row).collect::<Vec<_>>()
        })
        .collect()
}

fn text(setup: &Setup, rows: &[Row]) -> String {
    let mut text = String::new();
    for (place, row) in rows.iter().enumerate() {
        if place == 0 || rows[place - 1].platform != row.platform {
            let name = setup.registry.get(&row.platform).map_or(row.platform.as_str(), |linked| linked.name());
            let _ = writeln!(text, "{}{name} ({})", if place == 0 { "" } else { "\n" }, row.platform);
        }
        let _ = writeln!(text, "  {}", row.scope);
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{}", format::folded(&format!("    {name:<13} "), value));
        };
        line("product", &row.product);
        line("allows", &row.description);
        line("unlocks", &listed(&row.unlocks, "nothing here yet"));
        line("asked for by", &listed(&row.wanted_by, "no app"));
        if !row.pending_for.is_empty() {
            line("pending for", &listed(&row.pending_for, ""));
        }
    }
    text
}

fn listed(values: &[String], none: &str) -> String {
    if values.is_empty() { none.to_owned() } else { values.join(", ") }
}
