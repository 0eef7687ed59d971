//! An emulator that runs, and a person who connects there.

use std::path::PathBuf;
use std::sync::Arc;

use connector_core::account::Session;
use connector_core::app::App;
use connector_core::emulator::{Consent, Emulator, RunningEmulator, StartEmulator};
use connector_core::grant::Grant;
use connector_core::http::ReqwestTransport;
use connector_core::metrics::Report;
use connector_core::oauth::{
    BeginRequest, CallbackParams, NextStep, PendingFlow, Purpose, RefreshOutcome, RevokeOutcome,
};
use connector_core::testing::FakeClock;
use connector_core::{Context, Error, Scope, Secret, SystemRandom};
use tempfile::TempDir;
use url::Url;

use crate::subject::Subject;
use crate::verdict::{Stop, offered};

/// An emulator that runs with its state in a folder of its own, under a clock that the check moves.
pub(crate) struct Stage<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) emulator: Box<dyn Emulator>,
    pub(crate) running: RunningEmulator,
    pub(crate) cx: Context,
    pub(crate) clock: FakeClock,
    pub(crate) folder: TempDir,
}

impl<'a> Stage<'a> {
    pub(crate) async fn open(subject: &'a Subject) -> Result<Self, Stop> {
        let emulator = offered(subject.linked.emulator(), "it ships no emulator, or was built without it")?;
        let clock = FakeClock::default();
        let cx = Context::new(Arc::new(ReqwestTransport::new()), Arc::new(clock.clone()), Arc::new(SystemRandom));
        let folder = tempfile::tempdir()?;
        let running = emulator.start(options(&cx, state(&folder))?).await?;
        Ok(Self { subject, emulator, running, cx, clock, folder })
    }

    /// Stops the emulator and starts it again on its state.
    pub(crate) async fn restart(self) -> Result<Self, Stop> {
        let Self { subject, emulator, running, cx, clock, folder } = self;
        running.stop().await;
        let running = emulator.start(options(&cx, state(&folder))?).await?;
        Ok(Self { subject, emulator, running, cx, clock, folder })
    }

    /// The configured app, as it is registered at the emulator.
    pub(crate) fn app(&self) -> Result<App, Stop> {
        let mut app = self.subject.app();
        let registered = self.running.info.apps.iter().find(|registered| registered.kind == app.kind);
        let registered = registered.ok_or_else(|| format!("the emulator has no app of the kind {}", app.kind))?;
        app.client_id.clone_from(&registered.client_id);
        app.client_secret = Some(registered.client_secret.clone());
        app.base_urls.clone_from(&self.running.info.base_urls);
        Ok(app)
    }

    /// Who connects: the first of the tour, else of everybody.
    pub(crate) fn person(&self) -> Result<String, Stop> {
        let first = self.emulator.tour().and_then(|tour| tour.people.into_iter().next()).map(|person| person.name);
        let anybody = self.running.info.people.first().map(|person| person.name.clone());
        Ok(first.or(anybody).ok_or("nobody has an account at the emulator")?)
    }

    /// The consent of that person to all but these scopes.
    pub(crate) fn consent(&self, unticked: &[Scope]) -> Result<Consent, Stop> {
        Ok(Consent { person: self.person()?, unticked: unticked.to_vec(), declined: false })
    }

    /// The page a person is sent to.
    pub(crate) async fn begin(&self) -> Result<(Url, PendingFlow), Stop> {
        let app = self.app()?;
        let request = BeginRequest {
            redirect_uri: self.subject.redirect_uri(app.kind)?,
            scopes: app.wanted.requested(),
            purpose: Purpose::Connect,
        };
        let begun = self.subject.connector.oauth().begin(&self.cx, &app, &request).await?;
        match begun.next {
            NextStep::Redirect(url) => Ok((url, begun.pending)),
            _ => Err(Stop::Skipped("its flow does not begin with a redirect")),
        }
    }

    /// What the browser brings back.
    pub(crate) async fn callback(
        &self,
        page: &Url,
        pending: &PendingFlow,
        consent: &Consent,
    ) -> Result<CallbackParams, Stop> {
        let back = self.emulator.consent(&self.cx, page, consent).await?;
        let expected = &pending.redirect_uri;
        assert_eq!((back.origin(), back.path()), (expected.origin(), expected.path()), "the browser is sent elsewhere");
        Ok(CallbackParams::from_query(back.query().unwrap_or_default()))
    }

    /// Ends a flow.
    pub(crate) async fn complete(
        &self,
        pending: &PendingFlow,
        callback: &CallbackParams,
    ) -> Result<Result<Grant, Error>, Stop> {
        Ok(self.subject.connector.oauth().complete(&self.cx, &self.app()?, pending, callback).await)
    }

    /// A whole flow.
    pub(crate) async fn connect(&self, consent: &Consent) -> Result<Result<Grant, Error>, Stop> {
        let (page, pending) = self.begin().await?;
        let callback = self.callback(&page, &pending, consent).await?;
        self.complete(&pending, &callback).await
    }

    /// A grant of everything.
    pub(crate) async fn grant(&self) -> Result<Grant, Stop> {
        Ok(self.connect(&self.consent(&[])?).await??)
    }

    pub(crate) fn session(&self, grant: &Grant) -> Result<Session, Stop> {
        Ok(Session { app: self.app()?, grant: grant.clone() })
    }

    /// Reads the metrics of one of a grant's accounts.
    pub(crate) async fn metrics(&self, grant: &Grant, account_id: &str) -> Result<Result<Report, Error>, Stop> {
        Ok(self.subject.metrics()?.account_metrics(&self.cx, &self.session(grant)?, account_id).await)
    }

    /// The ids of a grant's accounts.
    pub(crate) async fn account_ids(&self, grant: &Grant) -> Result<Vec<String>, Stop> {
        let accounts = self.subject.connector.accounts().accounts(&self.cx, &self.session(grant)?).await?;
        Ok(accounts.into_iter().map(|account| account.id).collect())
    }

    /// Sends the refresh of a grant, and reads the answer.
    pub(crate) async fn refresh(&self, grant: &Grant) -> Result<RefreshOutcome, Stop> {
        let oauth = self.subject.connector.oauth();
        let answer = self.cx.send(oauth.refresh_request(&self.app()?, grant)?).await?;
        Ok(oauth.read_refresh(&answer))
    }

    /// The grant after a refresh that works.
    pub(crate) async fn refreshed(&self, grant: &Grant) -> Result<Grant, Stop> {
        let RefreshOutcome::Refreshed(answer) = self.refresh(grant).await? else {
            return Err("the refresh was refused".into());
        };
        let mut grant = grant.clone();
        grant.take_refreshed(answer)?;
        Ok(grant)
    }

    /// Gives a grant up.
    pub(crate) async fn revoke(&self, grant: &Grant) -> Result<RevokeOutcome, Stop> {
        let oauth = self.subject.connector.oauth();
        let request = oauth.revoke_request(&self.app()?, grant)?;
        Ok(oauth.read_revoke(&self.cx.send(request).await?))
    }
}

fn state(folder: &TempDir) -> PathBuf {
    folder.path().join("emulator.json")
}

fn options(cx: &Context, state: PathBuf) -> Result<StartEmulator, Stop> {
    let admin_token: Secret = cx.random_token()?;
    Ok(StartEmulator { port: None, state: Some(state), admin_token, cx: cx.clone() })
}
