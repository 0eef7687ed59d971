use std::collections::BTreeMap;

use connector_core::config::{Config as Configuration, Entry, Problems};

use super::args::{Config, ConfigAction};
use super::exit::Exit;
use super::output::Output;
use super::setup::Setup;
use crate::error::{Error, Result};
use crate::reload::Mistake;

pub(super) fn run(setup: &Setup, args: &Config, output: Output) -> Result<Exit> {
    let config = match setup.config(output) {
        Err(Error::Config(problems)) if output.is_json() => {
            output.data(&refused(&problems));
            return Ok(Exit::Usage);
        }
        config => config?,
    };
    match args.action {
        None | Some(ConfigAction::Check) => check(&config, output),
        Some(ConfigAction::Show { origin }) => show(&config, origin, output),
        // It asks the host that runs, which reads its own files.
        Some(ConfigAction::Reload) => {}
    }
    Ok(Exit::Done)
}

/// What is wrong, as data.
fn refused(problems: &Problems) -> serde_json::Value {
    serde_json::json!({ "ok": false, "problems": Mistake::all(problems) })
}

fn check(config: &Configuration, output: Output) {
    let layers: Vec<String> = config.layers.iter().map(ToString::to_string).collect();
    let data = serde_json::json!({ "ok": true, "layers": layers });
    output.either(&data, || format!("The configuration is right: {}.", layers.join(", then ")));
}

fn show(config: &Configuration, origin: bool, output: Output) {
    let entries = config.entries();
    let data: BTreeMap<String, _> = entries
        .iter()
        .map(|entry| {
            (entry.key.to_string(), serde_json::json!({ "value": entry.value, "origin": entry.origin.to_string() }))
        })
        .collect();
    output.either(&data, || {
        let line = |entry: &Entry| {
            let from = if origin { format!("  # from {}", entry.origin) } else { String::new() };
            format!("{} = {}{from}", entry.key, entry.value)
        };
        entries.iter().map(line).collect::<Vec<_>>().join("\n")
    });
}
