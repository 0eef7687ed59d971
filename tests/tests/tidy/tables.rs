//! The tables of the docs, as the shipped configuration and the linked connectors have them.

use connector_core::config::{Ability, AppSettings, Config, Layer, PlatformSettings, ScopeEntry};
use connector_core::scope::{GrantScopes, Wanted};
use connector_core::{AbilityStatus, Linked, PlatformId, Registry, Scope};
use connector_host::doctor::Kind;

use super::tree::root;

/// The platforms whose connectors are linked, and what those can do.
pub(crate) fn platforms() -> String {
    let (config, linked) = (shipped(), linked());
    let none = PlatformSettings::default();
    let rows = linked.iter().map(|linked| {
        let id = linked.id();
        [
            linked.name().to_owned(),
            format!("[{}](connectors/{id})", linked.package()),
            abilities(linked, config.settings.platforms.get(id).unwrap_or(&none)),
            if linked.emulator().is_some() { "yes" } else { "no" }.to_owned(),
            linked.protocol().verified_on.clone(),
        ]
    });
    table(["platform", "connector", "abilities", "emulator", "verified on"], rows)
}

/// What `doctor` can find.
pub(crate) fn findings() -> String {
    let row = |kind: &Kind| {
        let (area, severity) = (kind.area().as_str(), kind.severity().as_str());
        [format!("`{}`", kind.id()), area.to_owned(), severity.to_owned(), kind.says().to_owned()]
    };
    table(["id", "area", "severity", "meaning"], Kind::ALL.iter().map(row))
}

/// The scopes of all platforms.
pub(crate) fn scopes() -> String {
    scope_table(|_| true)
}

/// The scopes of one platform.
pub(crate) fn scopes_of(id: &str) -> String {
    scope_table(|platform| platform.as_str() == id)
}

fn scope_table(is_shown: impl Fn(&PlatformId) -> bool) -> String {
    let (config, linked) = (shipped(), linked());
    let platforms = config.settings.platforms.iter().filter(|(id, _)| is_shown(id));
    let rows = platforms.flat_map(|(id, settings)| {
        let name = linked.get(id.as_str()).map_or_else(|_| id.to_string(), |linked| linked.name().to_owned());
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

fn unlocked(entry: &ScopeEntry) -> Vec<String> {
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

fn shipped() -> Config {
    let file = root().join("config/social-platforms.toml");
    Config::of(vec![Layer::read(file).unwrap()]).unwrap()
}

fn linked() -> Registry {
    Registry::linked().unwrap()
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
