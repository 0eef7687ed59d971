//! What looks like a refresh token in an answer that cannot be read.
//!
//! To take something for a refresh token that is none costs little: an answer is kept that nobody needs. To miss one costs an account.

use serde_json::Value;
use url::form_urlencoded;

use crate::http::RawAnswer;

/// Whether the answer holds something that looks like a refresh token: under the platform's pointer, or under its name anywhere.
pub(super) fn holds_refresh_token(answer: &RawAnswer, pointer: &str) -> bool {
    let name = pointer.rsplit('/').next().filter(|name| !plain(name).is_empty());
    match (answer.json(), name) {
        (Some(body), name) => {
            body.pointer(pointer).is_some_and(has_text) || name.is_some_and(|name| in_json(&body, &plain(name)))
        }
        (None, Some(name)) => {
            in_broken_json(&answer.body, name) || (may_be_form(answer) && in_form(&answer.body, name))
        }
        (None, None) => false,
    }
}

/// The reader of the JSON bounds how deep this goes.
fn in_json(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(key, value)| if plain(key) == name { has_text(value) } else { in_json(value, name) })
        }
        Value::Array(items) => items.iter().any(|item| in_json(item, name)),
        _ => false,
    }
}

/// `refreshToken` and `refresh-token` are `refresh_token` by another convention.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Whether there is text at this place or below it.
fn has_text(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => items.iter().any(has_text),
        Value::Object(members) => members.values().any(has_text),
        _ => false,
    }
}

/// Whether `"name": "text"` stands in a body that is no JSON as a whole: cut off further on, nested too deep, with letters that are none.
fn in_broken_json(body: &[u8], name: &str) -> bool {
    let key = format!("\"{name}\"");
    let starts = body.windows(key.len()).enumerate().filter(|(_, window)| *window == key.as_bytes());
    starts.filter_map(|(start, _)| body.get(start + key.len()..)).any(begins_with_text)
}

/// Whether this begins with a colon and a text that is whole and not blank.
fn begins_with_text(rest: &[u8]) -> bool {
    let Some(value) = rest.trim_ascii_start().strip_prefix(b":") else { return false };
    let Some(text) = value.trim_ascii_start().strip_prefix(b"\"") else { return false };
    let end = text.iter().position(|byte| *byte == b'"');
    end.and_then(|end| text.get(..end)).is_some_and(|text| !text.trim_ascii().is_empty())
}

/// Pages are not asked: what they say of a parameter is no answer.
fn may_be_form(answer: &RawAnswer) -> bool {
    let kind = answer.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["", "text/plain", "application/x-www-form-urlencoded"].iter().any(|form| kind.eq_ignore_ascii_case(form))
}

fn in_form(body: &[u8], name: &str) -> bool {
    let body = body.trim_ascii();
    form_urlencoded::parse(body).any(|(key, value)| plain(&key) == plain(name) && !value.trim().is_empty())
}
