//! Client authentication with HTTP Basic (RFC 6749 section 2.3.1).

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use super::fault::Fault;
use super::people::{APPS, RegisteredApp};

/// The app that sent a request.
pub(super) fn authenticate(headers: &HeaderMap) -> Result<&'static RegisteredApp, Fault> {
    let (id, secret) = credentials(headers).unwrap_or_default();
    let app = APPS.iter().find(|app| app.client_id == id && app.client_secret == secret);
    app.ok_or_else(|| Fault::oauth(StatusCode::UNAUTHORIZED, "invalid_client", "no app has this id and secret"))
}

/// The token of an `Authorization` header with this scheme.
pub(super) fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Id and secret, form-decoded each.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let pair = String::from_utf8(STANDARD.decode(authorization(headers, "basic")?).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((decode(id)?, decode(secret)?))
}

fn decode(text: &str) -> Option<String> {
    form_urlencoded::parse(format!("={text}").as_bytes()).next().map(|(_, value)| value.into_owned())
}
