//! Walks the consent page as a person's browser would, over HTTP.

use axum::http::Method;
use axum::http::header::LOCATION;
use connector_core::emulator::Consent;
use connector_core::http::{Policy, RawAnswer, Request};
use connector_core::{Context, Error, ErrorKind, Result};
use url::Url;

use super::authorize::{ERROR_PATH, explain};

/// Opens the authorize URL, fills the form in, and gives the URL the browser is sent back to.
pub(super) async fn walk(cx: &Context, authorize_url: &Url, consent: &Consent) -> Result<Url> {
    let shown = cx.send(Request::new(Method::GET, authorize_url.clone(), Policy::TOKEN)).await?;
    if let Some(location) = location(authorize_url, &shown) {
        return arrived(authorize_url, location);
    }
    if shown.status != 200 {
        return Err(Error::protocol(format!("the emulator answered HTTP {} to the authorize URL", shown.status)));
    }
    let page = String::from_utf8_lossy(&shown.body);
    let form = fill(&page, consent)?;
    let url = authorize_url
        .join("/v2/auth/consent")
        .map_err(|error| Error::config(format!("the authorize URL has no origin: {error}")))?;
    let pairs = form.iter().map(|(name, value)| (*name, value.as_str()));
    let decided = cx.send(Request::new(Method::POST, url, Policy::TOKEN).form(pairs)).await?;
    match location(authorize_url, &decided) {
        Some(location) => arrived(authorize_url, location),
        None => Err(Error::protocol(format!("the emulator answered HTTP {} to the consent form", decided.status))),
    }
}

/// What a browser would send for this page and this decision.
fn fill(page: &str, consent: &Consent) -> Result<Vec<(&'static str, String)>> {
    let inputs: Vec<Input> = page.split("<input ").skip(1).map(Input::read).collect();
    let named = |name: &'static str| inputs.iter().filter(move |input| input.name == name);
    let request =
        named("request").next().ok_or_else(|| Error::protocol("the emulator's page is not a consent page"))?;
    let mut form = vec![("request", request.value.clone())];
    if consent.declined {
        form.push(("decision", "cancel".to_owned()));
        return Ok(form);
    }
    if !named("person").any(|input| input.value == consent.person) {
        let people: Vec<_> = named("person").map(|input| input.value.as_str()).collect();
        let (name, people) = (consent.person.escape_debug(), people.join(", "));
        return Err(Error::config(format!("nobody at the emulator is called `{name}`; there are {people}")));
    }
    form.push(("person", consent.person.clone()));
    let ticked = |input: &&Input| input.hidden || !consent.unticked.iter().any(|scope| scope.as_str() == input.value);
    form.extend(named("scope").filter(ticked).map(|input| ("scope", input.value.clone())));
    form.push(("decision", "authorize".to_owned()));
    Ok(form)
}

/// An input of the form.
struct Input {
    name: String,
    value: String,
    hidden: bool,
}

impl Input {
    fn read(tag: &str) -> Self {
        let tag = tag.split('>').next().unwrap_or_default();
        let attribute = |name: &str| {
            let value = tag.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split('"').next());
            unescape(value.unwrap_or_default())
        };
        Self { name: attribute("name"), value: attribute("value"), hidden: attribute("type") == "hidden" }
    }
}

/// Undoes the escapes of the templates.
fn unescape(text: &str) -> String {
    [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

fn location(base: &Url, answer: &RawAnswer) -> Option<Url> {
    if !(300..400).contains(&answer.status) {
        return None;
    }
    base.join(answer.headers.get(LOCATION)?.to_str().ok()?).ok()
}

/// The way back to the app, unless it ends at the platform's own error page.
fn arrived(authorize_url: &Url, location: Url) -> Result<Url> {
    if location.origin() != authorize_url.origin() || location.path() != ERROR_PATH {
        return Ok(location);
    }
    let param = |name: &str| location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let (error, error_type) = (param("error").unwrap_or_default(), param("error_type").unwrap_or_default());
    let kind = match error_type.as_str() {
        "non_sandbox_target" | "request" => ErrorKind::Rejected,
        _ => ErrorKind::Config,
    };
    let sentence = format!("the emulator refused the request before consent: {} ({error_type})", explain(&error_type));
    Err(Error::new(kind, sentence).with_code(error))
}
