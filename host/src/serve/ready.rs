//! Whether the host does its work.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Told;

/// A refresh may take a minute, and its answer may have to wait for the store as long again.
const ONE_TURN: Duration = Duration::from_mins(2);

/// Whether the host does its work, and what keeps it from that.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct State {
    /// The whole.
    pub(super) ready: bool,
    store: Store,
    /// When the last pass was through. None is, at first.
    last_pass: Option<Pass>,
    /// Whether passes go on.
    keeping: bool,
    /// Answers of platforms that the store has not taken yet.
    unsaved_answers: usize,
    /// Whether the host is about to end.
    stopping: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Store {
    reachable: bool,
    writable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Pass {
    at: Timestamp,
    age_seconds: i64,
}

pub(super) async fn state(told: &Told) -> State {
    let (host, board) = (&told.host, &told.board);
    let store = store(told).await;
    let now = host.context().now();
    let keeping = now.duration_since(board.beat()) <= patience(told.every);
    let (unsaved_answers, stopping) = (host.unsaved(), board.is_stopping());
    State {
        ready: store.reachable && store.writable && keeping && unsaved_answers == 0 && !stopping,
        store,
        last_pass: board.last_pass().map(|at| Pass { at, age_seconds: now.duration_since(at).as_secs().max(0) }),
        keeping,
        unsaved_answers,
        stopping,
    }
}

async fn store(told: &Told) -> Store {
    let store = told.host.store();
    let read = store.instance_id().await;
    // A write that has to be done now and then anyway.
    let written = store.prune_flows(told.host.context().now()).await;
    let (reachable, writable) = (read.is_ok(), written.is_ok());
    let error = read.err().or(written.err()).map(|error| error.to_string());
    Store { reachable, writable, error }
}

/// For how long nothing may happen.
fn patience(every: Duration) -> SignedDuration {
    SignedDuration::try_from(every * 3 + ONE_TURN).unwrap_or(SignedDuration::MAX)
}
