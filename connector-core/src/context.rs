//! What a call needs from its surroundings: a transport, a clock, randomness. Nothing else in the framework reads them.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use crate::http::{HttpTransport, RawAnswer, Request, TransportError};
use crate::{Error, Result, Secret};

/// Tells the time.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Clock: Send + Sync {
    /// Now, by the wall clock.
    fn now(&self) -> Timestamp;
}

/// Gives bytes nobody can guess.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
pub trait Random: Send + Sync {
    /// Fills the buffer.
    ///
    /// # Errors
    /// When the system has no randomness to give. Nothing may go on with a predictable value instead.
    fn fill(&self, buffer: &mut [u8]) -> Result<()>;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock of the `Context`")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The machine's own randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the randomness of the `Context`")]
    fn fill(&self, buffer: &mut [u8]) -> Result<()> {
        getrandom::fill(buffer).map_err(|error| Error::config(format!("the system gives no randomness: {error}")))
    }
}

/// Handed first to every call that does something. Cloning it is cheap.
#[derive(Clone)]
pub struct Context {
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Context {
    /// A context with the machine's own clock and randomness.
    pub fn system(transport: Arc<dyn HttpTransport>) -> Self {
        Self::new(transport, Arc::new(SystemClock), Arc::new(SystemRandom))
    }

    /// A context of parts.
    pub fn new(transport: Arc<dyn HttpTransport>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { transport, clock, random }
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Fills the buffer with bytes nobody can guess.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn fill_random(&self, buffer: &mut [u8]) -> Result<()> {
        self.random.fill(buffer)
    }

    /// A fresh text of 256 random bits in 43 base64url characters, fit for `state` and for a PKCE verifier (RFC 7636 section 4.1).
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random_token(&self) -> Result<Secret> {
        let mut bytes = [0_u8; 32];
        self.random.fill(&mut bytes)?;
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Sends one request and notes the time before it left, from which lifetimes in the answer count.
    ///
    /// # Errors
    /// When no answer came. Any answer, whatever its status, is an answer.
    pub async fn send(&self, request: Request) -> Result<RawAnswer, TransportError> {
        let sent_at = self.now();
        let (parts, body) = self.transport.send(request).await?.into_parts();
        Ok(RawAnswer { status: parts.status.as_u16(), headers: parts.headers, body, sent_at })
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
