use std::collections::BTreeMap;

use connector_core::config::Config as Configuration;

use super::args::{Config, ConfigAction};
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use super::table::table;
use crate::error::Result;

pub(super) fn run(setup: &Setup, args: &Config, output: &Output) -> Result<Exit> {
    let config = setup.config(output)?;
    match args.action {
        None | Some(ConfigAction::Check) => check(&config, output),
        Some(ConfigAction::Show { origin }) => show(&config, origin, output),
    }
    Ok(Exit::Done)
}

fn check(config: &Configuration, output: &Output) {
    let layers: Vec<String> = config.layers.iter().map(ToString::to_string).collect();
    let data = serde_json::json!({ "ok": true, "layers": layers });
    output.either(&data, || format!("The configuration is right: {}.", layers.join(", then ")));
}

fn show(config: &Configuration, origin: bool, output: &Output) {
    let entries = config.entries();
    let data: BTreeMap<String, _> = entries
        .iter()
        .map(|entry| {
            (entry.key.to_string(), serde_json::json!({ "value": entry.value, "origin": entry.origin.to_string() }))
        })
        .collect();
    output.either(&data, || {
        if origin {
            table(
                ["key", "value", "from"],
                entries.iter().map(|entry| [entry.key.to_string(), entry.value.clone(), entry.origin.to_string()]),
            )
        } else {
            entries.iter().map(|entry| format!("{} = {}\n", entry.key, entry.value)).collect()
        }
    });
}
