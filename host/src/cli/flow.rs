//! A flow of the command line: it waits for the person to come back.

use std::pin::Pin;
use std::time::Duration;

use connector_core::app::{App, PlatformId};
use connector_core::oauth::CallbackParams;
use connector_core::scope::list_scopes;
use connector_core::{AppKind, Error as CoreError, Secret};
use jiff::SignedDuration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};
use tokio::time::Sleep;
use url::Url;

use super::args::Browse;
use super::browser;
use super::listener::{Again, Arrival, Listener, Page};
use super::output::Output;
use super::redirect::{PRINTED_PORT, fixed_uri, redirect_uri};
use super::streams;
use super::told::page;
use crate::error::{Error, Result};
use crate::flow::{Asking, Callback, CameTo, Completed, ConnectRequest, Started};
use crate::host::Host;
use crate::redirect::{callback_path, local_port};
use crate::store::ConnectionId;

/// How long a callback that says which flow it belongs to may follow one that does not.
const GRACE: Duration = Duration::from_secs(3);

/// What a command wants connected.
pub(super) struct Wish {
    pub(super) reference: Option<String>,
    pub(super) reconnects: Option<ConnectionId>,
    pub(super) other_account: bool,
}

/// The flows of one app in this process: they wait for the redirect on loopback, or for its address on standard input.
pub(super) struct Flows {
    tenant: String,
    platform: PlatformId,
    app: String,
    redirect_uri: Url,
    initiator: Secret,
    listener: Option<Listener>,
    waiting: Vec<Waiting>,
    pasted: Lines<BufReader<Stdin>>,
    /// Whether the address may also be pasted.
    pub(super) reading: bool,
}

/// A flow that waits.
struct Waiting {
    started: Started,
    wish: Wish,
    /// What the platform refused before, where this one asks for less.
    refused: Option<Error>,
}

/// A flow that has ended, and the browser that is to be shown how.
pub(super) struct Ended {
    pub(super) wish: Wish,
    pub(super) outcome: Result<Completed>,
    arrival: Option<Arrival>,
}

/// Sends one person to the platform, and waits until they are back.
pub(super) async fn walk(
    host: &Host,
    tenant: &str,
    platform: &PlatformId,
    wish: Wish,
    app: &App,
    browse: &Browse,
    output: Output,
) -> Result<Completed> {
    let mut flows = Flows::open(host, tenant, platform, app, browse).await?;
    browser::send(&flows.begin(host, wish).await?, !browse.no_browser, output);
    if flows.reading {
        output.note("Then come back. The address the browser ends at may also be pasted here.");
    }
    flows.wait(host, output).await
}

impl Flows {
    /// Listens for the redirects of an app's flows, if that can be done here.
    pub(super) async fn open(
        host: &Host,
        tenant: &str,
        platform: &PlatformId,
        app: &App,
        browse: &Browse,
    ) -> Result<Self> {
        let fixed = fixed_uri(app, browse);
        let port = fixed.as_ref().and_then(local_port);
        let listener = match (&fixed, port) {
            (Some(uri), Some(port)) => Some(Listener::open(Some(port), uri.path()).await?),
            (Some(_), None) => None,
            (None, _) if app.kind == AppKind::Web => None,
            (None, _) => Some(Listener::open(browse.port, &callback_path(platform, &app.name)).await?),
        };
        let port = listener.as_ref().map_or(PRINTED_PORT, |listener| listener.port);
        Ok(Self {
            tenant: tenant.to_owned(),
            platform: platform.clone(),
            app: app.name.clone(),
            redirect_uri: redirect_uri(app, platform, browse, port)?,
            initiator: host.context().random_token()?,
            reading: browse.no_browser || listener.is_none(),
            listener,
            waiting: Vec::new(),
            pasted: BufReader::new(tokio::io::stdin()).lines(),
        })
    }

    /// Whether redirects come here by themselves.
    pub(super) fn listens(&self) -> bool {
        self.listener.is_some()
    }

    /// Whether a flow still waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Starts a flow, and says where its person goes.
    pub(super) async fn begin(&mut self, host: &Host, wish: Wish) -> Result<Url> {
        let request = ConnectRequest {
            tenant: self.tenant.clone(),
            reference: wish.reference.clone(),
            platform: self.platform.clone(),
            app: self.app.clone(),
            redirect_uri: self.redirect_uri.clone(),
            reconnects: wish.reconnects.clone(),
            initiator: self.initiator.clone(),
            asking: Asking::Everything,
        };
        self.start(host, request, wish, None).await
    }

