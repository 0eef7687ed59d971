use std::fmt::Write as _;

use connector_core::app::PlatformId;
use connector_core::config::{AppSettings, Config, PlatformSettings};
use connector_core::{Linked, Scope, offers};
use serde::Serialize;

use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use super::{args, format};
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
    /// Whether the credentials are the emulator's.
    #[serde(skip)]
    emulated: bool,
    scopes: Vec<String>,
    pending: Vec<String>,
    required: Vec<String>,
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
    show(setup, &setup.config(output)?, setup.global.emulator, output);
    Ok(Exit::Done)
}

/// Prints the platforms of this program and this configuration, as they are for `--emulator` or without it.
pub(super) fn show(setup: &Setup, config: &Config, emulated: bool, output: Output) {
    let platforms = platforms(setup, config, emulated);
    output.either(&platforms, || platforms.iter().map(text).collect::<Vec<_>>().join("\n"));
}

fn platforms(setup: &Setup, config: &Config, emulated: bool) -> Vec<Platform> {
    let none = PlatformSettings::default();
    let linked = setup.registry.iter().map(|linked| {
        let settings = config.settings.platforms.get(linked.id()).unwrap_or(&none);
        platform(linked.id(), Some(linked), settings, emulated)
    });
    let config_only = config.settings.platforms.iter().filter(|(id, _)| setup.registry.get(id.as_str()).is_err());
    linked.chain(config_only.map(|(id, settings)| platform(id, None, settings, false))).collect()
}

fn platform(id: &PlatformId, linked: Option<&Linked>, settings: &PlatformSettings, emulated: bool) -> Platform {
    let emulator = linked.is_some_and(|linked| linked.emulator().is_some());
    let connector = linked.map(|linked| linked.build(settings.catalogue.clone()));
    let abilities = settings.catalogue.abilities().into_iter().map(|ability| Ability {
        offered: connector.as_ref().is_some_and(|connector| offers(connector.as_ref(), &ability)),
        scopes: settings.catalogue.unlocking(&ability).map(Scope::to_string).collect(),
        name: ability.to_string(),
    });
    Platform {
        id: id.to_string(),
        name: linked.map_or_else(|| id.to_string(), |linked| linked.name().to_owned()),
        linked: linked.is_some(),
        emulator,
        apps: settings.apps.iter().map(|(name, app)| app_row(name, app, emulated && emulator)).collect(),
        abilities: abilities.collect(),
    }
}

fn app_row(name: &str, app: &AppSettings, emulated: bool) -> App {
    let lacks = if emulated { None } else { missing_credentials(app) };
    App {
        name: name.to_owned(),
        kind: app.kind.as_str(),
        configured: lacks.is_none(),
        lacks,
        emulated,
        scopes: app.wanted.scopes.iter().map(Scope::to_string).collect(),
        pending: app.wanted.pending.iter().map(Scope::to_string).collect(),
        required: app.wanted.required.iter().map(Scope::to_string).collect(),
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
        let state = match (app.emulated, app.configured) {
            (true, _) => "configured, with the emulator's own credentials",
            (false, true) => "configured",
            (false, false) => "not configured",
        };
        let _ = writeln!(text, "  app {}, {}: {state}", app.name, app.kind);
        for lack in app.lacks.iter().flat_map(|lacks| lacks.split("; ")) {
            let _ = writeln!(text, "    no {lack}");
        }
        let _ = writeln!(text, "{}", format::folded("    asks for ", &app.scopes.join(", ")));
        if !app.pending.is_empty() {
            let _ = writeln!(text, "{}", format::folded("    pending  ", &app.pending.join(", ")));
        }
        if !app.required.is_empty() {
            let _ = writeln!(text, "{}", format::folded("    requires ", &app.required.join(", ")));
        }
    }
    if platform.apps.is_empty() {
        let _ = writeln!(text, "  no app: add [platforms.{}.apps.default] to the configuration", platform.id);
    }
    for ability in &platform.abilities {
        let note = if ability.offered { "" } else { "not in this version; " };
        let needs = format!("{note}needs {}", ability.scopes.join(" or "));
        let _ = writeln!(text, "{}", format::folded(&format!("  {:<16} ", ability.name), &needs));
    }
    text
}
