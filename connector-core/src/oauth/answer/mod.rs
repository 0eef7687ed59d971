//! Reading what a token endpoint answers. The body decides before the status does.
//!
//! In an object that has a key twice, the last one counts, here as everywhere.

mod spare;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::spare::holds_refresh_token;
use crate::grant::{TokenAnswer, TokenSet};
use crate::http::{RawAnswer, TransportError};
use crate::platform::{OAuthErrors, TokenPointers};
use crate::scope::{Granted, GrantedSource, read_scopes};
use crate::text::{shown, words};
use crate::{Error, ErrorKind, Secret};

/// What the answer to a refresh means for the grant.
#[derive(Debug)]
pub enum RefreshOutcome {
    /// New tokens came. They are stored before anything else happens.
    Refreshed(TokenAnswer),
    /// A success that cannot be read as a whole, with what looks like a refresh token in it. That may be the only one that works: the answer
    /// is kept as it came, until somebody can read it, and the token that was sent is not sent again.
    Unreadable(Error),
    /// The platform rejected the refresh token: the person has to connect again, unless somebody else refreshed meanwhile.
    Rejected(Error),
    /// The platform rejected the app, not the grant: an operator has to act, and no connection changes.
    AppFault(Error),
    /// The platform rejected the request as such: it was not processed, and repeating it changes nothing.
    Refused(Error),
    /// It was not processed; later is better.
    NotProcessed(Error),
    /// It may have been processed: the token that was sent may be spent. The answer holds nothing to keep.
    InDoubt(Error),
}

/// What an error code of RFC 6749 section 5.2 says about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Grant,
    App,
    Request,
    Person,
    Passing,
}

/// The standard's codes; a platform's own are classed by the HTTP status.
const FAILURES: [(&str, Failure); 9] = [
    ("invalid_grant", Failure::Grant),
    ("invalid_client", Failure::App),
    ("unauthorized_client", Failure::App),
    ("invalid_request", Failure::Request),
    ("invalid_scope", Failure::Request),
    ("unsupported_grant_type", Failure::Request),
    ("access_denied", Failure::Person),
    ("server_error", Failure::Passing),
    ("temporarily_unavailable", Failure::Passing),
];

/// What an answer is, before it is known what it answers.
enum Reading {
    Tokens(Box<TokenAnswer>),
    /// A code, classed if it is a standard one.
    Failed(Option<Failure>, Error),
    /// 2xx, and neither tokens nor an error code.
    Unreadable(Error),
    /// Not 2xx, and no error code.
    Status(Error),
}

/// Reads token answers by the platform's pointers.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenReader<'a> {
    pointers: &'a TokenPointers,
    errors: &'a OAuthErrors,
}

impl RefreshOutcome {
    /// What an answer means whose end did not come: tokens count if they are all there, in a text that is whole; what may hold a refresh
    /// token is kept; whatever else it says is not believed.
    #[must_use]
    pub fn of_cut_off(self, answer: &RawAnswer, error: TransportError) -> Self {
        match self {
            Self::Refreshed(tokens) if answer.json().is_some() => Self::Refreshed(tokens),
            Self::Refreshed(_) | Self::Unreadable(_) => Self::Unreadable(error.into()),
            _ => Self::InDoubt(error.into()),
        }
    }
}

impl<'a> TokenReader<'a> {
    /// A reader for the platform's pointers.
    pub(super) fn new(pointers: &'a TokenPointers, errors: &'a OAuthErrors) -> Self {
        Self { pointers, errors }
    }

    /// Reads the answer to a code exchange.
    ///
    /// # Errors
    /// What the person or the operator should do.
    pub(super) fn exchange(&self, answer: &RawAnswer) -> Result<TokenAnswer, Error> {
        let (kind, what, error) = match self.read(answer) {
            Reading::Tokens(tokens) => return Ok(*tokens),
            Reading::Failed(failure, error) => {
                let (kind, what) = exchange_failure(failure, answer);
                (kind, what, error)
            }
            Reading::Unreadable(error) => {
                (ErrorKind::Protocol, "the platform answered the code with something unreadable", error)
            }
            Reading::Status(error) => {
                (answer.status_kind(), "the platform did not exchange the code; start connecting again", error)
            }
        };
        Err(error.with_kind(kind).context(what))
    }

    /// Reads the answer to a refresh.
    pub(super) fn refresh(&self, answer: &RawAnswer) -> RefreshOutcome {
        let outcome = self.outcome(answer);
        let partly_read = match &outcome {
            RefreshOutcome::InDoubt(_) => true,
            RefreshOutcome::Refreshed(read) => read.tokens.refresh.is_none(),
            _ => false,
        };
        let spare = partly_read && answer.is_success() && holds_refresh_token(answer, &self.pointers.refresh_token);
        match outcome {
            RefreshOutcome::InDoubt(error) if spare => RefreshOutcome::Unreadable(error),
            RefreshOutcome::Refreshed(_) if spare => RefreshOutcome::Unreadable(Error::protocol(
                "the platform answered with a refresh token in a place where the connector does not look for one",
            )),
            outcome => outcome,
        }
    }

