//! Starting and stopping.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use connector_core::emulator::{EmulatorInfo, RunningEmulator, StartEmulator};
use connector_core::{Error, Result};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use url::Url;

use super::apps;
use super::people;
use super::routes;
use super::state::{State, StateFile};
use super::world::World;

/// How long requests in flight may take to end once it is stopped.
const GRACE: Duration = Duration::from_secs(3);

pub(super) async fn start(options: StartEmulator) -> Result<RunningEmulator> {
    let StartEmulator { port, state, admin_token, cx } = options;
    let file = state.map(StateFile::new);
    let now = cx.now().as_second();
    let loaded = file.as_ref().map(StateFile::load).transpose()?.flatten();
    let mut state = loaded.unwrap_or_else(|| State::founded(now));
    let listener = bind(port, state.port, file.as_ref()).await?;
    let port =
        listener.local_addr().map_err(|error| Error::config(format!("the emulator has no address: {error}")))?.port();
    state.port = Some(port);
    if let Some(file) = &file {
        let now = now.saturating_add(state.clock_offset_seconds);
        file.save(&mut state, now)?;
    }
    let info = info(port)?;
    let world = Arc::new(World::new(cx, admin_token, state, file));
    let (stop, stopped) = oneshot::channel();
    Ok(RunningEmulator::new(info, stop, tokio::spawn(serve(listener, world, stopped))))
}

/// Grants remember the origin they were made with: without a port that is wished for it is the one from before.
async fn bind(wished: Option<u16>, before: Option<u16>, file: Option<&StateFile>) -> Result<TcpListener> {
    let port = wished.or(before).unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        let busy = error.kind() == io::ErrorKind::AddrInUse;
        Error::config(match (busy, wished, file) {
            (true, None, Some(file)) => format!(
                "port {port} on 127.0.0.1 is taken, and the grants of the emulator's state {} were made with it: stop what listens there, perhaps the same emulator, or delete that file to start afresh",
                file.path().display()
            ),
            (true, ..) => format!("port {port} on 127.0.0.1 is taken: stop what listens there, or name another port for the emulator"),
            (false, ..) => format!("the emulator cannot listen on port {port} of 127.0.0.1: {error}"),
        })
    })
}

fn info(port: u16) -> Result<EmulatorInfo> {
    let origin = Url::parse(&format!("http://127.0.0.1:{port}"))
        .map_err(|error| Error::config(format!("the emulator has no origin: {error}")))?;
    Ok(EmulatorInfo {
        base_urls: [("authorize".to_owned(), origin.clone()), ("api".to_owned(), origin.clone())].into(),
        origin,
        apps: apps::registered().iter().map(apps::RegisteredApp::info).collect(),
        people: people::info(),
    })
}

/// Serves until it is told to stop or its handle is dropped, then lets requests in flight end.
async fn serve(listener: TcpListener, world: Arc<World>, stopped: oneshot::Receiver<()>) {
    let (tell, told) = oneshot::channel::<()>();
    let asked = async move {
        // A sender that was dropped says the same.
        let _ = stopped.await;
        drop(tell);
    };
    let server = axum::serve(listener, routes::router(&world)).with_graceful_shutdown(asked);
    let too_long = async {
        let _ = told.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        _ = server.into_future() => {}
        () = too_long => {}
    }
}
