//! Starting and stopping.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::response::Html;
use axum::routing::{get, post};
use connector_core::emulator::{EmulatedApp, EmulatorInfo, Person, RunningEmulator, StartEmulator};
use connector_core::{Error, Result, Secret};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use url::Url;

use super::people::{APPS, MEMBERS};
use super::state::{State, StateFile};
use super::world::World;
use super::{api, authorize, token};

const HOME: &str = "<!doctype html><title>Lantern emulator</title><h1>Lantern emulator</h1><p>A local stand-in for a platform that does not exist.</p>";

pub(super) async fn start(options: StartEmulator) -> Result<RunningEmulator> {
    let file = options.state.map(StateFile);
    let state = file.as_ref().map_or_else(|| Ok(State::default()), StateFile::load)?;
    let port = options.port.or(state.port).unwrap_or(0);
    let trouble =
        |error: std::io::Error| Error::config(format!("the emulator cannot listen on 127.0.0.1:{port}: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(trouble)?;
    let port = listener.local_addr().map_err(trouble)?.port();
    let world = Arc::new(World::new(options.cx, state, file));
    world.change(|state| state.port = Some(port))?;

    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, router(world)).with_graceful_shutdown(async {
        // Dropping the sender stops the server as well.
        let _ = stopped.await;
    });
    let task = tokio::spawn(async {
        // `axum::serve` never ends in an error.
        let _ = server.await;
    });
    Ok(RunningEmulator::new(info(port)?, stop, task))
}

fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/", get(async || Html(HOME)))
        .route("/oauth/authorize", get(authorize::show).post(authorize::decide))
        .route("/oauth/token", post(token::token))
        .route("/oauth/revoke", post(token::revoke))
        .route("/v1/accounts", get(api::accounts))
        .route("/v1/accounts/{account_id}/stats", get(api::stats))
        .with_state(world)
}

fn info(port: u16) -> Result<EmulatorInfo> {
    let origin: Url =
        format!("http://127.0.0.1:{port}").parse().map_err(|_| Error::config("the emulator has no origin"))?;
    Ok(EmulatorInfo {
        base_urls: ["authorize", "api"].map(|name| (name.to_owned(), origin.clone())).into(),
        origin,
        apps: APPS
            .iter()
            .map(|app| EmulatedApp {
                name: app.name.to_owned(),
                kind: app.kind,
                client_id: app.client_id.to_owned(),
                client_secret: Secret::from(app.client_secret),
            })
            .collect(),
        people: MEMBERS
            .iter()
            .map(|member| Person { name: member.name.to_owned(), about: member.about.to_owned() })
            .collect(),
    })
}
