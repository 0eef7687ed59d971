//! Storing what exists nowhere else any more, such as the only working refresh token: a store that fails is tried again, and one that says
//! nothing is asked once more.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Sleep, sleep};

use crate::error::{Error, Result};
use crate::host::{Host, Unsaved};
use crate::moment::Moment;
use crate::store::{GrantId, StoreError};

/// How long a store is tried that must not fail: as long as it takes a person to notice.
const INSIST_FOR: SignedDuration = SignedDuration::from_mins(2);
/// The pause after a failure. It doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A store that has said nothing for so long is asked again, while it may still answer. The time doubles with each.
const FIRST_SILENCE: Duration = Duration::from_secs(12);
/// How often to look at the clock.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// One try.
type Try<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// What a store is asked to do until it has done it. Doing it twice must be the same as doing it once.
pub(crate) struct Insistence<'a, T> {
    host: &'a Host,
    /// Whose it is, for the log.
    grant: GrantId,
    call: Box<dyn Fn() -> Try<'a, T> + Send + 'a>,
    began: Moment,
    tries: Vec<Try<'a, T>>,
    /// Until the next try.
    next: Pin<Box<Sleep>>,
    pause: Duration,
    silence: Duration,
    failed: Option<Error>,
    unsaved: Option<Unsaved>,
}

impl Host {
    /// Does something at the store, for as long as it takes a person to notice that it fails. Doing it twice must be the same as doing it
    /// once.
    ///
    /// # Errors
    /// What the store said last.
    pub(crate) async fn insist<'a, T, F, E>(&'a self, grant: &GrantId, call: impl Fn() -> F + Send + 'a) -> Result<T>
    where
        T: 'a,
        F: Future<Output = Result<T, E>> + Send + 'a,
        E: Into<Error>,
    {
        let mut insistence = self.insistence(grant, call);
        let done = insistence.within(INSIST_FOR).await;
        done.unwrap_or_else(|| Err(insistence.given_up()))
    }

    /// The same for whoever decides on the way how long.
    pub(crate) fn insistence<'a, T, F, E>(
        &'a self,
        grant: &GrantId,
        call: impl Fn() -> F + Send + 'a,
    ) -> Insistence<'a, T>
    where
        T: 'a,
        F: Future<Output = Result<T, E>> + Send + 'a,
        E: Into<Error>,
    {
        let call: Box<dyn Fn() -> Try<'a, T> + Send + 'a> = Box::new(move || {
            let asked = call();
            Box::pin(async move { asked.await.map_err(Into::into) })
        });
        Insistence {
            host: self,
            grant: grant.clone(),
            tries: vec![call()],
            call,
            began: Moment::now(self.context()),
            next: Box::pin(sleep(FIRST_SILENCE)),
            pause: FIRST_PAUSE,
            silence: FIRST_SILENCE * 2,
            failed: None,
            unsaved: None,
        }
    }
}

impl<T> Insistence<'_, T> {
    /// Goes on until it is done, or can never be, or so much time has passed since the beginning: then `None`, and it may go on.
    pub(crate) async fn within(&mut self, limit: SignedDuration) -> Option<Result<T>> {
        loop {
            tokio::select! {
                biased;
                answer = first(&mut self.tries) => match answer {
                    Err(error) if !is_final(&error) => self.fail(error),
                    answer => return Some(answer),
                },
                () = self.next.as_mut() => self.ask(),
                () = sleep(LOOK_EVERY) => {}
            }
            if self.waited() >= limit {
                self.count();
                return None;
            }
        }
    }

    /// Why it was not done in time.
    pub(crate) fn given_up(self) -> Error {
        self.failed.unwrap_or_else(silent)
    }

    fn waited(&self) -> SignedDuration {
        self.began.elapsed(self.host.context()).unwrap_or(SignedDuration::ZERO)
    }

    fn ask(&mut self) {
        if !self.tries.is_empty() {
            self.count();
            tracing::error!(grant = %self.grant, "the store does not answer, and what must not be lost may not be stored yet; asking again");
        }
        self.tries.push((self.call)());
        self.next = Box::pin(sleep(self.silence));
        self.silence = self.silence.saturating_mul(2);
    }

    fn fail(&mut self, error: Error) {
        self.count();
        tracing::error!(grant = %self.grant, %error, "what must not be lost is not stored yet; trying again");
        self.failed = Some(error);
        self.next = Box::pin(sleep(self.pause));
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
    }

    fn count(&mut self) {
        self.unsaved.get_or_insert_with(|| self.host.count_unsaved());
    }
}