    fn outcome(&self, answer: &RawAnswer) -> RefreshOutcome {
        match self.read(answer) {
            Reading::Tokens(tokens) => RefreshOutcome::Refreshed(*tokens),
            Reading::Unreadable(error) => RefreshOutcome::InDoubt(error),
            Reading::Status(error) => by_status(answer, error),
            Reading::Failed(failure, error) => match failure {
                Some(Failure::Grant) => RefreshOutcome::Rejected(
                    error.with_kind(ErrorKind::ReauthRequired { reason: "refresh_token_rejected".into() }),
                ),
                Some(Failure::App) => RefreshOutcome::AppFault(error.with_kind(ErrorKind::Config)),
                Some(Failure::Request | Failure::Person) => {
                    RefreshOutcome::Refused(error.with_kind(ErrorKind::Rejected))
                }
                Some(Failure::Passing) => RefreshOutcome::InDoubt(error.with_kind(ErrorKind::Unavailable)),
                None => by_status(answer, error),
            },
        }
    }

    fn read(&self, answer: &RawAnswer) -> Reading {
        let Some(body) = answer.json() else {
            let error = Error::protocol(format!("the platform answered {}, which is no JSON", answer.describe()));
            return if answer.is_success() { Reading::Unreadable(error) } else { Reading::Status(error) };
        };
        if let Some((failure, error)) = self.failure(&body) {
            return Reading::Failed(failure, error);
        }
        let log_id = self.errors.log_id(&body);
        match self.tokens(&body, answer.sent_at) {
            Some(tokens) if answer.is_success() => Reading::Tokens(Box::new(tokens)),
            None if answer.is_success() => Reading::Unreadable(
                Error::protocol("the platform answered success without an access token").with_log_id(log_id),
            ),
            _ => Reading::Status(
                Error::protocol(format!("the platform answered HTTP {}", answer.status)).with_log_id(log_id),
            ),
        }
    }

    /// The error an answer reports in its body, whatever its status.
    fn failure(&self, body: &Value) -> Option<(Option<Failure>, Error)> {
        let code = body.pointer(&self.errors.code)?.as_str().filter(|code| !code.is_empty())?;
        let class = FAILURES.iter().find(|(known, _)| *known == code).map(|(_, class)| *class);
        Some((class, self.errors.error(code, body)))
    }

    fn tokens(&self, body: &Value, sent_at: Timestamp) -> Option<TokenAnswer> {
        let pointers = self.pointers;
        let secret = |pointer: &str| {
            body.pointer(pointer)
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(Secret::from)
        };
        let expiry =
            |pointer: &str| body.pointer(pointer).and_then(seconds).and_then(|life| sent_at.checked_add(life).ok());
        let tokens = TokenSet {
            access: secret(&pointers.access_token)?,
            access_expires_at: expiry(&pointers.expires_in),
            refresh: secret(&pointers.refresh_token),
            refresh_expires_at: expiry(&pointers.refresh_expires_in),
        };
        let granted = body
            .pointer(&pointers.scope)
            .and_then(read_scopes)
            .map_or(Granted::Unknown, |scopes| Granted::Known { scopes, source: GrantedSource::Token });
        let subject = pointers
            .subject
            .as_deref()
            .and_then(|pointer| body.pointer(pointer))
            .and_then(Value::as_str)
            .map(str::to_owned);
        Some(TokenAnswer { tokens, granted, subject })
    }
}

impl OAuthErrors {
    /// The error that an OAuth answer reports, with the platform's words and request id. Its kind is the caller's to choose.
    pub(super) fn error(&self, code: &str, body: &Value) -> Error {
        let message = body
            .pointer(&self.message)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .unwrap_or("the platform gave no reason");
        Error::protocol(words(message)).with_code(shown(code)).with_log_id(self.log_id(body))
    }

    fn log_id(&self, body: &Value) -> Option<String> {
        self.log_id.iter().find_map(|pointer| body.pointer(pointer)).and_then(Value::as_str).map(shown)
    }
}

/// A life in seconds: a number, or text that is one. What cannot be a life is taken as not said.
fn seconds(value: &Value) -> Option<SignedDuration> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (0.0..=1e10).contains(&number).then(|| SignedDuration::from_secs_f64(number.trunc()))
}

fn exchange_failure(failure: Option<Failure>, answer: &RawAnswer) -> (ErrorKind, &'static str) {
    match failure {
        Some(Failure::Grant) => (
            ErrorKind::InvalidCallback,
            "the platform no longer takes this code: it is used up, or older than it may be; start connecting again",
        ),
        Some(Failure::App) => (
            ErrorKind::Config,
            "the platform does not take the app's id and secret; compare them with its developer portal",
        ),
        Some(Failure::Request) => (ErrorKind::Config, "the platform refused the exchange of the code"),
        Some(Failure::Person) => (ErrorKind::Declined, "the platform refused access"),
        Some(Failure::Passing) => {
            (ErrorKind::Unavailable, "the platform failed while exchanging the code; start connecting again")
        }
        None => (answer.status_kind(), "the platform refused the exchange of the code"),
    }
}

fn by_status(answer: &RawAnswer, error: Error) -> RefreshOutcome {
    let retry_at = answer.retry_at();
    match answer.status {
        429 => RefreshOutcome::NotProcessed(error.with_kind(ErrorKind::RateLimited { retry_at })),
        // A server that gave up waiting for a request does not say how much of it arrived.
        400..=499 if answer.status != 408 => RefreshOutcome::Refused(error.with_kind(ErrorKind::Rejected)),
        _ => RefreshOutcome::InDoubt(error.with_kind(ErrorKind::Unavailable)),
    }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
