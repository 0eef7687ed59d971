use std::fmt::Write as _;

use connector_core::PlatformId;
use connector_core::config::Settings;

use super::args::{Scopes, ScopesAction};
use super::exit::Exit;
use super::format;
use super::output::Output;
use super::setup::Setup;
use crate::data::ScopeEntryData;
use crate::error::Result;

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

fn rows(settings: &Settings, only: Option<&str>) -> Vec<ScopeEntryData> {
    let platforms = settings.platforms.iter().filter(|(id, _)| only.is_none_or(|only| only == id.as_str()));
    platforms.flat_map(|(id, platform)| ScopeEntryData::all_of(id, platform)).collect()
}

fn text(setup: &Setup, rows: &[ScopeEntryData]) -> String {
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
