//! A flow of the command line: it waits for the person to come back.

use std::pin::Pin;
use std::time::Duration;

use connector_core::app::{App, PlatformId};
use connector_core::oauth::CallbackParams;
use connector_core::{AppKind, Error as CoreError, Secret};
use tokio::io::AsyncBufReadExt as _;
use tokio::time::Sleep;

use super::args::Browse;
use super::listener::{Arrival, Listener, Page};
use super::redirect::{PRINTED_PORT, fixed_uri, redirect_uri};
use super::streams;
use super::told::page;
use crate::error::{Error, Result};
use crate::flow::{Callback, Completed, ConnectRequest, Started};
use crate::host::Host;
use crate::redirect::{callback_path, local_port};
use crate::store::ConnectionId;

/// How long a callback that says which flow it belongs to may follow one that does not.
const GRACE: Duration = Duration::from_secs(3);

/// What a command wants connected.
pub(super) struct Wish {
    pub(super) platform: PlatformId,
    pub(super) app: String,
    pub(super) reference: Option<String>,
    pub(super) reconnects: Option<ConnectionId>,
    pub(super) other_account: bool,
}

/// A flow of this process: it waits for the redirect on loopback, or for its address on standard input.
pub(super) struct Flow {
    pub(super) started: Started,
    wish: Wish,
    initiator: Secret,
    listener: Option<Listener>,
    /// Whether the address may also be pasted.
    pub(super) reading: bool,
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
        let redirect_uri = redirect_uri(
            app,
            &wish.platform,
            browse,
            listener.as_ref().map_or(PRINTED_PORT, |listener| listener.port),
        )?;
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

    /// Takes callbacks until one of them ends the flow. One that belongs to another flow does not. One that reports an error without
    /// saying which flow it belongs to may be anybody's, so it does only if none that says so follows.
    async fn ended(&mut self, host: &Host) -> (Option<Arrival>, Result<Completed>) {
        let mut pasted = tokio::io::BufReader::new(tokio::io::stdin()).lines();
        let mut reported: Option<Reported> = None;
        loop {
            let (arrival, query) = tokio::select! {
                biased;
                arrival = arrived(self.listener.as_mut()) => match arrival {
                    Some(arrival) => { let query = arrival.query.clone(); (Some(arrival), query) }
                    None => return (None, Err(Error::Machine("the listener for the redirect stopped".to_owned()))),
                },
                line = pasted.next_line(), if self.reading => match line {
                    Ok(Some(line)) if line.trim().is_empty() => continue,
                    Ok(Some(line)) => (None, query_of(&line)),
                    Ok(None) | Err(_) if self.listener.is_none() && reported.is_none() => {
                        return (None, Err(nothing_pasted()));
                    }
                    Ok(None) | Err(_) => {
                        self.reading = false;
                        continue;
                    }
                },
                error = settled(&mut reported) => {
                    return (None, host.abandon(&self.started).await.and(Err(error.into())));
                }
            };
            match self.origin(&query) {
                Origin::This => return (arrival, host.complete(self.callback(&query)).await),
                Origin::Another => {
                    let ended = host.complete(self.callback(&query)).await;
                    refuse(arrival, ended.err());
                }
                Origin::Unsaid => match host.stateless_error(&self.callback(&query)) {
                    Ok(error) => self.report(arrival, error, &mut reported),
                    Err(error) => refuse(arrival, Some(error)),
                },
            }
        }
    }

    /// Shows an error that may be this flow's, and keeps the first.
    fn report(&self, arrival: Option<Arrival>, error: CoreError, reported: &mut Option<Reported>) {
        let text = format!("the platform reported an error without saying which flow it belongs to: {error}");
        if let (Some(arrival), Some(listener)) = (arrival, &self.listener) {
            listener.report(arrival, Page { well: false, title: "Not connected".to_owned(), text: sentence(&text) });
        }
        if reported.is_none() {
            streams::err(text);
            *reported = Some(Reported { error, grace: Box::pin(tokio::time::sleep(GRACE)) });
        }
    }

    /// Which flow a callback belongs to.
    fn origin(&self, query: &str) -> Origin {
        let params = CallbackParams::from_query(query);
        match (params.one("state"), params.one("error")) {
            (Ok(Some(state)), _) if Secret::from(state).digest() == self.started.state_digest => Origin::This,
            (Ok(None), Ok(Some(_))) => Origin::Unsaid,
            _ => Origin::Another,
        }
    }

    fn callback(&self, query: &str) -> Callback {
        Callback {
            platform: self.wish.platform.clone(),
            app: self.wish.app.clone(),
            params: CallbackParams::from_query(query),
            initiator: self.initiator.clone(),
            other_account_allowed: self.wish.other_account,
        }
    }
}

/// Which flow a callback belongs to.
enum Origin {
    /// The one that waits.
    This,
    /// Another one, or none.
    Another,
    /// It reports an error and does not say, as those of some platforms do.
    Unsaid,
}

/// An error that may be the flow's, until one with its state comes.
struct Reported {
    error: CoreError,
    grace: Pin<Box<Sleep>>,
}

/// The error, once its time is over; without one, never.
async fn settled(reported: &mut Option<Reported>) -> CoreError {
    if let Some(reported) = reported {
        reported.grace.as_mut().await;
    }
    match reported.take() {
        Some(reported) => reported.error,
        None => std::future::pending().await,
    }
}

/// Turns a callback away that is no business of the flow that waits: in the browser without a word of it, as anybody may have sent it.
fn refuse(arrival: Option<Arrival>, error: Option<Error>) {
    let error = error.map(|error| error.to_string()).unwrap_or_default();
    match arrival {
        Some(arrival) => {
            tracing::info!(error, "a callback of another flow was turned away");
            arrival.refuse();
        }
        None => streams::err(error),
    }
}

/// A sentence begins with a capital.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
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
