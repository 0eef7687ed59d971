//! A host that runs takes up a changed configuration, or keeps the one it has and says why.

mod follow;
mod outcome;
mod places;
mod settling;
mod status;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connector_core::Registry;
use connector_core::config::{Change, Config, Key, LayerName, Problem, Problems};
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

pub(crate) use self::outcome::{Outcome, Reloaded, Why};
pub(crate) use self::status::{Counts, Shown};
use self::status::{News, Status};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::layers::ConfigFiles;
use crate::store::{AuditRecord, WHOLE_STORE};

/// How long the store may take to keep a record of a change.
const RECORDED_WITHIN: Duration = Duration::from_secs(5);

/// Reads the configuration anew for a host that runs, and knows what came of it.
pub(crate) struct Reloader {
    host: Host,
    registry: Registry,
    files: Mutex<ConfigFiles>,
    status: Mutex<Status>,
    /// One reads at a time, so that what is read later is taken up later.
    turn: tokio::sync::Mutex<()>,
}

impl Reloader {
    /// For a host that began with this configuration of these files.
    pub(crate) fn new(host: Host, registry: Registry, files: ConfigFiles, layers: &[LayerName]) -> Arc<Self> {
        let status = Mutex::new(Status::new(layers, host.context().now()));
        Arc::new(Self { host, registry, files: Mutex::new(files), status, turn: tokio::sync::Mutex::default() })
    }

    /// Reads all layers anew and checks the whole. What is right is taken up at once; what is not changes nothing.
    pub(crate) async fn reload(&self, why: Why) -> Reloaded {
        let _turn = self.turn.lock().await;
        let files = self.files().settled();
        let read = self.read(files.clone()).await;
        let now = self.host.context().now();
        let (reloaded, changes) = match read {
            Ok(config) => {
                *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
                let changes = self.host.reconfigure(config.settings);
                (Reloaded::taken_up(now, &config.layers, &changes), changes)
            }
            Err(problems) => (Reloaded::refused(now, &problems), Vec::new()),
        };
        let news = self.status.lock().unwrap_or_else(PoisonError::into_inner).take(&reloaded, why);
        tell(&reloaded, why, news);
        self.record(&changes, why).await;
        reloaded
    }

    /// How the configuration stands.
    pub(crate) fn shown(&self) -> Shown {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).shown()
    }

    /// What came of reading it so far.
    pub(crate) fn counts(&self) -> Counts {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).counts()
    }

    /// The files to read.
    pub(crate) fn files(&self) -> ConfigFiles {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A disk may let its reader wait, and the host's work goes on meanwhile.
    async fn read(&self, files: ConfigFiles) -> Result<Config, Problems> {
        let registry = self.registry.clone();
        spawn_blocking(move || files.load(&registry)).await.unwrap_or_else(|_| Err(failed_inside()))
    }

    /// Puts a change on record.
    async fn record(&self, changes: &[Change], why: Why) {
        if changes.is_empty() {
            return;
        }
        let kept = timeout(RECORDED_WITHIN, self.append(changes, why)).await;
        let kept = kept.unwrap_or_else(|_| Err(Error::Machine("the store does not answer".to_owned())));
        if let Err(error) = kept {
            tracing::warn!(%error, "the change of the configuration is not on record");
        }
    }

    async fn append(&self, changes: &[Change], why: Why) -> Result<()> {
        self.host.store().check_ours().await?;
        let lines: Vec<String> = changes.iter().map(Change::to_string).collect();
        let record = AuditRecord::new(self.host.context(), WHOLE_STORE, "configuration_changed")?;
        let record = record.with(&json!({ "because": why.as_str(), "changes": lines }));
        Ok(self.host.store().append_audit(&record).await?)
    }
}

fn failed_inside() -> Problems {
    let message = "reading the configuration failed inside; please report it".to_owned();
    Problem { layer: LayerName::new("configuration"), key: Key::default(), message }.into()
}

/// Says what came of it, one line for each thing. What was said before is not said again.
fn tell(reloaded: &Reloaded, why: Why, news: News) {
    let why = why.as_str();
    match (reloaded.outcome, news) {
        (Outcome::Refused, News::Nothing) => tracing::debug!(why, "the configuration is still refused"),
        (Outcome::Refused, _) => {
            for mistake in &reloaded.problems {
                tracing::error!(why, "the configuration is refused, and the one before stays in use: {mistake}");
            }
        }
        (_, News::Nothing) => tracing::debug!(why, "the configuration was read again and says the same"),
        (outcome, news) => {
            for change in &reloaded.changes {
                tracing::info!(why, "the configuration changed: {change}");
            }
            let (layers, healed) = (reloaded.layers.join(", "), matches!(news, News::Healed));
            tracing::info!(why, outcome = outcome.as_str(), healed, layers, "the configuration was read again");
        }
    }
}
