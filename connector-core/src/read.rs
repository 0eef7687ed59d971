//! Reading endpoints by data: which fields to ask for, and where their values go.

use std::sync::Arc;

use http::Method as HttpMethod;
use serde_json::{Value, json};
use url::Url;

use crate::abilities::{FieldStatus, fields};
use crate::account::{FieldValue, Session};
use crate::config::{Catalogue, Target};
use crate::error::ErrorKind;
use crate::http::{Policy, RawAnswer, Request};
use crate::platform::{ApiErrors, EndpointFacts, Method, Protocol};
use crate::registry::Platform;
use crate::scope::{Scope, ScopeSet, ScopeStatus};
use crate::text::{shown, words};
use crate::{Context, Error, Result};

/// One endpoint of a platform, with the fields that its catalogue knows there.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    name: String,
    protocol: Arc<Protocol>,
    catalogue: Arc<Catalogue>,
}

/// A field that the grant allows.
#[derive(Clone, Debug)]
pub(crate) struct Allowed {
    pub(crate) field: String,
    pub(crate) target: Target,
    scope: Scope,
}

/// A field that it does not allow, and why.
#[derive(Clone, Debug)]
pub(crate) struct Withheld {
    pub(crate) target: Target,
    pub(crate) scope: Scope,
    pub(crate) status: ScopeStatus,
}

/// What a call may ask for under one grant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) allowed: Vec<Allowed>,
    pub(crate) withheld: Vec<Withheld>,
}

/// What an endpoint answered: the raw answer and its objects.
pub(crate) struct Read {
    pub(crate) answer: RawAnswer,
    pub(crate) objects: Vec<Value>,
    pub(crate) log_id: Option<String>,
}

impl Endpoint {
    pub(crate) fn new(platform: &Platform, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            protocol: Arc::clone(&platform.protocol),
            catalogue: Arc::clone(&platform.catalogue),
        }
    }

    /// Every field the catalogue knows here.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.catalogue.fields(&self.name).map(|(_, _, target)| target)
    }

    /// The fields that are wanted and granted, and the others with the reason.
    pub(crate) fn plan(&self, session: &Session) -> Plan {
        let mut plan = Plan::default();
        for FieldStatus { scope, field, target, status } in
            fields(&self.catalogue, &self.name, &session.app.wanted, &session.grant.scopes)
        {
            let (scope, target) = (scope.clone(), target.clone());
            if status.is_usable() {
                plan.allowed.push(Allowed { field: field.to_owned(), target, scope });
            } else {
                plan.withheld.push(Withheld { target, scope, status });
            }
        }
        plan
    }

    /// Calls the endpoint for the planned fields.
    pub(crate) async fn read(
        &self,
        cx: &Context,
        session: &Session,
        plan: &Plan,
        account_id: Option<&str>,
    ) -> Result<Read> {
        let facts = self.protocol.endpoint(&self.name)?;
        if plan.allowed.is_empty() {
            return Err(missing(plan.withheld.iter().map(|field| field.scope.clone()).collect()));
        }
        let request = request(facts, session, plan, account_id)?;
        let answer = cx.send(request).await?;
        let body = self.body(&answer, plan)?;
        let log_id = text_at(&body, &self.protocol.api_errors.log_id);
        let objects = match body.pointer(&facts.root) {
            Some(Value::Array(items)) => items.clone(),
            Some(object @ Value::Object(_)) => vec![object.clone()],
            _ => {
                return Err(
                    Error::protocol(format!("the platform's answer has nothing at {}", facts.root)).with_log_id(log_id)
                );
            }
        };
        Ok(Read { answer, objects, log_id })
    }

    /// The answer's JSON, if it reports success. The body decides before the status does.
    fn body(&self, answer: &RawAnswer, plan: &Plan) -> Result<Value> {
        let errors = &self.protocol.api_errors;
        let Some(body) = answer.json() else {
            let kind = if answer.is_success() { ErrorKind::Protocol } else { answer.status_kind() };
            return Err(Error::new(kind, format!("the platform answered {}, which is no JSON", answer.describe())));
        };
        match errors.code(&body) {
            Some(code) if errors.ok.as_ref() != Some(&code) => Err(errors.error(&code, &body, answer, plan)),
            _ if answer.is_success() => Ok(body),
            _ => Err(Error::new(answer.status_kind(), format!("the platform answered HTTP {}", answer.status))
                .with_log_id(text_at(&body, &errors.log_id))),
        }
    }
}

