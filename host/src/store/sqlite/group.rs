//! One transaction for many: what is asked while another one runs waits for the next, and shares it.
//!
//! A commit waits for the disk, whatever it holds. Nobody is answered before theirs is durable, and nobody waits for company: a batch is what
//! came while the batch before was at the disk.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use connector_core::Context;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Transacted;
use super::pool::{Lease, Pool, on_blocking_thread};
use super::transacted::Thread;
use crate::store::sql::{Transaction, Work};
use crate::store::{Result, StoreError};

/// The most pieces of work that share a transaction, so that others get their turn.
const MOST: usize = 128;

/// What waits for the next transaction.
pub(super) struct Group {
    pool: Arc<Pool>,
    cx: Context,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn Job>>,
    /// Whether somebody empties the queue.
    led: bool,
}

type Batch = Vec<Box<dyn Job>>;

/// What became of a batch. Whoever waits for what is over is told when this is dropped, be it with a runtime that ends: nobody hears that
/// nothing was done when it was.
#[derive(Default)]
struct Outcome {
    /// Work that was done or has failed, or what became of its transaction.
    over: Vec<(Box<dyn Job>, Option<StoreError>)>,
    /// Work that has to be done again.
    again: Batch,
}

impl Outcome {
    fn failed(batch: Batch, error: &StoreError) -> Self {
        Self { over: batch.into_iter().map(|job| (job, Some(copy(error)))).collect(), again: Vec::new() }
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        self.over.drain(..).for_each(|(job, failed)| job.answer(failed));
    }
}

impl Group {
    pub(super) fn new(pool: &Arc<Pool>, cx: &Context) -> Arc<Self> {
        Arc::new(Self { pool: Arc::clone(pool), cx: cx.clone(), queue: Mutex::default() })
    }

    /// Does this in a transaction together with whatever else waits, and answers once that is durable. Work that fails, fails alone.
    ///
    /// The batches run in a task of their own: a caller that goes away takes nobody's work along, and its own is done once.
    pub(super) async fn share<W: Work>(self: &Arc<Self>, work: W) -> Result<W::Output> {
        let (tell, told) = oneshot::channel();
        if self.join(Box::new(Waiting { work, done: None, tell })) {
            tokio::spawn(lead(Leading { group: Arc::clone(self), ended: false }));
        }
        told.await.unwrap_or_else(|_| Err(StoreError::database("the transaction was given up; nothing was changed")))
    }

    /// Runs a batch. What fails in it is left out, and the rest has to be done again without it: whatever `SQLite` has undone by then,
    /// nothing of it stays.
    async fn run(&self, lease: Lease, mut batch: Batch) -> Outcome {
        match self.commit(lease, &mut batch).await {
            Ok(None) => {
                let together = batch.len();
                let done = Outcome { over: batch.into_iter().map(|job| (job, None)).collect(), again: Vec::new() };
                tracing::debug!(together, "committed");
                done
            }
            Ok(Some(failed)) => Outcome { over: vec![(batch.remove(failed), None)], again: batch },
            Err(error) => Outcome::failed(batch, &error),
        }
    }

    /// Does all of a batch in one transaction, up to the first one that fails, if one does.
    async fn commit(&self, lease: Lease, batch: &mut Batch) -> Result<Option<usize>> {
        let mut transaction = Transaction::Sqlite(Transacted::begin(&self.cx, lease, Thread::This).await?);
        for (index, job) in batch.iter_mut().enumerate() {
            if !job.run(&mut transaction).await {
                return Ok(Some(index));
            }
        }
        transaction.commit().await?;
        Ok(None)
    }

    /// Adds to the queue. True means that nobody empties it yet, and the caller has to see to that.
    fn join(&self, job: Box<dyn Job>) -> bool {
        let mut queue = self.queue();
        queue.waiting.push_back(job);
        !std::mem::replace(&mut queue.led, true)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a connection and takes whatever is asked by then. A batch changes threads twice, and nothing in it does. Who waits for one that
/// panics is told that it was given up.
async fn lead(mut leading: Leading) {
    let group = Arc::clone(&leading.group);
    loop {
        let lease = group.pool.lease().await;
        let Some(batch) = leading.next() else { return };
        let mut outcome = match lease {
            Ok(lease) => {
                let (group, runtime) = (Arc::clone(&group), Handle::current());
                on_blocking_thread(move || Ok(runtime.block_on(group.run(lease, batch)))).await.unwrap_or_default()
            }
            Err(error) => Outcome::failed(batch, &error),
        };
        leading.go_back(std::mem::take(&mut outcome.again));
    }
}

/// The same error for one more caller.
fn copy(error: &StoreError) -> StoreError {
    match error {
        StoreError::Busy => StoreError::Busy,
        StoreError::NotWritable { place, why } => StoreError::NotWritable { place: place.clone(), why: why.clone() },
        StoreError::Corrupt { what, why } => StoreError::corrupt(what, why),
        StoreError::Database(source) => StoreError::database(source.to_string()),
        other => StoreError::database(other.to_string()),
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}

/// The one who empties the queue.
struct Leading {
    group: Arc<Group>,
    ended: bool,
}

impl Leading {
    fn next(&mut self) -> Option<Batch> {
        let mut queue = self.group.queue();
        let most = MOST.min(queue.waiting.len());
        let batch: Batch = queue.waiting.drain(..most).collect();
        if batch.is_empty() {
            (queue.led, self.ended) = (false, true);
            return None;
        }
        Some(batch)
    }

    /// Puts work back, in front of what came later.
    fn go_back(&self, batch: Batch) {
        let mut queue = self.group.queue();
        batch.into_iter().rev().for_each(|job| queue.waiting.push_front(job));
    }
}

impl Drop for Leading {
    /// One that ends before its time, by a panic or with its runtime, leaves nobody waiting for ever.
    fn drop(&mut self) {
        if !self.ended {
            let mut queue = self.group.queue();
            queue.led = false;
            queue.waiting.clear();
        }
    }
}

/// Work of whatever kind.
#[async_trait]
trait Job: Send {
    /// Does it. False means that it failed.
    async fn run(&mut self, transaction: &mut Transaction) -> bool;

    /// Tells what came of it, or what became of its transaction.
    fn answer(self: Box<Self>, failed: Option<StoreError>);
}

/// Work that somebody waits for.
struct Waiting<W: Work> {
    work: W,
    done: Option<Result<W::Output>>,
    tell: oneshot::Sender<Result<W::Output>>,
}

#[async_trait]
impl<W: Work> Job for Waiting<W> {
    async fn run(&mut self, transaction: &mut Transaction) -> bool {
        self.done.insert(self.work.run(transaction).await).is_ok()
    }

    fn answer(self: Box<Self>, failed: Option<StoreError>) {
        let Self { done, tell, .. } = *self;
        if let Some(answer) = failed.map(Err).or(done) {
            // Whoever has gone away does not need it.
            let _ = tell.send(answer);
        }
    }
}