    async fn start(&mut self, host: &Host, request: ConnectRequest, wish: Wish, refused: Option<Error>) -> Result<Url> {
        let started = host.connect(request).await?;
        let url = started.authorize_url.clone();
        self.waiting.push(Waiting { started, wish, refused });
        Ok(url)
    }

    /// Waits until the one flow has ended, and shows in the browser how.
    pub(super) async fn wait(mut self, host: &Host, output: Output) -> Result<Completed> {
        let ended = self.next(host, output).await?;
        self.close(ended).await.1
    }

    /// Waits until one of the flows has ended. One that the platform refused because of a scope goes on with an offer to ask for less.
    pub(super) async fn next(&mut self, host: &Host, output: Output) -> Result<Ended> {
        loop {
            let ended = self.ended(host).await?;
            match ended.outcome {
                Err(Error::ScopeRefused(mut refused)) if refused.instead.is_some() => {
                    if let Some(request) = refused.instead.take() {
                        let wish = ended.wish;
                        self.offer(host, *request, wish, Error::ScopeRefused(refused), ended.arrival, output).await?;
                    }
                }
                _ => return Ok(ended),
            }
        }
    }

    /// Starts the flow that asks for less, and says so in the browser and at the terminal: whether to go there is the person's to decide.
    async fn offer(
        &mut self,
        host: &Host,
        request: ConnectRequest,
        wish: Wish,
        refused: Error,
        arrival: Option<Arrival>,
        output: Output,
    ) -> Result<()> {
        let Asking::Less(scopes) = &request.asking else { return Ok(()) };
        let less = list_scopes(scopes);
        output.warn(&refused);
        output.note(format!("Until that is mended it can be asked for less, once: {less}."));
        let text = refused.to_string();
        let url = self.start(host, request, wish, Some(refused)).await?;
        browser::send(&url, false, output);
        if let (Some(arrival), Some(listener)) = (arrival, &self.listener) {
            let again = Some(Again { url: url.into(), text: format!("Ask for less: {less}") });
            let page = Page { again, ..Page::ill("Not connected", sentence(&text)) };
            // The address is for this browser alone, so the page that has it is nowhere that could be guessed.
            listener.show(arrival, page, host.context().random_token()?.expose());
        }
        Ok(())
    }

    /// Shows in the browser how a flow ended, while others go on.
    pub(super) fn show(&self, host: &Host, ended: Ended) -> Result<(Wish, Result<Completed>)> {
        if let (Some(arrival), Some(listener)) = (ended.arrival, &self.listener) {
            listener.show(arrival, page(&ended.outcome), host.context().random_token()?.expose());
        }
        Ok((ended.wish, ended.outcome))
    }

    /// Shows in the browser how the last flow ended, and stops listening.
    pub(super) async fn close(self, ended: Ended) -> (Wish, Result<Completed>) {
        if let Some(listener) = self.listener {
            listener.close(ended.arrival, page(&ended.outcome)).await;
        }
        (ended.wish, ended.outcome)
    }