impl ApiErrors {
    fn code(&self, body: &Value) -> Option<String> {
        text_at(body, &self.code).filter(|code| !code.is_empty())
    }

    fn error(&self, code: &str, body: &Value, answer: &RawAnswer, plan: &Plan) -> Error {
        let kind = match self.kinds.get(code).map(String::as_str) {
            Some("reauth_required") => ErrorKind::ReauthRequired { reason: code.to_owned() },
            Some("missing_scopes") => {
                ErrorKind::MissingScopes { scopes: plan.allowed.iter().map(|field| field.scope.clone()).collect() }
            }
            Some("rate_limited") => ErrorKind::RateLimited { retry_at: answer.retry_at() },
            Some(word) => ErrorKind::from_word(word).unwrap_or(ErrorKind::Rejected),
            None => answer.status_kind(),
        };
        let message = text_at(body, &self.message)
            .map(|text| words(&text))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| "the platform gave no reason".to_owned());
        Error::new(kind, message).with_code(code).with_log_id(text_at(body, &self.log_id))
    }
}

impl Allowed {
    /// The field's value in one object of the answer, if it is there and not null.
    pub(crate) fn value<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        let value = if self.field.starts_with('/') { object.pointer(&self.field) } else { object.get(&self.field) };
        value.filter(|value| !value.is_null())
    }
}

/// A scalar of an answer. Whole numbers may be written as text, as many platforms write 64-bit ones.
pub(crate) fn scalar(value: &Value) -> Option<FieldValue> {
    match value {
        Value::String(text) => Some(FieldValue::Text(text.clone())),
        Value::Bool(flag) => Some(FieldValue::Flag(*flag)),
        Value::Number(number) => number.as_i64().map(FieldValue::Integer),
        _ => None,
    }
}

/// A count: a whole number, or text that is one. Anything else is no count.
pub(crate) fn count(value: &Value) -> Option<i64> {
    match scalar(value)? {
        FieldValue::Integer(number) => Some(number),
        FieldValue::Text(text) => text.parse().ok(),
        FieldValue::Flag(_) => None,
    }
}

/// The error of a call that the grant's scopes do not allow. It has not left the host.
pub(crate) fn missing(scopes: ScopeSet) -> Error {
    let list = crate::scope::list_scopes(&scopes);
    Error::new(ErrorKind::MissingScopes { scopes }, format!("the grant holds none of the scopes this needs: {list}"))
}

fn request(facts: &EndpointFacts, session: &Session, plan: &Plan, account_id: Option<&str>) -> Result<Request> {
    let mut url = facts.at.under(&session.grant.base_urls)?;
    if let Some(id) = account_id {
        fill_account_id(&mut url, &facts.at.path, id)?;
    }
    if let Some(fields) = &facts.fields {
        let names: Vec<&str> =
            plan.allowed.iter().map(|field| field.field.as_str()).filter(|name| !name.starts_with('/')).collect();
        url.query_pairs_mut().append_pair(&fields.param, &names.join(&fields.separator));
    }
    let request = match facts.method {
        Method::Get => Request::new(HttpMethod::GET, url, Policy::READ),
        Method::Post => Request::new(HttpMethod::POST, url, Policy::READ).json(&json!({})),
    };
    request.bearer(&session.grant.tokens.access)
}

/// Puts the account's id into the path, percent-encoded as one segment.
fn fill_account_id(url: &mut Url, path: &str, id: &str) -> Result<()> {
    // A URL has no way to write these two as names: they would silently ask for another path.
    if matches!(id, "." | "..") {
        return Err(Error::protocol("the account's id cannot be written in a URL"));
    }
    let mut segments = url.path_segments_mut().map_err(|()| Error::protocol("the endpoint's URL has no path"))?;
    segments.clear().extend(
        path.trim_start_matches('/').split('/').map(|segment| if segment == "{account_id}" { id } else { segment }),
    );
    Ok(())
}

fn text_at(body: &Value, pointers: &[String]) -> Option<String> {
    pointers.iter().filter_map(|pointer| body.pointer(pointer)).find_map(|value| match value {
        Value::String(text) => Some(shown(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}
