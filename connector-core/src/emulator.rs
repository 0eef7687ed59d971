//! What a connector's local stand-in for its platform offers, so that everything runs without an account anywhere.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

use crate::app::AppKind;
use crate::grant::BaseUrls;
use crate::{Context, Result, Scope, Secret};

/// A wire-faithful local stand-in for a platform, shipped by its connector.
#[async_trait]
pub trait Emulator: fmt::Debug + Send + Sync {
    /// Starts it on loopback.
    ///
    /// # Errors
    /// When the port is taken or the state cannot be read or written.
    async fn start(&self, options: StartEmulator) -> Result<RunningEmulator>;

    /// Walks the consent page as a person's browser would and gives the URL the browser is sent back to.
    ///
    /// # Errors
    /// When the page refuses the request, with what the page says.
    async fn consent(&self, cx: &Context, authorize_url: &Url, consent: &Consent) -> Result<Url>;

    /// The story that `demo` plays, if there is one.
    fn tour(&self) -> Option<Tour> {
        None
    }
}

/// How an emulator is to be started.
#[derive(Clone, Debug)]
pub struct StartEmulator {
    /// The port on 127.0.0.1. `None` takes the one in the state, else a free one.
    pub port: Option<u16>,
    /// Where its state persists. Nothing in it can be used as a token. `None` keeps it in memory.
    pub state: Option<PathBuf>,
    /// What the admin routes ask for as a bearer token. Fresh for every run.
    pub admin_token: Secret,
    /// Its clock and randomness.
    pub cx: Context,
}

/// What there is to know of a running emulator.
#[derive(Clone, Debug)]
pub struct EmulatorInfo {
    /// Its origin. Opened in a browser it says what it is.
    pub origin: Url,
    /// The base URLs that a connector uses in place of the platform's own.
    pub base_urls: BaseUrls,
    /// The apps registered there.
    pub apps: Vec<EmulatedApp>,
    /// The people who have accounts there.
    pub people: Vec<Person>,
}

/// An app registered at an emulator. Its secret protects nothing.
#[derive(Clone, Debug)]
pub struct EmulatedApp {
    /// Its name there.
    pub name: String,
    /// What it is registered as.
    pub kind: AppKind,
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

/// Somebody with an account at an emulator.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who to consent as.
    pub name: String,
    /// What is particular about the account.
    pub about: String,
}

/// What a person does on the consent page.
#[derive(Clone, Debug, Default)]
pub struct Consent {
    /// Who is logged in, by [`Person::name`].
    pub person: String,
    /// The scopes they untick.
    pub unticked: Vec<Scope>,
    /// Whether they refuse altogether.
    pub declined: bool,
}

/// The story that `demo` plays: connect some people under an app that asks for little, widen the app by configuration, ask again.
#[derive(Clone, Debug)]
pub struct Tour {
    /// What the app asks for at first.
    pub narrow_scopes: Vec<Scope>,
    /// Who connects, in order.
    pub people: Vec<TourPerson>,
}

/// One person of a [`Tour`].
#[derive(Clone, Debug)]
pub struct TourPerson {
    /// Who, by [`Person::name`].
    pub name: String,
    /// What they untick when they are asked again.
    pub unticked: Vec<Scope>,
}

/// An emulator that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningEmulator {
    /// What there is to know of it.
    pub info: EmulatorInfo,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl RunningEmulator {
    /// A server that ends when the sender is used or dropped.
    pub fn new(info: EmulatorInfo, stop: oneshot::Sender<()>, task: JoinHandle<()>) -> Self {
        Self { info, stop, task }
    }

    /// Stops it and waits until its last request is answered.
    pub async fn stop(self) {
        // The server may have ended by itself; then there is nobody to tell.
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the emulator did not stop cleanly");
        }
    }
}
