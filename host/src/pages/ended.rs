//! How it ended, for the browser it ended in.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum_extra::extract::CookieJar;
use connector_core::Scope;
use connector_core::scope::list_scopes;
use serde::Deserialize;
use url::Url;

use super::callback::back;
use super::extract::{Asked, Named};
use super::link::no_link;
use super::words::{NO_FLOW, Words};
use super::{Pages, Refused, Shown, browser, link, page};
use crate::error::{Error, Result};
use crate::flow::Asking;
use crate::host::Host;
use crate::links::Site;
use crate::store::{ConnectLinkOutcome, ConnectLinkRecord, ConnectLinkState, ConnectionId};

/// How a flow ended, and what the person can do.
#[derive(Default, Template)]
#[template(path = "ended.html")]
pub(super) struct EndedPage {
    well: bool,
    title: String,
    text: String,
    /// Whether there may be more to say in a moment.
    waits: bool,
    may_try_again: bool,
    /// Where trying again is sent to.
    again: String,
    /// What may be asked for instead.
    less: Option<String>,
    back: Option<Back>,
}

struct Back {
    url: String,
    name: String,
}

impl Back {
    /// For whoever has signed in, or would.
    fn home() -> Self {
        Self { url: "/".to_owned(), name: "the connections".to_owned() }
    }

    fn to(site: &Site, url: Url) -> Self {
        let host = || url.host_str().unwrap_or_default().to_owned();
        let name = if site.is_own(&url) { "the connections".to_owned() } else { host() };
        Self { name, url: url.into() }
    }
}

impl EndedPage {
    /// That nothing can be done here.
    pub(super) fn saying(words: Words) -> Self {
        let back = words.are_of_the_house().then(Back::home);
        Self { title: words.title.to_owned(), text: words.text.to_owned(), back, ..Self::default() }
    }
}

/// Which words, where no link is known.
#[derive(Deserialize)]
pub(super) struct Why {
    why: Option<String>,
}

/// Says why a callback ended nothing.
pub(super) async fn without_link(Asked(Why { why }): Asked<Why>) -> Refused {
    Refused(StatusCode::OK, Words::of_failure(why.as_deref().unwrap_or(NO_FLOW)))
}

/// Says how a link ended, to the browser that used it.
pub(super) async fn show(State(pages): State<Pages>, Named(id): Named<String>, jar: CookieJar) -> Shown {
    let link = its_own(&pages, &id, &jar).await?;
    Ok(page(StatusCode::OK, &ended(&pages, &link).await?))
}

/// What the form says.
#[derive(Default, Deserialize)]
pub(super) struct Again {
    /// Anything: to ask for less, as was offered.
    less: Option<String>,
}

/// Tries again, in the same browser.
pub(super) async fn again(
    State(pages): State<Pages>,
    Named(id): Named<String>,
    jar: CookieJar,
    Form(form): Form<Again>,
) -> Shown {
    let link = its_own(&pages, &id, &jar).await?;
    let asking = if form.less.is_some() { less(&link) } else { Asking::Everything };
    link::begin(&pages, &link, jar, asking).await
}

/// A link by its id, if it is this browser's.
async fn its_own(pages: &Pages, id: &str, jar: &CookieJar) -> Result<ConnectLinkRecord, Refused> {
    let (Ok(id), Some(browser)) = (id.parse(), browser::shown(&pages.site, jar)) else { return Err(no_link()) };
    let found = pages.host.store().connect_link_of_browser(&id, &browser.digest()).await.map_err(Error::from)?;
    found.ok_or_else(no_link)
}

fn less(link: &ConnectLinkRecord) -> Asking {
    match &link.outcome {
        Some(ConnectLinkOutcome::Failed { instead, .. }) if !instead.is_empty() => Asking::Less(instead.clone()),
        _ => Asking::Everything,
    }
}

async fn ended(pages: &Pages, link: &ConnectLinkRecord) -> Result<EndedPage> {
    let state = link.state(pages.host.context().now());
    let page = match (&link.outcome, state) {
        (Some(ConnectLinkOutcome::Connected { connections }), _) => connected(&pages.host, link, connections).await?,
        (Some(ConnectLinkOutcome::Waiting), _) => EndedPage { well: true, ..EndedPage::saying(Words::waiting()) },
        (Some(ConnectLinkOutcome::Cancelled), _) => EndedPage::saying(Words::link_cancelled()),
        (_, ConnectLinkState::Expired) => EndedPage::saying(Words::link_expired()),
        (Some(ConnectLinkOutcome::Failed { error, instead }), _) => EndedPage {
            may_try_again: true,
            less: (!instead.is_empty()).then(|| list_scopes(instead)),
            ..EndedPage::saying(Words::of_failure(error))
        },
        (Some(ConnectLinkOutcome::Completing { .. }) | None, _) => {
            EndedPage { well: true, waits: true, may_try_again: true, ..EndedPage::saying(Words::under_way()) }
        }
    };
    let back = link
        .outcome
        .as_ref()
        .filter(|outcome| !matches!(outcome, ConnectLinkOutcome::Completing { .. }))
        .and_then(|outcome| back(link, outcome))
        .map(|url| Back::to(&pages.site, url));
    Ok(EndedPage { again: format!("/connect/ended/{}/again", link.id), back, ..page })
}

async fn connected(host: &Host, link: &ConnectLinkRecord, connections: &[ConnectionId]) -> Result<EndedPage> {
    let (mut names, mut lacking) = (Vec::new(), Vec::<Scope>::new());
    for id in connections {
        if let Some(found) = host.store().connection(&link.tenant, id).await? {
            names.extend(found.connection.profile.label().map(str::to_owned));
            lacking.extend(host.drift(&found).map(|drift| drift.lacking).unwrap_or_default());
        }
    }
    let who = if names.is_empty() { "Your account".to_owned() } else { names.join(" and ") };
    if lacking.is_empty() {
        let text = format!("{who} is connected.");
        return Ok(EndedPage { well: true, title: "Connected".to_owned(), text, ..EndedPage::default() });
    }
    let text = format!(
        "{who} is connected. What it needs most was not allowed, though, and has to be before it can be used: {}.",
        list_scopes(&lacking)
    );
    Ok(EndedPage { title: "Connected, and something is missing".to_owned(), text, ..EndedPage::default() })
}
