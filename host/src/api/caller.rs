//! Who asks, and what he may.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use connector_core::Secret;

use super::problem::{Problem, Result};
use super::throttle::Throttle;
use crate::api_keys::{Right, is_well_formed};
use crate::bearer::bearer;
use crate::client::Client;
use crate::host::Host;
use crate::store::{Actor, ApiKeyId, ApiKeyRecord};

/// Whom keys are looked up with, and how often.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) host: Host,
    pub(super) throttle: Arc<Throttle>,
}

/// Names the tenant that a key of a server acts for.
const TENANT: &str = "connector-tenant";

/// Who asks: a key, for one tenant.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Whose things it sees. There are no others for it.
    pub(super) tenant: String,
    record: ApiKeyRecord,
}

impl Caller {
    /// The key's id.
    pub(super) fn key(&self) -> &ApiKeyId {
        &self.record.id
    }

    /// What the key allows.
    pub(super) fn rights(&self) -> impl Iterator<Item = Right> {
        self.record.rights.iter().copied()
    }

    /// The host, for what the key has it do.
    pub(super) fn host(&self, host: &Host) -> Host {
        host.on_behalf_of(Actor::ApiKey(self.record.id.clone()))
    }

    /// Makes sure that the key has a right.
    pub(super) fn may(&self, right: Right) -> Result<()> {
        if self.record.rights.contains(&right) { Ok(()) } else { Err(Problem::no_right(right.as_str())) }
    }
}

/// Lets nobody in who has no key: a route is behind it unless it is put before it by name.
pub(super) async fn with_key(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let client = request.extensions().get().copied();
    match gate.caller(request.headers(), client).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl Gate {
    async fn caller(&self, headers: &HeaderMap, client: Option<Client>) -> Result<Caller> {
        let secret = one(headers, AUTHORIZATION.as_str())?.and_then(bearer).ok_or_else(Problem::no_key)?;
        let record = self.key(&secret, client).await?.ok_or_else(Problem::no_key)?;
        let tenant = tenant(&record, one(headers, TENANT)?)?;
        Ok(Caller { tenant, record })
    }

    /// The key of a secret, unless too many were shown.
    async fn key(&self, secret: &Secret, client: Option<Client>) -> Result<Option<ApiKeyRecord>> {
        // What cannot be a key costs the store nothing.
        if !is_well_formed(secret) {
            return Ok(None);
        }
        let (cx, digest) = (self.host.context(), secret.digest());
        let shown = self.throttle.admit(cx, &digest, client)?;
        let key = self.host.api_key(secret).await;
        // A store that does not answer has not said that the key is wrong.
        let is_wrong = matches!(key, Ok(None));
        self.throttle.settle(cx, &digest, shown, is_wrong);
        Ok(key?)
    }
}

/// The tenant a request is for: that of its key, or the one it names where the key is a server's.
fn tenant(record: &ApiKeyRecord, named: Option<&str>) -> Result<String> {
    match (&record.tenant, named) {
        (Some(own), None) => Ok(own.clone()),
        (Some(own), Some(named)) if own == named => Ok(own.clone()),
        (Some(_), Some(_)) => {
            Err(Problem::bad_request("the key is for one tenant, and `Connector-Tenant` names another: leave it out"))
        }
        (None, Some(named)) if !named.is_empty() => Ok(named.to_owned()),
        (None, _) => Err(Problem::bad_request(
            "the key is for any tenant: name the one this request is for with `Connector-Tenant`",
        )),
    }
}

/// The one value of a header.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let (first, None) = (values.next(), values.next()) else {
        return Err(Problem::bad_request(format!("the header `{name}` is there more than once")));
    };
    let text = first.map(|value| std::str::from_utf8(value.as_bytes())).transpose();
    text.map_err(|_| Problem::bad_request(format!("the header `{name}` is no text")))
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.remove::<Self>().ok_or_else(Problem::no_key)
    }
}
