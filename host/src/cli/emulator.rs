use std::fmt::Write as _;

use connector_core::Linked;
use connector_core::emulator::EmulatorInfo;
use serde_json::{Map, Value, json};

use super::args::Emulator;
use super::exit::Exit;
use super::output::Output;
use super::running::{Emulators, Running};
use super::setup::Setup;
use crate::emulate::Emulated;
use crate::error::Result;

/// Runs an emulator until ctrl-C. Commands with `--emulator` on the same data directory use it.
pub(super) async fn run(setup: &Setup, running: &Running, args: &Emulator, output: Output) -> Result<Exit> {
    let linked = setup.registry.get(&args.platform)?;
    let cx = Setup::context();
    let admin_token = cx.random_token()?;
    let dir = setup.emulator_dir()?;
    let emulated = Emulated::run(linked, &dir, &cx, args.port, admin_token.clone()).await?;
    output.either(&data(linked, &emulated.info, admin_token.expose()), || {
        text(linked, &emulated.info, admin_token.expose())
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

fn text(linked: &Linked, info: &EmulatorInfo, admin_token: &str) -> String {
    let names = &linked.protocol().oauth.names;
    let mut text = format!("The emulator of {} listens at {}\n", linked.name(), info.origin);
    for app in &info.apps {
        let _ = writeln!(
            text,
            "  app {:<11} {:<8} {} {}  {} {}",
            app.name,
            app.kind,
            names.client_id,
            app.client_id,
            names.client_secret,
            app.client_secret.expose()
        );
    }
    for person in &info.people {
        let _ = writeln!(text, "  person {}: {}", person.name, person.about);
    }
    let _ = writeln!(text, "  admin routes take the bearer token {admin_token}");
    let _ = writeln!(
        text,
        "Use it from another terminal: connector-host connect {} --emulator. Stop it with ctrl-C.",
        linked.id()
    );
    text
}
