//! A connect link as a person opens it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use connector_core::Secret;
use url::Url;

use super::extract::Named;
use super::words::Words;
use super::{Pages, Refused, Shown, browser, page};
use crate::error::{Error, Result};
use crate::flow::Asking;
use crate::host::Host;
use crate::store::{ConnectLinkRecord, ConnectLinkState};

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
pub(super) async fn show(State(pages): State<Pages>, Named(token): Named<String>, jar: CookieJar) -> Shown {
    let link = found(&pages.host, &token).await?;
    match refusal(&link, browser::shown(&pages.site, &jar).as_ref(), &pages.host) {
        Some(refused) => Err(refused),
        None => Ok(page(StatusCode::OK, &asked_for(&pages.host, &link)?)),
    }
}

/// Sends the browser to the platform. The link is this browser's from now on.
pub(super) async fn start(State(pages): State<Pages>, Named(token): Named<String>, jar: CookieJar) -> Shown {
    begin(&pages, &found(&pages.host, &token).await?, jar, Asking::Everything).await
}

/// Begins a flow, or says why none begins.
pub(super) async fn begin(pages: &Pages, link: &ConnectLinkRecord, jar: CookieJar, asking: Asking) -> Shown {
    let (jar, browser) = browser::kept(pages.host.context(), &pages.site, jar)?;
    let begun = pages.host.start_link(&pages.site, link, &browser, asking).await;
    let begun = begun.map_err(|error| Refused::of_flow(&error))?;
    let taken = || Refused(StatusCode::CONFLICT, Words::link_of_another_browser());
    match begun {
        Some(url) => Ok((jar, see_other(&url)).into_response()),
        None => Err(refusal(link, Some(&browser), &pages.host).unwrap_or_else(taken)),
    }
}

/// 303: whatever the method was, the browser gets the other address.
pub(super) fn see_other(url: &Url) -> Response {
    Redirect::to(url.as_str()).into_response()
}

async fn found(host: &Host, token: &str) -> Result<ConnectLinkRecord, Refused> {
    let found = host.store().connect_link_by_token(&Secret::from(token).digest()).await.map_err(Error::from)?;
    found.ok_or_else(no_link)
}

/// There is none, or none for this browser.
pub(super) fn no_link() -> Refused {
    Refused(StatusCode::NOT_FOUND, Words::no_link())
}

/// Why nothing begins with a link.
fn refusal(link: &ConnectLinkRecord, shown: Option<&Secret>, host: &Host) -> Option<Refused> {
    let now = host.context().now();
    let digest = shown.map(Secret::digest);
    let words = match link.state(now) {
        ConnectLinkState::Connected | ConnectLinkState::Waiting => Words::link_used(),
        ConnectLinkState::Cancelled => Words::link_cancelled(),
        ConnectLinkState::Expired => Words::link_expired(),
        _ if link.may_start(digest.as_deref(), now) => return None,
        ConnectLinkState::Open | ConnectLinkState::Started | ConnectLinkState::Failed => {
            Words::link_of_another_browser()
        }
    };
    Some(Refused(StatusCode::GONE, words))
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
