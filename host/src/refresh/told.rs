//! Why no refresh is sent now, in sentences for people.

use connector_core::{Error, ErrorKind};
use jiff::Timestamp;

use crate::store::AppHealth;

pub(super) fn takes_long() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the platform takes its time to refresh the access token; what it answers will be stored: try again",
    )
}

pub(super) fn under_way() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "another process refreshes the access token, and the platform has not answered it yet: try again",
    )
}

pub(super) fn in_spool() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the platform has refreshed the access token, and what it answered is in the spool of this machine, because the store does not take it yet: try again once the store works",
    )
}

pub(super) fn in_quarantine(until: Timestamp) -> Error {
    let message = format!(
        "the access token could not be refreshed: an earlier refresh was not answered, and the platform may still be at it; the next try is at {until:.0}"
    );
    Error::new(ErrorKind::Unavailable, message)
}

pub(super) fn parked(until: Timestamp) -> Error {
    let message = format!(
        "the access token could not be refreshed: the platform refuses the request as it is, so it is not repeated before {until:.0}"
    );
    Error::new(ErrorKind::Rejected, message)
}

pub(super) fn too_young(until: Timestamp) -> Error {
    let message = format!(
        "the platform prolongs an access token only once it has a certain age, which this one has at {until:.0}"
    );
    Error::new(ErrorKind::Unavailable, message)
}

pub(super) fn unreadable() -> Error {
    Error::protocol(
        "the platform answered a refresh with something that cannot be read; the answer is kept, sealed, and is read again by every later version",
    )
}

/// Whether the token is spent is not known: the word must not say so.
pub(super) fn too_many_in_doubt() -> Error {
    Error::reauth_required(
        "refresh_unanswered",
        "the platform left several refreshes of this grant unanswered while it answered others; whether the access still works is not known",
    )
}

pub(super) fn app_blocked(health: &AppHealth, credentials: &str) -> Error {
    let (since, app) = (health.since, &health.app);
    let until = health.next_try_at.map(|at| format!("; the next try is at {at:.0}")).unwrap_or_default();
    let said = health.last_error.as_ref().map(|error| format!(" ({})", error.message)).unwrap_or_default();
    if health.refuses(credentials) {
        return Error::config(format!(
            "the platform has refused the id and secret of the app `{app}` since {since:.0}{said}: correct them; no connection is lost by this{until}"
        ));
    }
    if health.is_down() {
        let message =
            format!("the platform has not answered token requests of the app `{app}` since {since:.0}{said}{until}");
        return Error::new(ErrorKind::Unavailable, message);
    }
    let message = format!("the platform asked the app `{app}` to wait with token requests{said}{until}");
    Error::new(ErrorKind::RateLimited { retry_at: health.next_try_at }, message)
}