impl<T> fmt::Debug for Insistence<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insistence")
            .field("grant", &self.grant)
            .field("tries", &self.tries.len())
            .finish_non_exhaustive()
    }
}

/// A store that said nothing.
pub(crate) fn silent() -> Error {
    StoreError::database("it does not answer").into()
}

/// A failure that no patience mends.
fn is_final(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.is_final())
}

/// The answer of the first try that has one; without any, never.
async fn first<T>(tries: &mut Vec<Try<'_, T>>) -> Result<T> {
    poll_fn(|cx| {
        for index in 0..tries.len() {
            if let Poll::Ready(answer) = tries[index].as_mut().poll(cx) {
                drop(tries.swap_remove(index));
                return Poll::Ready(answer);
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use connector_core::config::Settings;
    use connector_core::testing::{CountingRandom, FakeClock, FakeTransport};
    use connector_core::{Context, Registry};
    use tokio::sync::Notify;

    use super::*;
    use crate::apps::Realm;
    use crate::host::Parts;
    use crate::store::Result;
    use crate::store::testing::MemoryStore;
    use crate::vault::{KeyRing, Vault};

    fn host(clock: &FakeClock) -> Host {
        let random = Arc::new(CountingRandom::default());
        let cx = Context::new(Arc::new(FakeTransport::default()), Arc::new(clock.clone()), random);
        Host::new(Parts {
            registry: Registry::new([]).unwrap(),
            settings: Settings::default(),
            realm: Realm::Live,
            store: Arc::new(MemoryStore::new(&cx).unwrap()),
            vault: Vault::new(KeyRing::generate(&cx).unwrap()),
            spool: None,
            cx,
        })
    }

    fn grant(host: &Host) -> GrantId {
        GrantId::new(host.context()).unwrap()
    }

    /// Asks again at once when the store says nothing.
    fn hastily<T>(mut insistence: Insistence<'_, T>) -> Insistence<'_, T> {
        (insistence.next, insistence.silence) = (Box::pin(sleep(Duration::ZERO)), Duration::from_mins(1));
        insistence
    }

    #[tokio::test]
    async fn a_store_that_says_nothing_is_asked_again_and_may_still_answer() {
        let host = host(&FakeClock::default());
        for answering in [0, 1] {
            let (asked, asked_twice) = (AtomicUsize::new(0), Notify::new());
            let call = || {
                let number = asked.fetch_add(1, Ordering::SeqCst);
                let (unsaved, asked_twice) = (host.unsaved(), &asked_twice);
                async move {
                    if number == 1 {
                        assert_eq!(unsaved, 1, "a second try is on record as a trouble");
                        asked_twice.notify_one();
                    }
                    if number != answering {
                        return pending::<Result<usize>>().await;
                    }
                    asked_twice.notified().await;
                    Ok(number)
                }
            };
            let answered = hastily(host.insistence(&grant(&host), call)).within(INSIST_FOR).await;
            assert!(matches!(answered, Some(Ok(number)) if number == answering), "{answered:?}");
            assert_eq!((asked.into_inner(), host.unsaved()), (2, 0));
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_is_tried_for_as_long_as_was_said() {
        let clock = FakeClock::default();
        let host = host(&clock);
        let failing = || {
            clock.advance(SignedDuration::from_secs(50));
            async { Result::<()>::Err(StoreError::Busy) }
        };
        let grant = grant(&host);
        let mut insistence = host.insistence(&grant, failing);
        assert!(insistence.within(SignedDuration::from_secs(60)).await.is_none());
        assert_eq!(host.unsaved(), 1);
        assert!(matches!(insistence.given_up(), Error::Store(StoreError::Busy)));
        assert!(matches!(host.insist(&grant, failing).await, Err(Error::Store(StoreError::Busy))));
        assert_eq!(host.unsaved(), 0);
    }

    #[tokio::test]
    async fn what_no_patience_mends_ends_at_once() {
        let host = host(&FakeClock::default());
        let conflict = || async { Result::<()>::Err(StoreError::Conflict("it is there".to_owned())) };
        let ended = host.insist(&grant(&host), conflict).await;
        assert!(matches!(ended, Err(Error::Store(StoreError::Conflict(_)))), "{ended:?}");
    }
}
