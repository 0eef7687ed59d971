use crate::http::RawAnswer;
use crate::platform::{OAuthErrors, RevokeFacts};
use crate::{Error, ErrorKind};

/// What the answer to a revocation means.
#[derive(Debug)]
pub enum RevokeOutcome {
    /// The grant is gone at the platform, now or already.
    Gone,
    /// It may still be alive, and the request may be repeated.
    Retry(Error),
    /// The platform will not do it, however often it is asked.
    Refused(Error),
}

/// Reads the answer by the body first. Success has many spellings: `{}`, nothing, whatever; an error has a code or a status.
pub(super) fn read(facts: &RevokeFacts, errors: &OAuthErrors, answer: &RawAnswer) -> RevokeOutcome {
    let body = answer.json().unwrap_or_default();
    match body.pointer(&errors.code).and_then(serde_json::Value::as_str) {
        Some(code) if facts.gone.iter().any(|gone| gone == code) => RevokeOutcome::Gone,
        Some(code) => failed(errors.error(code, &body), answer),
        None if answer.is_success() => RevokeOutcome::Gone,
        None => failed(Error::protocol(format!("the platform answered {}", answer.describe())), answer),
    }
}

fn failed(error: Error, answer: &RawAnswer) -> RevokeOutcome {
    let passing = matches!(error.code(), Some("server_error" | "temporarily_unavailable"));
    match answer.status_kind() {
        kind @ (ErrorKind::Unavailable | ErrorKind::RateLimited { .. }) => RevokeOutcome::Retry(error.with_kind(kind)),
        _ if passing => RevokeOutcome::Retry(error.with_kind(ErrorKind::Unavailable)),
        _ => RevokeOutcome::Refused(error.with_kind(ErrorKind::Rejected)),
    }
}
