use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Orders;
use super::args::Serve;
use super::caretaker::Caretaker;
use super::exit::Exit;
use super::first_admin::{FirstAdmin, admin_hash, set_up_page};
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use crate::api::{ApiSettings, KeyRate};
use crate::error::{Error, Result};
use crate::events::Courier;
use crate::host::Host;
use crate::keeper::{Keep, Rounds};
use crate::links::Site;
use crate::pages::PagesSettings;
use crate::public_url::PublicUrl;
use crate::reload::{Reloader, Why};
use crate::serve::{Asked, Board, Posted, Posture, Server, TlsFiles, Told};

/// Keeps access until it is told to stop, and ends once what was under way is through.
pub(super) async fn run(
    setup: &Setup,
    running: &Running,
    args: &Serve,
    output: Output,
    orders: &Orders,
) -> Result<Exit> {
    let every = every(args)?;
    let admin = args.admin_password_hash_file.as_deref().map(admin_hash).transpose()?;
    let posture = Posture::take(asked(args)).await?;
    let (host, reloader) = open(setup, running, output).await?;
    // Nothing could be kept in another installation's store.
    host.store().check_ours().await?;
    if let Some(hash) = &admin
        && host.keep_admin(hash.expose()).await?
    {
        output.warn("the user `admin` had another password than the file of --admin-password-hash-file, has that one again, and is signed out: change it in the file");
    }
    let first = FirstAdmin::awaited(&host, &setup.data_dir()?).await?;
    let set_up = first.as_ref().map(|first| Arc::clone(&first.set_up));
    let (board, token) = (Arc::new(Board::new(host.context())), host.context().random_token()?);
    let courier = Courier::within(host.fence(&args.open.allow_private_receivers), &host, orders.stop.clone());
    let (public_url, is_nameless) = (posture.public_url.clone(), posture.is_nameless);
    let told = Told::new(host.clone(), Arc::clone(&board), every, Arc::clone(&reloader), token.clone());
    let upkeep = Arc::new(Caretaker { setup: setup.clone(), reloader: Arc::clone(&reloader), output });
    let api = api(args, public_url.clone(), &reloader);
    let pages = PagesSettings::new(Arc::clone(&api.site)).kept_by(upkeep);
    let pages = set_up.into_iter().fold(pages, PagesSettings::with_set_up);
    let server = Server::open(posture, told, api, pages)?;
    let posted = Posted::post(&setup.data_dir()?, server.control(), &public_url, &token).await?;
    if posted.is_none() {
        output.warn("another `serve` runs on this data: `config reload` reaches that one alone");
    }
    if is_nameless {
        output.warn("nobody has said what others call this host, so they are refused: say it with --public-url");
    }
    tell(output, &host, scheme(args), &server, &public_url, first.as_ref());
    // The token was told, and is in its file.
    drop(first);
    tracing::info!(every = ?every, max_in_flight = args.max_in_flight, max_rate = args.max_rate, "keeping access");
    work(&host, &board, &reloader, &courier, args, every, orders).await;
    host.drain().await;
    tracing::info!("nothing is under way any more");
    drop(posted);
    server.close().await;
    Ok(Exit::Done)
}

/// Says where it listens, and what is still to be done.
fn tell(
    output: Output,
    host: &Host,
    scheme: &str,
    server: &Server,
    public_url: &PublicUrl,
    first: Option<&FirstAdmin>,
) {
    let url = format!("{scheme}://{}/", server.address());
    let health = server.health().map(|address| format!("http://{address}/"));
    let place = first.and_then(|_| set_up_page(scheme, server.address()));
    let emulators = host.emulators();
    let told = json!({
        "listening": url, "public_url": public_url.to_string(), "health": health,
        "set_up": first.map(|first| first.json(place.as_deref())), "emulators": emulators,
    });
    output.either(&told, || {
        let health = health.as_deref().map_or_else(String::new, |health| format!("; health and figures at {health}"));
        let first = first.map_or_else(String::new, |first| format!("\n{}", first.text(place.as_deref())));
        let emulators = emulators.iter().map(|(platform, at)| {
            format!("\nThe emulator of {platform} is at {at}: people take back there what they allowed")
        });
        let emulators: String = emulators.collect();
        format!("Listening at {url} (api/v1, healthz, readyz, metrics), called {public_url}{health}{emulators}{first}")
    });
}

/// Everything that is done until it is told to stop.
async fn work(
    host: &Host,
    board: &Arc<Board>,
    reloader: &Reloader,
    courier: &Courier,
    args: &Serve,
    every: Duration,
    orders: &Orders,
) {
    let (heard, cx, stop) = (Arc::clone(board), host.context().clone(), &orders.stop);
    let keep = Keep {
        max_in_flight: args.max_in_flight,
        max_per_second: Some(args.max_rate),
        stop: stop.clone(),
        watch: Arc::new(move |event| heard.hear(event, &cx)),
    };
    let stopped = async {
        stop.cancelled().await;
        board.stopping();
    };
    let follow = async {
        if !args.no_watch {
            reloader.follow(every, stop).await;
        }
    };
    tokio::join!(
        host.keep_on(Rounds { every }, &keep),
        host.deliver_on(courier),
        follow,
        reread(reloader, orders),
        stopped
    );
}

/// The host, and what reads its configuration anew.
async fn open(setup: &Setup, running: &Running, output: Output) -> Result<(Host, Arc<Reloader>)> {
    let (files, cx) = (setup.files(), Setup::context());
    let config = setup.config_of(&files, output)?;
    let layers = config.layers.clone();
    let realm = setup.realm(&cx, running).await?;
    let host = setup.open(config, &setup.data_dir()?, cx, realm, running, output).await?;
    let reloader = Reloader::new(host.clone(), setup.registry.clone(), files, &layers);
    Ok((host, reloader))
}

/// Reads the configuration anew whenever it is told to, until it is told to stop.
async fn reread(reloader: &Reloader, Orders { stop, reread }: &Orders) {
    while told(reread, stop).await {
        reloader.reload(Why::Hangup).await;
    }
}

/// Waits for an order. False when it is to stop.
async fn told(order: &Notify, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = order.notified() => true,
    }
}

/// What the API is served with.
fn api(args: &Serve, public_url: PublicUrl, reloader: &Reloader) -> ApiSettings {
    ApiSettings {
        site: Arc::new(Site::new(public_url, args.return_to.iter().cloned().collect())),
        rate: KeyRate(args.key_rate),
        private_receivers: args.open.allow_private_receivers.clone(),
        files: Some(reloader.files()),
    }
}

/// Where to listen, and for whom.
fn asked(args: &Serve) -> Asked {
    let tls = args.tls_cert.clone().zip(args.tls_key.clone()).map(|(chain, key)| TlsFiles { chain, key });
    Asked {
        listen: args.listen.clone(),
        tls,
        proxies: args.trusted_proxy.clone(),
        public_url: args.public_url.clone(),
        health: args.health_listen,
        max_connections: args.max_connections,
    }
}

fn scheme(args: &Serve) -> &'static str {
    if args.tls_cert.is_some() { "https" } else { "http" }
}

fn every(args: &Serve) -> Result<Duration> {
    let every = Duration::try_from(args.every).unwrap_or_default();
    if every.is_zero() {
        return Err(Error::Request("--every 0 would be a pass without end: write a time such as 30s".to_owned()));
    }
    Ok(every)
}
