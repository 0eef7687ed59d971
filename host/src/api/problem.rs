//! What went wrong, as a problem document (RFC 9457): a stable type for programs, words for people, nothing of the inside.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use connector_core::{Error as CoreError, ErrorKind};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::data::{FailureData, Mistake, texts};
use crate::error::Error;
use crate::flow::{Asking, ScopeRefused};
use crate::links::NOT_LINKED;
use crate::store::StoreError;

/// What every fallible route returns.
pub(super) type Result<T, E = Problem> = std::result::Result<T, E>;

/// What precedes the word in the type of a problem.
const TYPE: &str = "urn:connector-host:problem:";

/// Why a request was not done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `urn:connector-host:problem:` and one stable word, such as `not_found` or `reauth_required`.
    r#type: String,
    /// What kind of problem it is, in words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What happened this time, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(flatten)]
    more: Box<More>,
}

/// What some problems say besides.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct More {
    /// With `reauth_required`: why, as one stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// With `missing_scopes`: those that are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
    /// After the platform refused a request for a scope: what to start another flow with as `scopes`, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_with: Option<Vec<String>>,
    /// The platform's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The platform's id of the request, for its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_id: Option<String>,
    /// With `configuration_refused`: everything that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<Mistake>>,
    /// Before when it is of no use to ask again, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, word: &str, title: &'static str) -> Self {
        Self { r#type: format!("{TYPE}{word}"), title, status: status.as_u16(), detail: None, more: Box::default() }
    }

    pub(crate) fn with(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// From when on it is of use to ask again.
    pub(super) fn retry_at(mut self, at: Option<Timestamp>) -> Self {
        self.more.retry_at = at.map(|at| at.to_string());
        self
    }

    /// With everything that is wrong in a configuration.
    pub(super) fn problems(mut self, problems: Vec<Mistake>) -> Self {
        self.more.problems = Some(problems);
        self
    }

    /// Whoever asks has shown no key that works.
    pub(super) fn no_key() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "no_key", "A key is needed")
            .with("send `Authorization: Bearer` and a key that `connector-host api-keys create` made; it may have ended or been revoked")
    }

    /// The key may not do this.
    pub(super) fn no_right(right: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "no_right", "The key has no right to this")
            .with(format!("the key lacks the right `{right}`: make one with `connector-host api-keys create --rights`"))
    }

    /// What the request says cannot be right.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "The request is not understood").with(detail)
    }

    /// Whoever asks has asked too often.
    pub(super) fn too_many(detail: &'static str, retry_at: Timestamp) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests").with(detail);
        Self { more: Box::new(More { retry_at: Some(retry_at.to_string()), ..More::default() }), ..problem }
    }

    /// It is understood, and a value in it is of no use: more than the description of the API can say of it.
    pub(super) fn bad_value(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_value", "A value cannot be used").with(detail)
    }

    /// There is no such thing for this tenant.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found").with(format!("the tenant has no such {what}"))
    }

    /// The body is larger than what is read.
    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is too large")
    }

    /// The connection is over.
    pub(super) fn disconnected() -> Self {
        Self::new(StatusCode::CONFLICT, "disconnected", "The connection is disconnected")
            .with("connect the account again")
    }

    /// Nothing of the inside is shown: it is in the log, under the request's id.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here")
            .with("the log of the host says more, under the id of this request")
    }

    /// What is told of an error. All of it is in the log.
    pub(super) fn of(error: &Error) -> Self {
        let problem = match (error, error.connector()) {
            (Error::Store(store), _) => Self::of_store(store),
            (Error::NotLinked(message), _) => {
                Self::new(StatusCode::CONFLICT, NOT_LINKED, "The account is not linked").with(message)
            }
            (Error::TooManyLinks(_), _) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_links", "Too many connect links")
                    .with(error.to_string())
            }
            (Error::Request(message), _) => {
                Self::new(StatusCode::CONFLICT, "conflict", "It is not in a state for this").with(message)
            }
            (Error::ScopeRefused(refused), _) => Self::of_refused(refused),
            (_, Some(known)) => Self::of_connector(known),
            (_, None) => Self::internal(),
        };
        if problem.status < 500 {
            tracing::info!(%error, status = problem.status, "a request was refused");
        } else {
            tracing::warn!(%error, status = problem.status, "a request could not be done");
        }
        problem
    }

    /// The same as a part of an answer that has more to say.
    pub(super) fn failure(error: &Error) -> FailureData {
        let problem = Self::of(error);
        FailureData::new(error, problem.detail.unwrap_or_else(|| problem.title.to_owned()))
    }

    fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::NotFound { what, .. } => Self::not_found(what),
            StoreError::NotOurs { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "read_only_copy", "This host only looks at its store")
                    .with("the store belongs to another installation: nothing is sent or changed from here")
            }
            _ => Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "The store cannot be used now")
                .with("nothing is lost by this; ask again later, with the same request"),
        }
    }

    /// What the operator has to do about it is on record and in the log.
    fn of_refused(refused: &ScopeRefused) -> Self {
        let mut problem = Self::of_connector(&refused.error);
        let less = refused.instead.as_ref().map(|request| &request.asking);
        if let Some(Asking::Less(scopes)) = less {
            problem.more.retry_with = Some(texts(scopes));
        }
        problem
    }

    fn of_connector(error: &CoreError) -> Self {
        let (status, title) = named(error.kind());
        let problem = Self::new(status, error.kind().as_str(), title).with(error.to_string());
        // What the operator has to mend is told to the operator: it may name files and variables of the host.
        let problem = match error.kind() {
            ErrorKind::Config => {
                problem.with("the operator has to correct the configuration of the host; its log says how")
            }
            _ => problem,
        };
        Self { more: Box::new(More::of(error)), ..problem }
    }
}

