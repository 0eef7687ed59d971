use connector_core::app::{App, PlatformId};
use connector_core::oauth::{CallbackParams, Purpose};
use connector_core::scope::list_scopes;
use connector_core::{AppKind, ErrorKind, Secret};
use tokio::io::AsyncBufReadExt as _;
use url::Url;

use super::args::{Browse, Connect, Reconnect};
use super::connections::linked_json;
use super::exit::Exit;
use super::format;
use super::listener::{Arrival, Listener, Page};
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::{ask, browser};
use crate::error::{Error, Result};
use crate::flow::{Callback, Completed, ConnectRequest, Finished, Started};
use crate::host::Host;
use crate::store::{ConnectionId, Link};

/// The port in an address that is only printed.
const PRINTED_PORT: u16 = 8740;

/// What a command wants connected.
pub(super) struct Wish {
    pub(super) platform: PlatformId,
    pub(super) app: String,
    pub(super) reference: Option<String>,
    pub(super) reconnects: Option<ConnectionId>,
    pub(super) other_account: bool,
}

pub(super) async fn run(setup: &Setup, running: &Running, args: &Connect, output: Output) -> Result<Exit> {
    let platform = setup.registry.get(&args.platform)?.id().clone();
    let host = setup.host(running, output).await?;
    let wish = Wish {
        platform,
        app: args.app.clone(),
        reference: args.reference.clone(),
        reconnects: None,
        other_account: false,
    };
    go(&host, setup, wish, &args.browse, output).await
}

pub(super) async fn again(setup: &Setup, running: &Running, args: &Reconnect, output: Output) -> Result<Exit> {
    let host = setup.host(running, output).await?;
    let connection = ask::one_grant(&host, &setup.global.tenant, &args.connection).await?.connection;
    let wish = Wish {
        platform: connection.platform,
        app: connection.app,
        reference: None,
        reconnects: Some(connection.id),
        other_account: args.other_account,
    };
    go(&host, setup, wish, &args.browse, output).await
}

async fn go(host: &Host, setup: &Setup, wish: Wish, browse: &Browse, output: Output) -> Result<Exit> {
    let app = host.app(wish.platform.as_str(), &wish.app)?;
    if browse.print_url {
        let purpose = if wish.reconnects.is_some() { Purpose::Reauthorize } else { Purpose::Connect };
        let redirect = redirect_uri(&app, &wish, browse, browse.port.unwrap_or(PRINTED_PORT))?;
        output.say(host.authorize_url(&wish.platform, &wish.app, redirect, purpose).await?);
        return Ok(Exit::Done);
    }
    let mut flow = Flow::begin(host, &setup.global.tenant, wish, &app, browse).await?;
    browser::send(&flow.started.authorize_url, !browse.no_browser, output);
    if flow.listener.is_none() || browse.no_browser {
        output.note("Then come back. The address the browser ends at may also be pasted here.");
    }
    let completed = flow.wait(host).await?;
    host.revoke_due().await?;
    Ok(told(&completed, output))
}

/// A flow of this process: it waits for the redirect on loopback, or for its address on standard input.
pub(super) struct Flow {
    pub(super) started: Started,
    wish: Wish,
    initiator: Secret,
    listener: Option<Listener>,
    /// Whether the address may also be pasted.
    reading: bool,
}

impl Flow {
    pub(super) async fn begin(host: &Host, tenant: &str, wish: Wish, app: &App, browse: &Browse) -> Result<Self> {
        let fixed = fixed_uri(app, browse);
        let port = fixed.as_ref().and_then(local_port);
        let listener = match (&fixed, port) {
            (Some(uri), Some(port)) => Some(Listener::open(Some(port), uri.path()).await?),
            (Some(_), None) => None,
            (None, _) if app.kind == AppKind::Web => None,
            (None, _) => Some(Listener::open(browse.port, &callback_path(&wish.platform, &wish.app)).await?),
        };
        let redirect_uri =
            redirect_uri(app, &wish, browse, listener.as_ref().map_or(PRINTED_PORT, |listener| listener.port))?;
        let initiator = host.context().random_token()?;
        let request = ConnectRequest {
            tenant: tenant.to_owned(),
            reference: wish.reference.clone(),
            platform: wish.platform.clone(),
            app: wish.app.clone(),
            redirect_uri,
            reconnects: wish.reconnects.clone(),
            initiator: initiator.clone(),
        };
        let reading = browse.no_browser || listener.is_none();
        Ok(Self { started: host.connect(request).await?, wish, initiator, listener, reading })
    }

