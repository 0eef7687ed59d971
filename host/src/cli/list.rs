use std::fmt::Write as _;

use connector_core::app::PlatformId;
use connector_core::config::{Config, PlatformSettings};
use connector_core::{Linked, Scope};
use serde::Serialize;

use super::args;
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use crate::abilities::{known, offers};
use crate::apps::missing_credentials;
use crate::error::Result;

/// One platform, linked or configured or both.
#[derive(Serialize)]
struct Platform {
    id: String,
    name: String,
    /// Whether a connector is linked into this program.
    linked: bool,
    emulator: bool,
    apps: Vec<App>,
    abilities: Vec<Ability>,
}

#[derive(Serialize)]
struct App {
    name: String,
    kind: &'static str,
    /// Whether it has its credentials.
    configured: bool,
    /// What it lacks, in words.
    lacks: Option<String>,
    scopes: Vec<String>,
    pending: Vec<String>,
}

#[derive(Serialize)]
struct Ability {
    name: String,
    /// Whether this version of the connector does it.
    offered: bool,
    /// Any one of these unlocks it.
    scopes: Vec<String>,
}

pub(super) fn run(setup: &Setup, _: &args::List, output: Output) -> Result<Exit> {
    show(setup, &setup.config(output)?, output);
    Ok(Exit::Done)
}

/// Prints the platforms of this program and this configuration.
pub(super) fn show(setup: &Setup, config: &Config, output: Output) {
    let platforms = platforms(setup, config);
    output.either(&platforms, || platforms.iter().map(text).collect::<Vec<_>>().join("\n"));
}

fn platforms(setup: &Setup, config: &Config) -> Vec<Platform> {
    let none = PlatformSettings::default();
    let linked = setup.registry.iter().map(|linked| {
        let settings = config.settings.platforms.get(linked.id()).unwrap_or(&none);
        platform(linked.id(), Some(linked), settings)
    });
    let config_only = config.settings.platforms.iter().filter(|(id, _)| setup.registry.get(id.as_str()).is_err());
    linked.chain(config_only.map(|(id, settings)| platform(id, None, settings))).collect()
}

fn platform(id: &PlatformId, linked: Option<&Linked>, settings: &PlatformSettings) -> Platform {
    let connector = linked.map(|linked| linked.build(settings.catalogue.clone()));
    let abilities = known(&settings.catalogue).into_iter().map(|ability| Ability {
        offered: connector.as_ref().is_some_and(|connector| offers(connector.as_ref(), &ability)),
        scopes: settings.catalogue.unlocking(&ability).map(Scope::to_string).collect(),
        name: ability.to_string(),
    });
    Platform {
        id: id.to_string(),
        name: linked.map_or_else(|| id.to_string(), |linked| linked.name().to_owned()),
        linked: linked.is_some(),
        emulator: linked.is_some_and(|linked| linked.emulator().is_some()),
        apps: settings.apps.iter().map(|(name, app)| app_row(name, app)).collect(),
        abilities: abilities.collect(),
    }
}

fn app_row(name: &str, app: &connector_core::config::AppSettings) -> App {
    let lacks = missing_credentials(app);
    App {
        name: name.to_owned(),
        kind: app.kind.as_str(),
        configured: lacks.is_none(),
        lacks,
        scopes: app.wanted.scopes.iter().map(Scope::to_string).collect(),
        pending: app.wanted.pending.iter().map(Scope::to_string).collect(),
    }
}

fn text(platform: &Platform) -> String {
    let how = match (platform.linked, platform.emulator) {
        (true, true) => "linked, with an emulator",
        (true, false) => "linked",
        (false, _) => "configured, but no connector is linked into this program",
    };
    let mut text = format!("{} ({}): {how}\n", platform.name, platform.id);
    for app in &platform.apps {
        let state =
            app.lacks.as_deref().map_or_else(|| "configured".to_owned(), |lacks| format!("not configured: {lacks}"));
        let _ = writeln!(text, "  app {}, {}: {state}", app.name, app.kind);
        let _ = writeln!(text, "    asks for {}", app.scopes.join(", "));
        if !app.pending.is_empty() {
            let _ = writeln!(text, "    pending  {}", app.pending.join(", "));
        }
    }
    if platform.apps.is_empty() {
        let _ = writeln!(text, "  no app: add [platforms.{}.apps.default] to the configuration", platform.id);
    }
    for ability in &platform.abilities {
        let note = if ability.offered { "" } else { "not in this version; " };
        let _ = writeln!(text, "  {:<16} {note}needs {}", ability.name, ability.scopes.join(" or "));
    }
    text
}
