//! Whether the host does its work.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use connector_core::Context;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::board::Failed;
use super::{Told, in_time};
use crate::host::Host;
use crate::moment::Moment;
use crate::reload::Shown;
use crate::store::StoreError;

/// A refresh may take a minute, and its answer may have to wait for the store as long again.
const ONE_TURN: Duration = Duration::from_mins(2);

/// For so long a row that was written shows that the store takes more: whoever asks often makes nobody write often.
const WRITTEN_FOR: SignedDuration = SignedDuration::from_secs(10);

/// Whether the host does its work, and what keeps it from that.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct State {
    /// The whole.
    pub(super) ready: bool,
    store: Store,
    /// When the last pass was through. None is, at first.
    last_pass: Option<Pass>,
    /// The latest pass, if it could not go on.
    failed_pass: Option<Failed>,
    /// The configuration in use, and one that was refused.
    configuration: Shown,
    /// Whether work goes on.
    keeping: bool,
    /// Answers of platforms that the store has not taken yet.
    unsaved_answers: usize,
    /// Whether the host is about to end.
    stopping: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Store {
    reachable: bool,
    /// Whether it is this installation's, as far as that is known.
    ours: Option<bool>,
    /// Whether it has taken a row of late.
    writable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Pass {
    at: Timestamp,
    age_seconds: i64,
}

/// When the store took a row last.
#[derive(Debug, Default)]
pub(super) struct Written(Mutex<Option<Moment>>);

pub(super) async fn state(told: &Told) -> State {
    let (host, board) = (&told.host, &told.board);
    let store = Store::of(host, &told.written).await;
    let now = host.context().now();
    let keeping = board.idle(host.context()).is_some_and(|idle| idle <= patience(told.every));
    let (failed_pass, unsaved_answers, stopping) = (board.failed_pass(), host.unsaved(), board.is_stopping());
    State {
        ready: store.writable && keeping && failed_pass.is_none() && unsaved_answers == 0 && !stopping,
        store,
        last_pass: board.last_pass().map(|at| Pass { at, age_seconds: now.duration_since(at).as_secs().max(0) }),
        failed_pass,
        configuration: told.reloader.shown(),
        keeping,
        unsaved_answers,
        stopping,
    }
}

impl Store {
    /// What a look at it shows. Another installation's store is not written to.
    async fn of(host: &Host, written: &Written) -> Self {
        let not = |reachable, ours, error| Self { reachable, ours, writable: false, error: Some(error) };
        match in_time(host.store().check_ours()).await {
            Ok(Ok(())) => {}
            Ok(Err(error @ StoreError::NotOurs { .. })) => return not(true, Some(false), error.to_string()),
            Ok(Err(error)) => return not(false, None, error.to_string()),
            Err(late) => return not(false, None, late),
        }
        match written.write(host).await {
            Ok(()) => Self { reachable: true, ours: Some(true), writable: true, error: None },
            Err(error) => not(true, Some(true), error),
        }
    }
}

impl Written {
    /// Writes a row, unless one was written just now.
    async fn write(&self, host: &Host) -> Result<(), String> {
        let cx = host.context();
        if self.is_recent(cx) {
            return Ok(());
        }
        in_time(host.store().note_alive(cx.now())).await?.map_err(|error| error.to_string())?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Moment::now(cx));
        Ok(())
    }

    fn is_recent(&self, cx: &Context) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().and_then(|last| last.elapsed(cx)).is_some_and(|elapsed| elapsed < WRITTEN_FOR)
    }
}

/// For how long nothing may happen.
fn patience(every: Duration) -> SignedDuration {
    SignedDuration::try_from(every * 3 + ONE_TURN).unwrap_or(SignedDuration::MAX)
}