    /// Takes callbacks until one of them ends a flow, or one has waited too long. One that belongs to no flow here does not. One that reports
    /// an error without saying which flow it belongs to may be anybody's, so it does only if none that says so follows, and no other flow waits.
    async fn ended(&mut self, host: &Host) -> Result<Ended> {
        if self.waiting.is_empty() {
            return Err(Error::Machine("no flow waits".to_owned()));
        }
        let mut patience = Box::pin(tokio::time::sleep(self.patience(host)));
        let mut reported: Option<Reported> = None;
        loop {
            let (arrival, query) = tokio::select! {
                biased;
                arrival = arrived(self.listener.as_mut()) => match arrival {
                    Some(arrival) => { let query = arrival.query.clone(); (Some(arrival), query) }
                    None => return Err(Error::Machine("the listener for the redirect stopped".to_owned())),
                },
                line = self.pasted.next_line(), if self.reading => match line {
                    Ok(Some(line)) if line.trim().is_empty() => continue,
                    Ok(Some(line)) => (None, query_of(&line)),
                    Ok(None) | Err(_) if self.listener.is_none() && reported.is_none() => return Err(nothing_pasted()),
                    Ok(None) | Err(_) => {
                        self.reading = false;
                        continue;
                    }
                },
                error = settled(&mut reported) => {
                    let waiting = self.waiting.remove(0);
                    let outcome = host.end_by(&waiting.started, &self.initiator, error).await;
                    return Ok(waiting.ended(None, outcome.and_then(Err)));
                }
                () = patience.as_mut() => return Ok(self.expired(host)),
            };
            match self.origin(&query) {
                Origin::Of(place) => {
                    let waiting = self.waiting.remove(place);
                    let outcome = host.complete(self.callback(&query, waiting.wish.other_account)).await;
                    return Ok(waiting.ended(arrival, outcome));
                }
                Origin::Another => {
                    let ended = host.complete(self.callback(&query, false)).await;
                    refuse(arrival, ended.err());
                }
                Origin::Unsaid => match host.stateless_error(&self.platform, &CallbackParams::from_query(&query)) {
                    Ok(error) => self.report(arrival, error, &mut reported),
                    Err(error) => refuse(arrival, Some(error)),
                },
            }
        }
    }

    /// How long the flow that ends first still waits.
    fn patience(&self, host: &Host) -> Duration {
        let first = self.waiting.iter().map(|waiting| waiting.started.expires_at).min();
        first.map_or(Duration::ZERO, |at| {
            at.duration_since(host.context().now()).max(SignedDuration::ZERO).unsigned_abs()
        })
    }

    /// Ends the flow that has waited longest. What the platform refused before is more to say than that nobody came back.
    fn expired(&mut self, host: &Host) -> Ended {
        let now = host.context().now();
        let place = self.waiting.iter().position(|waiting| waiting.started.expires_at <= now).unwrap_or_default();
        let mut waiting = self.waiting.remove(place);
        let outcome = Err(waiting.refused.take().unwrap_or_else(nobody_came));
        waiting.ended(None, outcome)
    }

    /// Shows an error that may be a flow's, and keeps the first, where only one flow waits that it may belong to. Whoever brought it may be
    /// anybody, so what is offered instead is told at the terminal alone.
    fn report(&self, arrival: Option<Arrival>, error: CoreError, reported: &mut Option<Reported>) {
        let text = unsaid(&error);
        if reported.is_some() || self.waiting.len() > 1 {
            tracing::info!(%error, "a callback reported an error without saying which flow it belongs to");
            self.tell(arrival, &text);
            return;
        }
        streams::err(&text);
        self.tell(arrival, &text);
        *reported = Some(Reported { error, grace: Box::pin(tokio::time::sleep(GRACE)) });
    }

    fn tell(&self, arrival: Option<Arrival>, text: &str) {
        if let (Some(arrival), Some(listener)) = (arrival, &self.listener) {
            listener.report(arrival, Page::ill("Not connected", sentence(text)));
        }
    }

    /// Which flow a callback belongs to.
    fn origin(&self, query: &str) -> Origin {
        let params = CallbackParams::from_query(query);
        let of = |state: &str| {
            let digest = Secret::from(state).digest();
            self.waiting.iter().position(|waiting| waiting.started.state_digest == digest)
        };
        match (params.one("state"), params.one("error")) {
            (Ok(Some(state)), _) => of(state).map_or(Origin::Another, Origin::Of),
            (Ok(None), Ok(Some(_))) => Origin::Unsaid,
            _ => Origin::Another,
        }
    }

    fn callback(&self, query: &str, other_account_allowed: bool) -> Callback {
        Callback {
            came_to: CameTo::Path { platform: self.platform.clone(), app: self.app.clone() },
            params: CallbackParams::from_query(query),
            initiator: self.initiator.clone(),
            other_account_allowed,
        }
    }
}

impl Waiting {
    fn ended(self, arrival: Option<Arrival>, outcome: Result<Completed>) -> Ended {
        Ended { wish: self.wish, outcome, arrival }
    }
}

/// Which flow a callback belongs to.
enum Origin {
    /// The one of those that wait.
    Of(usize),
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

fn unsaid(error: &CoreError) -> String {
    format!("the platform reported an error without saying which flow it belongs to: {error}")
}

fn nobody_came() -> Error {
    Error::Request("nobody came back within ten minutes; start connecting again".to_owned())
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