    /// Waits until the flow has ended, and shows in the browser how.
    pub(super) async fn wait(&mut self, host: &Host) -> Result<Completed> {
        let patience = self.started.expires_at.duration_since(host.context().now()).unsigned_abs();
        let waited = tokio::time::timeout(patience, self.ended(host)).await;
        let (arrival, outcome) = waited.unwrap_or_else(|_| {
            (None, Err(Error::Request("nobody came back within ten minutes; start connecting again".to_owned())))
        });
        if let Some(listener) = self.listener.take() {
            listener.close(arrival, page(&outcome)).await;
        }
        outcome
    }

    /// Takes callbacks until one of them ends the flow. One that belongs to another flow does not.
    async fn ended(&mut self, host: &Host) -> (Option<Arrival>, Result<Completed>) {
        let mut pasted = tokio::io::BufReader::new(tokio::io::stdin()).lines();
        loop {
            let (arrival, query) = tokio::select! {
                arrival = arrived(self.listener.as_mut()) => match arrival {
                    Some(arrival) => { let query = arrival.query.clone(); (Some(arrival), query) }
                    None => return (None, Err(Error::Machine("the listener for the redirect stopped".to_owned()))),
                },
                line = pasted.next_line(), if self.reading => match line {
                    Ok(Some(line)) if line.trim().is_empty() => continue,
                    Ok(Some(line)) => (None, query_of(&line)),
                    Ok(None) | Err(_) if self.listener.is_none() => return (None, Err(nothing_pasted())),
                    Ok(None) | Err(_) => {
                        self.reading = false;
                        continue;
                    }
                },
            };
            let foreign = self.is_foreign(&query);
            let outcome = self.complete(host, &query).await;
            match (arrival, &outcome) {
                (Some(arrival), Err(error)) if foreign => arrival.refuse(error.to_string()),
                (None, Err(error)) if foreign => anstream::eprintln!("{error}"),
                (arrival, _) => return (arrival, outcome),
            }
        }
    }

    /// Whether a callback belongs to another flow, so that this one goes on. One that reports an error without a state may be this one's.
    fn is_foreign(&self, query: &str) -> bool {
        let params = CallbackParams::from_query(query);
        match (params.one("state"), params.one("error")) {
            (Ok(Some(state)), _) => Secret::from(state).digest() != self.started.state_digest,
            (Ok(None), Ok(Some(_))) => false,
            _ => true,
        }
    }

    async fn complete(&self, host: &Host, query: &str) -> Result<Completed> {
        let params = CallbackParams::from_query(query);
        let stateless = params.one("state")?.is_none() && params.one("error")?.is_some();
        let callback = Callback {
            platform: self.wish.platform.clone(),
            app: self.wish.app.clone(),
            params,
            initiator: self.initiator.clone(),
            other_account_allowed: self.wish.other_account,
        };
        if stateless { host.complete_stateless(&self.started, callback).await } else { host.complete(callback).await }
    }
}

fn nothing_pasted() -> Error {
    Error::Request(
        "the input ended before the address the browser ended at was pasted; start connecting again".to_owned(),
    )
}

/// The next callback; without a listener, never.
async fn arrived(listener: Option<&mut Listener>) -> Option<Arrival> {
    match listener {
        Some(listener) => listener.next().await,
        None => std::future::pending().await,
    }
}

/// The query of a pasted address, or the pasted text if it is a query.
fn query_of(line: &str) -> String {
    let line = line.trim();
    line.split_once('?').map_or(line, |(_, query)| query).split('#').next().unwrap_or_default().to_owned()
}

