use std::fmt::Write as _;

use connector_core::config::{Entry, Settings, ValueSource};
use connector_core::{AppKind, Linked};

use super::args::Init;
use super::exit::Exit;
use super::format;
use super::output::Output;
use super::setup::Setup;
use crate::error::Result;
use crate::layers::FILE_NAME;
use crate::redirect::callback_path;
use crate::usual;

/// Prints a configuration to begin with, and the checklist for each platform's portal as comments in it. It is a file, whatever form
/// results are asked for in.
pub(super) fn run(setup: &Setup, args: &Init, output: Output) -> Result<Exit> {
    let config = setup.config(output)?;
    let linked = match &args.platform {
        Some(id) => vec![setup.registry.get(id)?],
        None => setup.registry.iter().collect(),
    };
    let mut text = format!("# Save this as {FILE_NAME} and name it with --config\n# or CONNECTOR_CONFIG.\n");
    for linked in linked {
        let entries: Vec<Entry> = config.entries().into_iter().filter(|entry| belongs(entry, linked)).collect();
        let _ = write!(text, "\n{}\n{}", checklist(linked, &config.settings), app(linked, &entries));
    }
    output.say(text.trim_end());
    Ok(Exit::Done)
}

fn belongs(entry: &Entry, linked: &Linked) -> bool {
    entry.key.names().get(1).is_some_and(|name| name.as_str() == linked.id().as_str())
}

/// What to do in the platform's portal, as comments.
fn checklist(linked: &Linked, settings: &Settings) -> String {
    let portal = &linked.protocol().portal;
    let at = portal.url.as_deref().map(|url| format!(" ({url})")).unwrap_or_default();
    let mut text = format!("# {}: in the developer portal{at}\n", linked.name());
    for (number, step) in portal.steps.iter().enumerate() {
        let step = format::folded(&format!("  {}. ", number + 1), &filled(step, linked, settings));
        for line in step.lines() {
            let _ = writeln!(text, "#{line}");
        }
    }
    let _ = writeln!(text, "# Then: connector-host list; connector-host connect {}", linked.id());
    text
}

/// A step of the checklist with what the configuration says in it.
fn filled(step: &str, linked: &Linked, settings: &Settings) -> String {
    let app = settings.platforms.get(linked.id()).and_then(|platform| platform.apps.get(usual::APP));
    let source =
        |source: Option<&ValueSource>| source.map_or_else(|| "the configuration".to_owned(), ToString::to_string);
    let redirect = match app.map(|app| (app.kind, &app.redirect_uri)) {
        Some((_, Some(uri))) => uri.to_string(),
        Some((AppKind::Web, None)) => {
            format!(
                "https://<what browsers call your `serve`>{}, or the address of your own callback, which `redirect_uri` then names",
                callback_path(linked.id(), "default")
            )
        }
        _ => format!("http://127.0.0.1:*{}", callback_path(linked.id(), usual::APP)),
    };
    step.replace("{redirect_uri}", &redirect)
        .replace("{scopes}", &app.map(|app| connector_core::scope::list_scopes(&app.wanted.scopes)).unwrap_or_default())
        .replace("{client_id}", &source(app.and_then(|app| app.client_id.as_ref())))
        .replace("{client_secret}", &source(app.and_then(|app| app.client_secret.as_ref())))
}

/// The app's part of the configuration as it is now.
fn app(linked: &Linked, entries: &[Entry]) -> String {
    let prefix = format!("platforms.{}.apps.default", linked.id());
    let mut text = format!("[{prefix}]\n");
    for entry in entries {
        if let Some(name) = entry.key.to_string().strip_prefix(&format!("{prefix}.")) {
            let _ = writeln!(text, "{name} = {}", entry.value);
        }
    }
    text
}
