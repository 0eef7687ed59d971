use std::fmt::Write as _;

use connector_core::config::{Config, PlatformSettings};

use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use super::{args, format};
use crate::data::PlatformData;
use crate::error::Result;

pub(super) fn run(setup: &Setup, _: &args::List, output: Output) -> Result<Exit> {
    show(setup, &setup.config(output)?, setup.global.emulator, output);
    Ok(Exit::Done)
}

/// Prints the platforms of this program and this configuration, as they are for `--emulator` or without it.
pub(super) fn show(setup: &Setup, config: &Config, emulated: bool, output: Output) {
    let platforms = platforms(setup, config, emulated);
    output.either(&platforms, || platforms.iter().map(text).collect::<Vec<_>>().join("\n"));
}

fn platforms(setup: &Setup, config: &Config, emulated: bool) -> Vec<PlatformData> {
    let none = PlatformSettings::default();
    let linked = setup.registry.iter().map(|linked| {
        let settings = config.settings.platforms.get(linked.id()).unwrap_or(&none);
        PlatformData::of(linked.id(), Some(linked), settings, emulated)
    });
    let config_only = config.settings.platforms.iter().filter(|(id, _)| setup.registry.get(id.as_str()).is_err());
    linked.chain(config_only.map(|(id, settings)| PlatformData::of(id, None, settings, false))).collect()
}

fn text(platform: &PlatformData) -> String {
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
