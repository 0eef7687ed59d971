use std::fmt;

use ::http::Response;
use jiff::Timestamp;

use super::{RawAnswer, TransportError};

/// What had come of a success when the exchange broke off: the head, and as much of the body as was read. `Debug` shows neither headers nor
/// body.
#[derive(Clone)]
pub struct Partial(Response<Vec<u8>>);

impl Partial {
    /// This much of an answer. `None` unless its status is 2xx: nothing of any other is worth keeping.
    pub fn of(answer: Response<Vec<u8>>) -> Option<Box<Self>> {
        answer.status().is_success().then(|| Box::new(Self(answer)))
    }

    /// The part, as if it were the whole.
    pub(crate) fn into_answer(self, sent_at: Timestamp) -> RawAnswer {
        RawAnswer::of(self.0, sent_at)
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, bytes) = (self.0.status().as_u16(), self.0.body().len());
        f.debug_struct("Partial").field("status", &status).field("bytes", &bytes).finish_non_exhaustive()
    }
}

/// What came of a request that is sent once, whatever happens.
#[derive(Debug)]
pub enum Sent {
    /// A whole answer, whatever its status.
    Answered(RawAnswer),
    /// A success whose end did not come. What did come may hold all that matters, so it is read before it is given up.
    CutOff(RawAnswer, TransportError),
    /// No answer.
    Failed(TransportError),
}

impl Sent {
    pub(crate) fn of(outcome: Result<Response<Vec<u8>>, TransportError>, sent_at: Timestamp) -> Self {
        match outcome {
            Ok(answer) => Self::Answered(RawAnswer::of(answer, sent_at)),
            Err(mut error) => match error.partial.take() {
                Some(partial) => Self::CutOff(partial.into_answer(sent_at), error),
                None => Self::Failed(error),
            },
        }
    }
}
