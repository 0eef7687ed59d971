//! How bytes leave: one trait, its safe implementation, and what wraps it.

mod answer;
mod confined;
mod fence;
mod loopback;
mod partial;
mod request;
mod reqwest;
mod retry;

use async_trait::async_trait;

pub use self::answer::RawAnswer;
pub use self::confined::Confined;
pub use self::fence::{Fence, Network};
pub use self::loopback::is_loopback;
pub use self::partial::{Partial, Sent};
pub use self::request::{Policy, Request, Retries};
pub use self::reqwest::ReqwestTransport;
pub use self::retry::Retry;

/// Sends requests. Deadlines, retries and caps live in implementations and decorators of this trait, never around a connector.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait HttpTransport: Send + Sync {
    /// Sends one request as its [`Policy`] says and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When no whole answer came within the policy's deadline and cap. It says whether the request may have been processed, and holds what
    /// did come of a success: whatever wraps a transport passes that on.
    async fn send(&self, request: Request) -> Result<::http::Response<Vec<u8>>, TransportError>;
}

/// Why no answer came. It names no URL: a query may hold secrets.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// Whether the request may have reached the platform.
    pub reach: Reach,
    /// What stood in the way.
    pub cause: Cause,
    /// What happened, in words, with the host's name at most.
    pub message: String,
    /// What had come of a success by then. It may hold tokens that exist nowhere else.
    pub partial: Option<Box<Partial>>,
}

impl TransportError {
    /// A failure before anything came.
    pub fn new(reach: Reach, cause: Cause, message: impl Into<String>) -> Self {
        Self { reach, cause, message: message.into(), partial: None }
    }

    /// The same failure after this much of an answer.
    #[must_use]
    pub fn after(self, answer: ::http::Response<Vec<u8>>) -> Self {
        Self { partial: Partial::of(answer), ..self }
    }
}

/// What stood in the way of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The machine's own set-up: waiting will not help.
    Machine,
    /// The deadline passed.
    Deadline,
    /// The connection failed or broke, or the answer was too large.
    Exchange,
}

/// Whether a failed request may have been processed. A token request that may have been sent must not be repeated lightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// No byte left this machine.
    NotSent,
    /// Bytes may have left.
    MaybeSent,
}

impl From<TransportError> for crate::Error {
    /// An error is for people: what had come of an answer does not go along.
    fn from(mut error: TransportError) -> Self {
        error.partial = None;
        let at_fault = error.cause == Cause::Machine;
        let kind = if at_fault { crate::ErrorKind::Config } else { crate::ErrorKind::Unavailable };
        Self::new(kind, error.message.clone()).with_source(error)
    }
}
