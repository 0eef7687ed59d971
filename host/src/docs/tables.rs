//! The lists as tables.

use std::path::Path;

use connector_core::config::{Ability, AppSettings, PlatformSettings, ScopeEntry, Settings};
use connector_core::scope::{GrantScopes, Wanted};
use connector_core::{AbilityStatus, Linked, PlatformId, Registry, Scope};

use crate::doctor::Kind;

/// The platforms whose connectors are linked, and what those can do.
pub(super) fn platforms(registry: &Registry, settings: &Settings, beside: Option<&Path>) -> String {
    let none = PlatformSettings::default();
    let rows = registry.iter().map(|linked| {
        [
            linked.name().to_owned(),
            package(linked, beside),
            abilities(linked, settings.platforms.get(linked.id()).unwrap_or(&none)),
            if linked.emulator().is_some() { "yes" } else { "no" }.to_owned(),
            linked.protocol().verified_on.clone(),
        ]
    });
    table(["platform", "connector", "abilities", "emulator", "verified on"], rows)
}

/// The package of a connector, which leads to its folder where that is at hand.
fn package(linked: &Linked, beside: Option<&Path>) -> String {
    let folder = format!("connectors/{}", linked.id());
    match beside {
        Some(dir) if dir.join(&folder).is_dir() => format!("[{}]({folder})", linked.package()),
        _ => linked.package().to_owned(),
    }
}

/// What `doctor` can find.
pub(super) fn findings() -> String {
    let row = |kind: &Kind| {
        let (area, severity) = (kind.area().as_str(), kind.severity().as_str());
        [format!("`{}`", kind.id()), area.to_owned(), severity.to_owned(), kind.says().to_owned()]
    };
    table(["id", "area", "severity", "meaning"], Kind::ALL.iter().map(row))
}

/// The scopes of these platforms.
pub(super) fn scopes(registry: &Registry, settings: &Settings, is_shown: impl Fn(&PlatformId) -> bool) -> String {
    let platforms = settings.platforms.iter().filter(|(id, _)| is_shown(id));
    let rows = platforms.flat_map(|(id, settings)| {
        let name = registry.get(id.as_str()).map_or_else(|_| id.to_string(), |linked| linked.name().to_owned());
        let entries = in_order(settings).into_iter();
        entries.map(|(scope, entry)| scope_row(&name, settings, scope, entry)).collect::<Vec<_>>()
    });
    table(["platform", "scope", "product", "allows", "unlocks", "asked for by"], rows)
}

fn scope_row(name: &str, settings: &PlatformSettings, scope: &Scope, entry: &ScopeEntry) -> [String; 6] {
    [
        name.to_owned(),
        format!("`{scope}`"),
        entry.product.clone(),
        entry.description.clone(),
        unlocked(entry).iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        asked_for_by(settings, scope),
    ]
}

/// The scopes that apps list, in the order of their lists, then the others.
fn in_order(settings: &PlatformSettings) -> Vec<(&Scope, &ScopeEntry)> {
    let mut scopes: Vec<&Scope> = Vec::new();
    let listed = settings.apps.values().flat_map(|app| &app.wanted.scopes);
    for scope in listed.chain(settings.catalogue.scopes.keys()) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes.into_iter().filter_map(|scope| settings.catalogue.scopes.get_key_value(scope)).collect()
}

/// Where the values of a scope's fields go, and what a product can do with it.
pub(crate) fn unlocked(entry: &ScopeEntry) -> Vec<String> {
    let mut targets: Vec<_> =
        entry.fields.values().flat_map(|fields| fields.values()).map(ToString::to_string).collect();
    targets.sort();
    targets.extend(entry.abilities.iter().map(ToString::to_string));
    targets
}

fn asked_for_by(settings: &PlatformSettings, scope: &Scope) -> String {
    let word = |(name, app): (&String, &AppSettings)| {
        let pending = app.wanted.pending.contains(scope).then(|| format!("{name} (pending)"));
        if app.wanted.requested().contains(scope) { Some(name.clone()) } else { pending }
    };
    let apps: Vec<_> = settings.apps.iter().filter_map(word).collect();
    if apps.is_empty() { "no app".to_owned() } else { apps.join(", ") }
}

/// Each ability that some scope unlocks, and whether the connector does it.
fn abilities(linked: &Linked, settings: &PlatformSettings) -> String {
    let connector = linked.build(settings.catalogue.clone());
    let all =
        connector_core::abilities(connector.as_ref(), &settings.catalogue, &Wanted::default(), &GrantScopes::default());
    let word = |(ability, status): &(Ability, AbilityStatus)| {
        let is_offered = *status != AbilityStatus::NotOffered;
        format!("`{ability}` {}", if is_offered { "available" } else { "not yet" })
    };
    all.iter().map(word).collect::<Vec<_>>().join(" · ")
}

/// A table in Markdown.
fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: impl Iterator<Item = [String; COLUMNS]>) -> String {
    let head = line(&head.map(str::to_owned));
    let rule = line(&[const { "---" }; COLUMNS].map(str::to_owned));
    let rows: String = rows.map(|row| line(&row)).collect();
    format!("{head}{rule}{rows}")
}

fn line(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    format!("| {} |\n", cells.join(" | "))
}
