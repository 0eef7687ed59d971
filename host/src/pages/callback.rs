//! Where a platform sends browsers back to.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use connector_core::Secret;
use connector_core::oauth::CallbackParams;
use url::Url;

use super::extract::Named;
use super::guard::is_navigation;
use super::link::see_other;
use super::words::{NO_FLOW, OTHER_BROWSER, Words};
use super::{Pages, Refused, browser};
use crate::error::{Error, Result};
use crate::links::word;
use crate::store::{ConnectLinkOutcome, ConnectLinkRecord};

/// Takes what a browser brought, and sends it on: the address that holds the code shows nothing.
pub(super) async fn arrive(
    State(pages): State<Pages>,
    Named((platform, app)): Named<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    jar: CookieJar,
) -> Response {
    if !is_navigation(&headers) {
        return Refused(StatusCode::FORBIDDEN, Words::no_navigation()).into_response();
    }
    let params = CallbackParams::from_query(query.as_deref().unwrap_or_default());
    let to = match taken(&pages, (&platform, &app), params, browser::shown(&pages.site, &jar)).await {
        Ok(url) => url,
        Err(why) => pages.site.ended_without_link(&why),
    };
    let mut answer = see_other(&to);
    answer.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

/// Where the browser goes. The error is the word of what is told where no link is known, or is not this browser's.
async fn taken(
    pages: &Pages,
    (platform, app): (&str, &str),
    params: CallbackParams,
    browser: Option<Secret>,
) -> Result<Url, String> {
    let Pages { host, site, .. } = pages;
    let Some(state) = params.one("state").map_err(|_| NO_FLOW)?.map(Secret::from) else {
        return Err(unsaid(pages, platform, &params));
    };
    let link = host.store().connect_link_by_state(&state.digest()).await.map_err(|error| lost(&error.into()))?;
    let its_own = |link: &ConnectLinkRecord| (link.platform.as_str(), link.app.as_str()) == (platform, app);
    let link = link.filter(its_own).ok_or(NO_FLOW)?;
    let browser = browser.filter(|browser| Some(browser.digest()) == link.browser_digest).ok_or(OTHER_BROWSER)?;
    let outcome = host.complete_link(&link, params, browser).await.map_err(|error| lost(&error))?;
    Ok(outcome.and_then(|outcome| next(&link, &outcome)).unwrap_or_else(|| site.ended(&link.id)))
}

/// What a callback reports that does not say which flow it belongs to. Anybody can send a browser here so, and nothing is used up by it.
fn unsaid(pages: &Pages, platform: &str, params: &CallbackParams) -> String {
    let error = platform.parse().ok().and_then(|platform| pages.host.stateless_error(&platform, params).ok());
    error.map_or_else(|| NO_FLOW.to_owned(), |error| error.kind().as_str().to_owned())
}

fn lost(error: &Error) -> String {
    tracing::warn!(%error, "a callback could not be taken");
    word(error).to_owned()
}

/// The product's address, with what became of it. Where there is something for the person to decide, they stay here.
fn next(link: &ConnectLinkRecord, outcome: &ConnectLinkOutcome) -> Option<Url> {
    let offers = matches!(outcome, ConnectLinkOutcome::Failed { instead, .. } if !instead.is_empty());
    if offers { None } else { back(link, outcome) }
}

/// The product's address, with what became of it: `connection_id` for each connection, else `error`.
pub(super) fn back(link: &ConnectLinkRecord, outcome: &ConnectLinkOutcome) -> Option<Url> {
    let mut url: Url = link.return_url.as_deref()?.parse().ok()?;
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("link_id", link.id.as_str());
        match outcome {
            ConnectLinkOutcome::Connected { connections } => {
                query.extend_pairs(connections.iter().map(|id| ("connection_id", id.as_str())));
            }
            ConnectLinkOutcome::Completing { .. } | ConnectLinkOutcome::Waiting => {
                query.append_pair("error", "waiting");
            }
            ConnectLinkOutcome::Failed { error, .. } => {
                query.append_pair("error", error);
            }
            ConnectLinkOutcome::Cancelled => {
                query.append_pair("error", "cancelled");
            }
        }
    }
    Some(url)
}
