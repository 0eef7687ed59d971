use std::fmt::Write as _;

use connector_core::Linked;
use connector_core::emulator::EmulatorInfo;
use serde_json::{Map, Value, json};

use super::args::Emulator;
use super::exit::Exit;
use super::format;
use super::output::Output;
use super::running::{Emulators, Running};
use super::setup::Setup;
use super::table::table;
use crate::emulate::Emulated;
use crate::error::Result;
use crate::shell;

/// Runs an emulator until ctrl-C. Commands with `--emulator` on the same data directory use it.
pub(super) async fn run(setup: &Setup, running: &Running, args: &Emulator, output: Output) -> Result<Exit> {
    let linked = setup.registry.get(&args.platform)?;
    let cx = Setup::context();
    let admin_token = cx.random_token()?;
    let dir = setup.emulator_dir()?;
    let emulated = Emulated::run(linked, &dir, &cx, args.port, admin_token.clone()).await?;
    output.either(&data(linked, &emulated.info, admin_token.expose()), || {
        text(linked, &emulated.info, admin_token.expose(), &place(setup))
    });
    running.emulators(Emulators::from([(linked.id().clone(), emulated)])).await;
    std::future::pending().await
}

/// What a program needs to use the emulator, with the platform's own names for an app's credentials.
fn data(linked: &Linked, info: &EmulatorInfo, admin_token: &str) -> Value {
    let names = &linked.protocol().oauth.names;
    let app = |app: &connector_core::emulator::EmulatedApp| {
        let mut row = Map::new();
        row.insert("name".to_owned(), json!(app.name));
        row.insert("kind".to_owned(), json!(app.kind.as_str()));
        row.insert(names.client_id.clone(), json!(app.client_id));
        row.insert(names.client_secret.clone(), json!(app.client_secret.expose()));
        row
    };
    json!({
        "base_url": info.origin.as_str().trim_end_matches('/'),
        "apps": info.apps.iter().map(app).collect::<Vec<_>>(),
        "people": info.people.iter().map(|person| json!({ "name": person.name, "about": person.about })).collect::<Vec<_>>(),
        "admin_token": admin_token,
    })
}

/// The option that finds this emulator again from any directory, if one is needed.
fn place(setup: &Setup) -> String {
    let dir = setup.global.data_dir.as_ref();
    dir.map(|dir| std::path::absolute(dir).unwrap_or_else(|_| dir.clone()))
        .map(|dir| format!(" --data-dir {}", shell::path(&dir)))
        .unwrap_or_default()
}

fn text(linked: &Linked, info: &EmulatorInfo, admin_token: &str, place: &str) -> String {
    let names = &linked.protocol().oauth.names;
    let mut text = format!("The emulator of {} listens at {}\n", linked.name(), info.origin);
    let rows = info.apps.iter().map(|app| {
        let secret = app.client_secret.expose().to_owned();
        [app.name.clone(), app.kind.as_str().to_owned(), app.client_id.clone(), secret]
    });
    for line in table(["app", "kind", &names.client_id, &names.client_secret], rows).lines() {
        let _ = writeln!(text, " {line}");
    }
    for person in &info.people {
        let _ = writeln!(text, "{}", format::folded(&format!("  person {:<8} ", person.name), &person.about));
    }
    let _ = writeln!(text, "  Admin routes take the bearer token {admin_token}");
    let _ = writeln!(text, "Stop it with ctrl-C. Use it from another terminal:");
    let _ = writeln!(text, "  connector-host connect {} --emulator{place}", linked.id());
    text
}
