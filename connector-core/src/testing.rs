//! Fakes for the tests of a connector or a host, and how large those tests are. Mocks of the traits are generated beside them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ::http::Response;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

pub use crate::account::MockAccounts;
pub use crate::context::{MockClock, MockRandom};
pub use crate::http::MockHttpTransport;
pub use crate::metrics::MockAccountMetrics;
pub use crate::oauth::MockOAuthProvider;

use crate::account::Accounts;
use crate::connector::Connector;
use crate::context::{Clock, Context, Random, SinceBoot};
use crate::http::{Cause, HttpTransport, Reach, Request, TransportError};
use crate::metrics::AccountMetrics;
use crate::oauth::OAuthProvider;

type Answer = Result<Response<Vec<u8>>, TransportError>;

/// A transport that answers from a queue and remembers what it was sent.
#[derive(Clone, Debug, Default)]
pub struct FakeTransport {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    sent: Arc<Mutex<Vec<Request>>>,
}

impl FakeTransport {
    /// Answers the next request with this status and body.
    pub fn answer(&self, status: u16, body: impl Into<Vec<u8>>) -> &Self {
        let mut answer = Response::new(body.into());
        *answer.status_mut() = ::http::StatusCode::from_u16(status).unwrap_or_default();
        lock(&self.answers).push_back(Ok(answer));
        self
    }

    /// Fails the next request.
    pub fn fail(&self, reach: Reach, message: &str) -> &Self {
        lock(&self.answers).push_back(Err(TransportError::new(reach, Cause::Exchange, message)));
        self
    }

    /// Breaks off the next answer, a success, after this much of its body.
    pub fn break_off(&self, body: impl Into<Vec<u8>>) -> &Self {
        let broken = TransportError::new(Reach::MaybeSent, Cause::Exchange, "the exchange broke off");
        lock(&self.answers).push_back(Err(broken.after(Response::new(body.into()))));
        self
    }

    /// The requests so far, oldest first.
    pub fn sent(&self) -> Vec<Request> {
        lock(&self.sent).clone()
    }

    /// A context with this transport, a clock that stands at `2026-11-22T12:00:00Z`, and counting randomness.
    pub fn context(&self) -> Context {
        Context::new(Arc::new(self.clone()), Arc::new(FakeClock::default()), Arc::new(CountingRandom::default()))
    }
}

#[async_trait]
impl HttpTransport for FakeTransport {
    async fn send(&self, request: Request) -> Result<Response<Vec<u8>>, TransportError> {
        lock(&self.sent).push(request);
        let none =
            || Err(TransportError::new(Reach::NotSent, Cause::Exchange, "the fake transport has no answer left"));
        lock(&self.answers).pop_front().unwrap_or_else(none)
    }
}

/// A clock that moves when it is told to. Clones are one clock.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Mutex<Times>>);

#[derive(Debug)]
struct Times {
    wall: Timestamp,
    boot: u32,
    elapsed: SignedDuration,
}

impl FakeClock {
    /// A clock that stands at this time, of a machine that has just started.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Times { wall: now, boot: 1, elapsed: SignedDuration::ZERO })))
    }

    /// Time passes: the wall clock and the time since the machine's start move. The latter never moves back.
    pub fn advance(&self, by: SignedDuration) {
        self.jump(by);
        let mut times = lock(&self.0);
        times.elapsed = times.elapsed.saturating_add(by.max(SignedDuration::ZERO));
    }

    /// Somebody sets the wall clock, forward or back. No time passes.
    pub fn jump(&self, by: SignedDuration) {
        let mut times = lock(&self.0);
        times.wall = times.wall.saturating_add(by).unwrap_or(times.wall);
    }

    /// The machine starts anew, in no time.
    pub fn reboot(&self) {
        let mut times = lock(&self.0);
        times.boot += 1;
        times.elapsed = SignedDuration::ZERO;
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::at(Timestamp::constant(1_795_348_800, 0))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        lock(&self.0).wall
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        let times = lock(&self.0);
        Some(SinceBoot { boot: format!("boot-{}", times.boot), elapsed: times.elapsed })
    }
}

/// Randomness that counts, so that a test can say what it gives and still no value repeats.
#[derive(Debug, Default)]
pub struct CountingRandom(Mutex<u64>);

impl Random for CountingRandom {
    fn fill(&self, buffer: &mut [u8]) -> crate::Result<()> {
        let mut count = lock(&self.0);
        *count += 1;
        buffer.fill(0);
        for (byte, digit) in buffer.iter_mut().zip(count.to_be_bytes().iter().rev()) {
            *byte = *digit;
        }
        Ok(())
    }
}

/// A connector of mocks. An accessor trait cannot be mocked itself.
///
/// ```
/// use connector_core::Connector;
/// use connector_core::oauth::{RefreshClass, RevocationClass};
/// use connector_core::testing::{FakeConnector, MockAccountMetrics};
///
/// let mut connector = FakeConnector::default();
/// connector.oauth.expect_refresh_class().return_const(RefreshClass::NonRotating);
/// connector.oauth.expect_revocation().return_const(RevocationClass::NotOffered);
/// connector.accounts.expect_accounts().returning(|_, _| Ok(Vec::new()));
/// assert!(connector.account_metrics().is_none());
///
/// connector.account_metrics = Some(MockAccountMetrics::new());
/// assert!(connector.account_metrics().is_some());
/// assert_eq!(connector.oauth().refresh_class(), RefreshClass::NonRotating);
/// ```
#[derive(Default)]
pub struct FakeConnector {
    /// Its provider.
    pub oauth: MockOAuthProvider,
    /// Its accounts.
    pub accounts: MockAccounts,
    /// Its metrics, if it has any.
    pub account_metrics: Option<MockAccountMetrics>,
}

impl std::fmt::Debug for FakeConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeConnector").finish_non_exhaustive()
    }
}

impl Connector for FakeConnector {
    fn oauth(&self) -> &dyn OAuthProvider {
        &self.oauth
    }

    fn accounts(&self) -> &dyn Accounts {
        &self.accounts
    }

    fn account_metrics(&self) -> Option<&dyn AccountMetrics> {
        self.account_metrics.as_ref().map(|metrics| metrics as &dyn AccountMetrics)
    }
}

/// How large a test is: as large as this variable of the environment says, else short, as when all tests run.
///
/// # Panics
/// When the variable holds no number.
pub fn size(variable: &str, short: usize) -> usize {
    let Ok(text) = std::env::var(variable) else { return short };
    let size = text.replace('_', "").parse();
    assert!(size.is_ok(), "{variable} is to be a number, and is `{text}`");
    size.unwrap_or(short)
}

/// A poisoned lock means that a test has failed already; its data is still good enough to say why.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
