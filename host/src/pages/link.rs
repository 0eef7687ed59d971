//! A connect link as a person opens it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use connector_core::Secret;
use url::Url;

use super::words::Words;
use super::{Pages, browser, page, say};
use crate::error::Result;
use crate::flow::Asking;
use crate::host::Host;
use crate::links::word;
use crate::store::{ConnectLinkRecord, LinkState};

/// What will be asked for, before anything happens.
#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    platform: String,
    renews: bool,
    /// Who asks, as far as that is known: where the browser goes in the end.
    back: Option<String>,
    scopes: Vec<AskedFor>,
}

struct AskedFor {
    name: String,
    description: String,
}

/// Shows what a link will ask for. Nothing is changed by it: programs that look at links open them as well.
pub(super) async fn show(State(pages): State<Pages>, Path(token): Path<String>, jar: CookieJar) -> Response {
    let shown = browser::shown(&pages.site, &jar);
    match found(&pages.host, &token).await {
        Ok(Some(link)) => match refusal(&link, shown.as_ref(), &pages.host) {
            Some(answer) => answer,
            None => {
                asked_for(&pages.host, &link).map_or_else(|error| failed(&error), |shown| page(StatusCode::OK, &shown))
            }
        },
        Ok(None) => say(StatusCode::NOT_FOUND, Words::no_link()),
        Err(error) => failed(&error),
    }
}

/// Sends the browser to the platform. The link is this browser's from now on.
pub(super) async fn start(State(pages): State<Pages>, Path(token): Path<String>, jar: CookieJar) -> Response {
    match found(&pages.host, &token).await {
        Ok(Some(link)) => begin(&pages, &link, jar, Asking::Everything).await,
        Ok(None) => say(StatusCode::NOT_FOUND, Words::no_link()),
        Err(error) => failed(&error),
    }
}

/// Begins a flow, or says why none begins.
pub(super) async fn begin(pages: &Pages, link: &ConnectLinkRecord, jar: CookieJar, asking: Asking) -> Response {
    let begun = async {
        let (jar, browser) = browser::kept(pages.host.context(), &pages.site, jar)?;
        Ok((pages.host.start_link(&pages.site, link, &browser, asking).await?, jar, browser))
    };
    match begun.await {
        Ok((Some(url), jar, _)) => (jar, see_other(&url)).into_response(),
        Ok((None, _, browser)) => {
            let refused = refusal(link, Some(&browser), &pages.host);
            refused.unwrap_or_else(|| say(StatusCode::CONFLICT, Words::link_of_another_browser()))
        }
        Err(error) => failed(&error),
    }
}

/// 303: whatever the method was, the browser gets the other address.
pub(super) fn see_other(url: &Url) -> Response {
    Redirect::to(url.as_str()).into_response()
}

/// Why nothing is done. What the operator has to know of it is in the log.
pub(super) fn failed(error: &crate::Error) -> Response {
    tracing::warn!(%error, "a person could not go on");
    say(StatusCode::SERVICE_UNAVAILABLE, Words::of_failure(word(error)))
}

async fn found(host: &Host, token: &str) -> Result<Option<ConnectLinkRecord>> {
    Ok(host.store().connect_link_by_token(&Secret::from(token).digest()).await?)
}

/// Why nothing begins with a link.
fn refusal(link: &ConnectLinkRecord, shown: Option<&Secret>, host: &Host) -> Option<Response> {
    let now = host.context().now();
    let digest = shown.map(Secret::digest);
    let words = match link.state(now) {
        LinkState::Connected | LinkState::Waiting => Words::link_used(),
        LinkState::Cancelled => Words::link_cancelled(),
        LinkState::Expired => Words::link_expired(),
        _ if link.may_start(digest.as_deref(), now) => return None,
        LinkState::Open | LinkState::Started | LinkState::Failed => Words::link_of_another_browser(),
    };
    Some(say(StatusCode::GONE, words))
}

fn asked_for(host: &Host, link: &ConnectLinkRecord) -> Result<LinkPage> {
    let platform = host.platform(link.platform.as_str())?;
    let app = host.app(link.platform.as_str(), &link.app)?;
    let catalogue = &platform.settings.catalogue;
    let scopes = app.wanted.requested().into_iter().map(|scope| {
        let description = catalogue.scopes.get(&scope).map(|entry| entry.description.clone()).unwrap_or_default();
        AskedFor { name: scope.to_string(), description }
    });
    Ok(LinkPage {
        platform: platform.linked.name().to_owned(),
        renews: link.reconnects.is_some(),
        back: link.return_url.as_deref().and_then(name_of),
        scopes: scopes.collect(),
    })
}

/// The server of an address, for people.
pub(super) fn name_of(url: &str) -> Option<String> {
    url.parse::<Url>().ok()?.host_str().map(str::to_owned)
}
