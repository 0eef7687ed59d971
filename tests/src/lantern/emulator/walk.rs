//! The consent page as a person's browser walks it.

use axum::http::Method;
use axum::http::header::LOCATION;
use connector_core::emulator::Consent;
use connector_core::http::{Policy, RawAnswer, Request};
use connector_core::{Context, Error, Result};
use url::Url;

pub(super) async fn walk(cx: &Context, authorize_url: &Url, consent: &Consent) -> Result<Url> {
    let shown = cx.send(Request::new(Method::GET, authorize_url.clone(), Policy::READ)).await?;
    if let Some(back) = location(&shown) {
        return Ok(back);
    }
    let page = String::from_utf8_lossy(&shown.body);
    let decision = if consent.declined { "deny" } else { "allow" };
    let ticked = ticked(&page).filter(|scope| !consent.unticked.iter().any(|unticked| unticked.as_str() == *scope));
    let form = [("person", consent.person.as_str()), ("decision", decision)]
        .into_iter()
        .chain(ticked.map(|scope| ("scope", scope)));
    let answer = cx.send(Request::new(Method::POST, authorize_url.clone(), Policy::TOKEN).form(form)).await?;
    location(&answer).ok_or_else(|| refusal(&answer))
}

/// The boxes of a page that are ticked when it is shown.
fn ticked(page: &str) -> impl Iterator<Item = &str> {
    page.split("name=\"scope\" value=\"").skip(1).filter_map(|rest| rest.split('"').next())
}

fn location(answer: &RawAnswer) -> Option<Url> {
    answer.headers.get(LOCATION)?.to_str().ok()?.parse().ok()
}

fn refusal(answer: &RawAnswer) -> Error {
    let page = String::from_utf8_lossy(&answer.body);
    let words = page.split("<p>").nth(1).and_then(|rest| rest.split("</p>").next()).unwrap_or("no reason");
    Error::config(format!("the consent page answered HTTP {}: {words}", answer.status))
}