impl More {
    fn of(error: &CoreError) -> Self {
        let said = Self {
            code: error.code().map(str::to_owned),
            log_id: error.log_id().map(str::to_owned),
            ..Self::default()
        };
        match error.kind() {
            ErrorKind::ReauthRequired { reason } => Self { reason: Some(reason.clone()), ..said },
            ErrorKind::MissingScopes { scopes } => Self { scopes: Some(texts(scopes)), ..said },
            ErrorKind::RateLimited { retry_at } => Self { retry_at: retry_at.map(|at| at.to_string()), ..said },
            _ => said,
        }
    }
}

/// The status and the title of each kind.
fn named(kind: &ErrorKind) -> (StatusCode, &'static str) {
    match kind {
        ErrorKind::Config => (StatusCode::SERVICE_UNAVAILABLE, "The host is not configured for this"),
        ErrorKind::Unsupported => (StatusCode::UNPROCESSABLE_ENTITY, "The platform does not offer this"),
        ErrorKind::Declined => (StatusCode::UNPROCESSABLE_ENTITY, "The person declined"),
        ErrorKind::InvalidCallback => (StatusCode::UNPROCESSABLE_ENTITY, "The callback ends no flow"),
        ErrorKind::ReauthRequired { .. } => (StatusCode::CONFLICT, "The person has to connect again"),
        ErrorKind::MissingScopes { .. } => (StatusCode::CONFLICT, "The person has not allowed this"),
        ErrorKind::RateLimited { .. } => (StatusCode::SERVICE_UNAVAILABLE, "The platform asks to wait"),
        ErrorKind::QuotaExhausted => (StatusCode::SERVICE_UNAVAILABLE, "The platform's quota is used up"),
        ErrorKind::AccountRestricted => (StatusCode::CONFLICT, "The platform has restricted the account"),
        ErrorKind::Rejected => (StatusCode::BAD_GATEWAY, "The platform refused"),
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "The platform cannot be reached"),
        // The kinds that core may have one day are of the platform as well.
        _ => (StatusCode::BAD_GATEWAY, "The platform's answer is not understood"),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<CoreError> for Problem {
    fn from(error: CoreError) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = (status, Json(&self)).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let retry_at = self.more.retry_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
        if let Some(at) = retry_at.and_then(|at| HeaderValue::from_str(&http_date(at)).ok()) {
            headers.insert(header::RETRY_AFTER, at);
        }
        answer
    }
}

/// A time as HTTP writes it (RFC 9110 section 5.6.7).
fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_http_has_it() {
        let at: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn nothing_of_the_inside_is_told() {
        for error in [
            Error::Machine("/var/lib/secret/path is full".to_owned()),
            Error::Connector(CoreError::config("the variable SECRET_VARIABLE is not set")),
            Error::Store(StoreError::NotFound { what: "connection", id: "somebody-elses".to_owned() }),
        ] {
            let text = serde_json::to_string(&Problem::from(error)).unwrap();
            for inner in ["/var", "SECRET", "somebody"] {
                assert!(!text.contains(inner), "{text}");
            }
        }
    }

    #[test]
    fn what_the_person_has_to_do_is_told_with_its_reason() {
        let error = CoreError::reauth_required("refresh_token_expired", "the person has to connect this account again");
        let problem = Problem::from(Error::from(error));
        assert_eq!((problem.status, problem.r#type.as_str()), (409, "urn:connector-host:problem:reauth_required"));
        assert_eq!(problem.more.reason.as_deref(), Some("refresh_token_expired"));
    }
}