/// The redirect URI that the operator fixed.
fn fixed_uri(app: &App, browse: &Browse) -> Option<Url> {
    browse.redirect_uri.clone().or_else(|| app.redirect_uri.clone())
}

/// The port of a URI that this process can listen on.
fn local_port(uri: &Url) -> Option<u16> {
    let here = matches!(uri.host_str(), Some("127.0.0.1" | "localhost"));
    uri.port().filter(|_| here && uri.scheme() == "http")
}

fn redirect_uri(app: &App, wish: &Wish, browse: &Browse, port: u16) -> Result<Url> {
    if let Some(uri) = fixed_uri(app, browse) {
        return Ok(uri);
    }
    if app.kind == AppKind::Web {
        return Err(Error::Request(format!(
            "the app `{}` is of the kind web, whose redirect URI only you know: give it with --redirect-uri, or as `redirect_uri` in the configuration, exactly as registered",
            app.name
        )));
    }
    let uri = format!("http://127.0.0.1:{port}{}", callback_path(&wish.platform, &wish.app));
    uri.parse().map_err(|error| Error::Machine(format!("{uri} is no address: {error}")))
}

/// The path of the callback: one for each platform and app, so that an answer of one is never taken for another's.
pub(super) fn callback_path(platform: &PlatformId, app: &str) -> String {
    format!("/oauth/callback/{platform}/{app}")
}

/// What the person in the browser is told.
fn page(outcome: &Result<Completed>) -> Page {
    match outcome {
        Ok(Completed { finished: Ok(finished), .. }) => {
            let names: Vec<&str> =
                finished.linked.iter().filter_map(|linked| linked.connection.profile.label()).collect();
            let text = if names.is_empty() {
                "The account is connected.".to_owned()
            } else {
                format!("{} is connected.", names.join(" and "))
            };
            Page { well: true, title: "Connected".to_owned(), text }
        }
        Ok(Completed { finished: Err(error), .. }) => {
            Page { well: false, title: "Allowed, but not connected yet".to_owned(), text: error.to_string() }
        }
        Err(error) if error.kind() == Some(&ErrorKind::Declined) => Page {
            well: false,
            title: "Not connected".to_owned(),
            text: "Nothing was connected: the person did not allow access.".to_owned(),
        },
        Err(error) => Page { well: false, title: "Not connected".to_owned(), text: error.to_string() },
    }
}

/// What the person at the terminal is told.
pub(super) fn told(completed: &Completed, output: Output) -> Exit {
    let finished = match &completed.finished {
        Ok(finished) => finished,
        Err(error) => {
            output.warn(format!("access was allowed and is kept, but it could not be linked to an account: {error}"));
            output.note("`connector-host connections` tries again.");
            return Exit::of(error);
        }
    };
    let data: Vec<_> = finished.linked.iter().map(linked_json).collect();
    output.either(&data, || text(finished, completed));
    if let Some(granted) = completed.granted.as_ref().filter(|granted| !completed.requested.is_subset(granted)) {
        output.note(format!("Asked for, and not granted: {}.", list_scopes(completed.requested.difference(granted))));
    }
    if !finished.lost.is_empty() {
        output.warn(format!(
            "this consent allows less than the one before: {} is no longer granted.",
            list_scopes(&finished.lost)
        ));
    }
    Exit::Done
}

fn text(finished: &Finished, completed: &Completed) -> String {
    let lines = finished.linked.iter().map(|linked| {
        let what = match linked.link {
            Link::New => "Connected",
            Link::Reconnected | Link::Kept => "Reconnected",
        };
        let connection = &linked.connection;
        let name = format::text(connection.profile.label().unwrap_or(&connection.account_id));
        let scopes =
            completed.granted.as_ref().map_or_else(|| "the platform does not say which scopes".to_owned(), list_scopes);
        format!("{what} {name} ({}): {}\n  granted: {scopes}", connection.platform, connection.id)
    });
    lines.collect::<Vec<_>>().join("\n")
}
