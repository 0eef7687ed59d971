use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::args::Serve;
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use crate::error::{Error, Result};
use crate::keeper::{Keep, Rounds};
use crate::serve::{Board, Server, Told, bind, loopback};

/// Keeps access until it is told to stop, and ends once what was under way is through.
pub(super) async fn run(
    setup: &Setup,
    running: &Running,
    args: &Serve,
    output: Output,
    stop: &CancellationToken,
) -> Result<Exit> {
    let every = every(args)?;
    let listener = bind(loopback(&args.listen)?).await?;
    let host = setup.host(running, output).await?;
    // Nothing could be kept in another installation's store.
    host.store().check_ours().await?;
    let board = Arc::new(Board::new(host.context()));
    let server = Server::open(listener, Told::new(host.clone(), Arc::clone(&board), every))?;
    let url = format!("http://{}/", server.address);
    output.either(&json!({ "listening": url }), || format!("Listening at {url} (healthz, readyz, metrics)"));
    let (heard, cx) = (Arc::clone(&board), host.context().clone());
    let keep = Keep {
        max_in_flight: args.max_in_flight,
        max_per_second: Some(args.max_rate),
        stop: stop.clone(),
        watch: Arc::new(move |event| heard.hear(event, &cx)),
    };
    tracing::info!(every = ?every, max_in_flight = args.max_in_flight, max_rate = args.max_rate, "keeping access");
    tokio::join!(host.keep_on(Rounds { every }, &keep), async {
        stop.cancelled().await;
        board.stopping();
    });
    host.drain().await;
    tracing::info!("nothing is under way any more");
    server.close().await;
    Ok(Exit::Done)
}

fn every(args: &Serve) -> Result<Duration> {
    let every = Duration::try_from(args.every).unwrap_or_default();
    if every.is_zero() {
        return Err(Error::Request("--every 0 would be a pass without end: write a time such as 30s".to_owned()));
    }
    Ok(every)
}
