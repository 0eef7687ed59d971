//! One pass over all that is due.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::blocked::Blocked;
use super::due::Want;
use super::{Event, Keep, Kept, Tally};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::refresh::{Because, Renewed};
use crate::store::{DueRefresh, GrantId, GrantRecord};

/// So many grants are read at a time at least.
const PAGE: usize = 500;

/// What a piece of the work ends with.
enum Done {
    Grant(Option<Kept>),
    Revocation { left: bool },
}

/// A pass under way.
struct Pass {
    host: Host,
    keep: Keep,
    pace: Option<Arc<Mutex<Interval>>>,
    blocked: Arc<Blocked>,
    work: JoinSet<Done>,
    seen: HashSet<GrantId>,
    tally: Tally,
}

impl Host {
    /// One pass: reads kept answers again, settles doubts, refreshes all that is due, and tries the revocations that are. A grant has one
    /// turn at most. Any number of processes may do this at the same time.
    ///
    /// # Errors
    /// When the store cannot be read, or is another installation's. What had been begun by then is through.
    pub async fn keep(&self, keep: &Keep) -> Result<Tally> {
        (keep.watch)(&Event::Began);
        let mut pass = Pass::new(self.clone(), keep.clone());
        let read = pass.everything().await;
        while pass.one_done().await {}
        pass.tally.stopped = keep.stop.is_cancelled();
        let outcome = read.map(|()| pass.tally);
        (keep.watch)(&Event::Ended(self.context().now(), outcome.as_ref()));
        outcome
    }
}

impl Pass {
    fn new(host: Host, keep: Keep) -> Self {
        let pace = keep.max_per_second.map(|rate| Arc::new(Mutex::new(ticks(rate.get()))));
        let blocked = Arc::new(Blocked::default());
        Self { host, keep, pace, blocked, work: JoinSet::new(), seen: HashSet::new(), tally: Tally::default() }
    }

    fn turn(&self, due: DueRefresh) -> Turn {
        let (keep, pace, blocked) = (self.keep.clone(), self.pace.clone(), Arc::clone(&self.blocked));
        Turn { host: self.host.pinned(), keep, pace, blocked, due }
    }

    async fn everything(&mut self) -> Result<()> {
        // What a platform has answered is stored whoever the owner is. Everything else is the owner's.
        self.host.replay_spool().await?;
        self.host.store().check_ours().await?;
        let now = self.host.context().now();
        self.host.store().prune_flows(now).await?;
        self.host.store().prune_requests(now).await?;
        let kept = self.host.store().kept_answers().await?;
        self.take(kept).await;
        loop {
            // Those that stay due come again with every page, and twice if they are due for two reasons.
            let limit = PAGE + 2 * self.seen.len();
            let mut page = self.host.due(u32::try_from(limit).unwrap_or(u32::MAX)).await?;
            page.retain(|due| !self.seen.contains(&due.grant));
            if page.is_empty() || self.is_stopped() {
                break;
            }
            self.take(page).await;
        }
        self.revoke().await
    }

    async fn take(&mut self, page: Vec<DueRefresh>) {
        (self.keep.watch)(&Event::Found(page.len()));
        for due in page {
            self.room().await;
            if self.is_stopped() {
                break;
            }
            if self.seen.insert(due.grant.clone()) {
                let turn = self.turn(due);
                self.work.spawn(async move { Done::Grant(turn.take().await) });
            }
        }
    }

