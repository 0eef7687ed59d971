use connector_core::config::{ScopeEntry, Settings};
use connector_core::{PlatformId, Scope};
use serde::Serialize;

use super::args::{Scopes, ScopesAction};
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use super::table::table;
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
    output.either(&rows, || text(&rows));
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
                unlocks: unlocks(entry),
                wanted_by: apps(&|wanted| wanted.requested().contains(scope)),
                pending_for: apps(&|wanted| wanted.pending.contains(scope)),
            };
            platform.catalogue.scopes.iter().map(row).collect::<Vec<_>>()
        })
        .collect()
}

fn unlocks(entry: &ScopeEntry) -> Vec<String> {
    let mut targets: Vec<String> =
        entry.fields.values().flat_map(|fields| fields.values().map(ToString::to_string)).collect();
    targets.sort();
    targets.extend(entry.abilities.iter().map(ToString::to_string));
    targets
}

fn text(rows: &[Row]) -> String {
    let cells = rows.iter().map(|row| {
        let asked = match (row.wanted_by.is_empty(), row.pending_for.is_empty()) {
            (false, _) => row.wanted_by.join(", "),
            (true, false) => format!("pending for {}", row.pending_for.join(", ")),
            (true, true) => "no app".to_owned(),
        };
        [
            row.platform.clone(),
            row.scope.clone(),
            row.product.clone(),
            row.description.clone(),
            row.unlocks.join(", "),
            asked,
        ]
    });
    table(["platform", "scope", "product", "allows", "unlocks", "asked for by"], cells)
}
