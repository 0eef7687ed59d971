//! What was sent, read back; and transports that answer with headers.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector_core::Context;
use connector_core::http::Request;
use connector_core::testing::{CountingRandom, FakeClock, MockHttpTransport};
use http::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use url::form_urlencoded;

/// The fields of a request's body, whether it is a form or JSON.
pub(crate) fn fields(request: &Request) -> BTreeMap<String, String> {
    match header(request, &CONTENT_TYPE).as_str() {
        "application/x-www-form-urlencoded" => form_urlencoded::parse(&request.body).into_owned().collect(),
        "application/json" => {
            serde_json::from_slice(&request.body).unwrap_or_else(|error| panic!("not a JSON object of texts: {error}"))
        }
        other => panic!("a body of the type `{other}`"),
    }
}

/// Id and secret of HTTP Basic, form-decoded each.
pub(crate) fn basic(request: &Request) -> Option<(String, String)> {
    let value = header(request, &AUTHORIZATION);
    let pair = String::from_utf8(STANDARD.decode(value.strip_prefix("Basic ")?).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode =
        |text: &str| form_urlencoded::parse(format!("={text}").as_bytes()).next().map(|(_, value)| value.into_owned());
    Some((decode(id)?, decode(secret)?))
}

/// A header's text, empty where there is none.
pub(crate) fn header(request: &Request, name: &http::HeaderName) -> String {
    request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Everything about a request, to tell whether two are the same.
pub(crate) fn whole(request: &Request) -> String {
    format!("{} {} {:?} {}", request.method, request.url, request.headers, String::from_utf8_lossy(&request.body))
}

/// An answer with headers.
pub(crate) fn answer(
    status: u16,
    headers: &[(&'static str, &str)],
    body: &str,
) -> Result<Response<Vec<u8>>, http::Error> {
    let builder = Response::builder().status(status);
    let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    builder.body(body.into())
}

/// A context in which every request gets the same answer, and the clock stands at noon.
pub(crate) fn answering(answer: Response<Vec<u8>>) -> Context {
    let mut transport = MockHttpTransport::new();
    transport.expect_send().returning(move |_| Ok(answer.clone()));
    Context::new(Arc::new(transport), Arc::new(FakeClock::default()), Arc::new(CountingRandom::default()))
}