    async fn revoke(&mut self) -> Result<()> {
        self.host.store().check_ours().await?;
        let now = self.host.context().now();
        for job in self.host.store().revocations_due(now).await? {
            self.room().await;
            if self.is_stopped() {
                break;
            }
            let host = self.host.pinned();
            self.work.spawn(async move {
                host.revoke_or_wait(&job).await;
                let left = host.store().revocation_of(&job.grant_id).await;
                Done::Revocation { left: !matches!(left, Ok(None)) }
            });
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.keep.stop.is_cancelled()
    }

    /// Waits until one more may begin.
    async fn room(&mut self) {
        while self.work.len() >= self.keep.max_in_flight.get() && self.one_done().await {}
    }

    /// Waits for one piece of the work. False when none is under way.
    async fn one_done(&mut self) -> bool {
        let Some(done) = self.work.join_next().await else { return false };
        self.count(&done);
        true
    }

    fn count(&mut self, done: &Result<Done, JoinError>) {
        match done {
            Ok(Done::Grant(Some(kept))) => self.tally.add(*kept),
            Ok(Done::Grant(None)) => {}
            Ok(Done::Revocation { left }) => {
                self.tally.revocations += 1;
                self.tally.revocations_left += u64::from(*left);
                (self.keep.watch)(&Event::Revoked { left: *left });
            }
            Err(_) => self.tally.add(Kept::Failed),
        }
    }
}

fn ticks(per_second: u32) -> Interval {
    let mut ticks = interval(Duration::from_secs(1) / per_second.clamp(1, Keep::MOST_PER_SECOND));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The turn of one grant.
struct Turn {
    host: Host,
    keep: Keep,
    pace: Option<Arc<Mutex<Interval>>>,
    blocked: Arc<Blocked>,
    due: DueRefresh,
}

impl Turn {
    /// `None` when the pass was stopped before anything was begun.
    async fn take(self) -> Option<Kept> {
        let grant = match self.host.store().grant(&self.due.tenant, &self.due.grant).await {
            Ok(Some(grant)) => grant,
            Ok(None) => return Some(self.done(None, Kept::Elsewhere, None)),
            Err(error) => return Some(self.done(None, Kept::Failed, Some(&error.into()))),
        };
        match self.host.want(&self.due, &grant) {
            Want::Refresh => self.refresh(&grant).await,
            Want::Nothing => Some(self.done(Some(&grant), Kept::Elsewhere, None)),
            Want::NothingToGain => Some(self.done(Some(&grant), Kept::NothingToGain, None)),
        }
    }

    async fn refresh(&self, grant: &GrantRecord) -> Option<Kept> {
        (self.keep.watch)(&Event::Due { due: &self.due });
        if let Some(kept) = self.blocked.get(&self.host, grant) {
            return Some(self.done(Some(grant), kept, None));
        }
        // The first grant of an app that cannot be used says so for all of them, and none waits for a slot.
        if let Err(error) = self.host.app_of(grant) {
            let news = self.blocked.add(&self.host, grant, Kept::AppRefused);
            return Some(self.done(Some(grant), Kept::AppRefused, news.then_some(&error)));
        }
        tokio::select! {
            biased;
            () = self.keep.stop.cancelled() => return None,
            () = self.slot() => {}
        }
        match self.host.refresh_to_end(grant, Because::Expiring).await {
            Ok((Renewed::Here, _)) => Some(self.done(Some(grant), Kept::Refreshed, None)),
            Ok((Renewed::Elsewhere, _)) => Some(self.done(Some(grant), Kept::Elsewhere, None)),
            Err(error) => {
                let after = self.host.store().grant(&grant.tenant, &grant.id).await.ok().flatten();
                let kept = Kept::of(&error, grant, after.as_ref());
                self.blocked.learn(&self.host, grant, &error).await;
                Some(self.done(Some(grant), kept, Some(&error)))
            }
        }
    }

    /// Waits for the moment at which one more may begin.
    async fn slot(&self) {
        if let Some(pace) = &self.pace {
            pace.lock().await.tick().await;
        }
    }

    fn done(&self, grant: Option<&GrantRecord>, kept: Kept, error: Option<&Error>) -> Kept {
        if let Some(error) = error {
            tracing::warn!(grant = %self.due.grant, outcome = kept.as_str(), %error, "a grant that is due was not refreshed");
        } else {
            tracing::debug!(grant = %self.due.grant, outcome = kept.as_str(), "a grant that was due");
        }
        (self.keep.watch)(&Event::Done { due: &self.due, grant, kept, error });
        kept
    }
}
