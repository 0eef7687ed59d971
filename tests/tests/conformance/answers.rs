//! Answers of a platform, built from the facts of its `platform.toml`.

use connector_core::config::Target;
use connector_core::http::RawAnswer;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::subject::{ACCESS, PERSON, REFRESH, Subject};
use crate::verdict::Stop;

/// Puts a value where a JSON pointer points, with all that has to be around it.
pub(crate) fn plant(body: &mut Value, pointer: &str, value: Value) {
    let mut place = body;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        place = match step.parse::<usize>() {
            Ok(index) => element(place, index),
            Err(_) => member(place, step),
        };
    }
    *place = value;
}

fn element(place: &mut Value, index: usize) -> &mut Value {
    if !place.is_array() {
        *place = json!([]);
    }
    let Value::Array(items) = place else { unreachable!("it was made an array") };
    items.resize_with(items.len().max(index + 1), || json!({}));
    &mut items[index]
}

fn member(place: &mut Value, name: String) -> &mut Value {
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    &mut place[name]
}

impl Subject {
    /// A good answer of the token endpoint.
    pub(crate) fn token_body(&self) -> Result<Value, Stop> {
        let pointers = &self.token()?.answer;
        let scopes: Vec<String> = self.app().wanted.requested().iter().map(ToString::to_string).collect();
        let mut body = json!({});
        plant(&mut body, &pointers.access_token, ACCESS.into());
        plant(&mut body, &pointers.expires_in, 7200.into());
        plant(&mut body, &pointers.refresh_token, REFRESH.into());
        plant(&mut body, &pointers.refresh_expires_in, 86_400.into());
        plant(&mut body, &pointers.scope, scopes.into());
        if let Some(pointer) = &pointers.subject {
            plant(&mut body, pointer, PERSON.into());
        }
        Ok(body)
    }

    /// An answer of an OAuth endpoint that reports an error.
    pub(crate) fn oauth_error(&self, code: &str, words: &str) -> Value {
        let facts = &self.oauth().errors;
        let mut body = json!({});
        plant(&mut body, &facts.code, code.into());
        plant(&mut body, &facts.message, words.into());
        body
    }

    /// A good answer of an endpoint that is read, with a value for each field the catalogue knows there.
    pub(crate) fn endpoint_body(
        &self,
        endpoint: &str,
        value: impl Fn(&Target) -> Option<Value>,
    ) -> Result<Value, Stop> {
        let protocol = self.linked.protocol();
        let mut object = json!({});
        for (_, field, target) in self.settings.catalogue.fields(endpoint) {
            if let Some(value) = value(target) {
                set(&mut object, field, value);
            }
        }
        if let Some(accounts) = protocol.accounts.as_ref().filter(|facts| facts.endpoint == endpoint) {
            set(&mut object, &accounts.id, PERSON.into());
        }
        let mut body = json!({});
        plant(&mut body, &protocol.endpoint(endpoint)?.root, object);
        if let (Some(ok), Some(pointer)) = (&protocol.api_errors.ok, protocol.api_errors.code.first()) {
            plant(&mut body, pointer, ok.as_str().into());
        }
        Ok(body)
    }

    /// An answer of such an endpoint that reports an error.
    pub(crate) fn api_error(&self, code: impl Into<Value>, words: &str) -> Result<Value, Stop> {
        let facts = &self.linked.protocol().api_errors;
        let pointer = facts.code.first().ok_or(Stop::Skipped("its platform.toml says nothing of error codes"))?;
        let mut body = json!({});
        plant(&mut body, pointer, code.into());
        if let Some(pointer) = facts.message.first() {
            plant(&mut body, pointer, words.into());
        }
        Ok(body)
    }
}

/// A field is a JSON pointer or a name.
fn set(object: &mut Value, field: &str, value: Value) {
    if field.starts_with('/') {
        plant(object, field, value);
    } else {
        object[field] = value;
    }
}

/// A raw answer to what was sent at noon.
pub(crate) fn raw(status: u16, body: &str) -> RawAnswer {
    RawAnswer { status, headers: HeaderMap::new(), body: body.into(), sent_at: noon() }
}

/// The time at which the fake clock stands.
pub(crate) fn noon() -> Timestamp {
    Timestamp::constant(1_795_348_800, 0)
}
