use std::collections::BTreeMap;

use connector_core::config::{Config as Configuration, Entry, Problem, Problems};
use serde_json::{Value, json};

use super::args::{Config, ConfigAction};
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use crate::data::Mistake;
use crate::error::{Error, Result};
use crate::layers::unlinked;

pub(super) fn run(setup: &Setup, args: &Config, output: Output) -> Result<Exit> {
    let config = match setup.config(output) {
        Err(Error::Config(problems)) if output.is_json() => {
            output.data(&refused(&problems));
            return Ok(Exit::Usage);
        }
        config => config?,
    };
    match args.action {
        Some(ConfigAction::Show { origin }) => show(&config, origin, output),
        _ => check(&config, &warnings(&config, setup), output),
    }
    Ok(Exit::Done)
}

/// What is wrong, as data.
pub(super) fn refused(problems: &Problems) -> Value {
    json!({ "ok": false, "problems": Mistake::all(&problems.0) })
}

/// The files that were read, the lowest first.
pub(super) fn layers(config: &Configuration) -> Vec<String> {
    config.layers.iter().map(ToString::to_string).collect()
}

/// What a configuration says that is of no use here.
pub(super) fn warnings(config: &Configuration, setup: &Setup) -> Vec<Problem> {
    unlinked(config, &setup.registry).map(|(_, problem)| problem).collect()
}

fn check(config: &Configuration, warnings: &[Problem], output: Output) {
    for warning in warnings {
        output.warn(warning);
    }
    let layers = layers(config);
    let data = json!({ "ok": true, "layers": layers, "warnings": Mistake::all(warnings) });
    output.either(&data, || format!("The configuration is right: {}.", layers.join(", then ")));
}

fn show(config: &Configuration, origin: bool, output: Output) {
    let entries = config.entries();
    let data: BTreeMap<String, _> = entries
        .iter()
        .map(|entry| (entry.key.to_string(), json!({ "value": entry.value, "origin": entry.origin.to_string() })))
        .collect();
    output.either(&data, || {
        let line = |entry: &Entry| {
            let from = if origin { format!("  # from {}", entry.origin) } else { String::new() };
            format!("{} = {}{from}", entry.key, entry.value)
        };
        entries.iter().map(line).collect::<Vec<_>>().join("\n")
    });
}
