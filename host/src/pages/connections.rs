//! The connections of a tenant, and what can be connected.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::card::Card;
use super::extract::Asked;
use super::facts::Facts;
use super::frame::Frame;
use super::offer::{self, Offer};
use super::said::{Said, said};
use super::viewer::Viewer;
use super::{Pages, Refused, Shown, page};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{ConnectionFilter, ConnectionPage, ConnectionState};

/// How many connections are on a page.
const PAGE: u32 = 20;

/// The states that can be asked for, with what they are called.
const STATES: [(&str, &str); 5] = [
    ("active", "Connected"),
    ("reauth_required", "Needs re-authentication"),
    ("held", "Held"),
    ("disconnecting", "Disconnecting"),
    ("disconnected", "Disconnected"),
];

/// Which connections.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Which {
    /// In this state only.
    state: Option<String>,
    /// What the product calls by this only.
    reference: Option<String>,
    /// Where the page before ended.
    after: Option<String>,
    /// What was just done.
    said: Option<String>,
}

#[derive(Template)]
#[template(path = "connections.html")]
struct ConnectionsPage {
    frame: Frame,
    said: Option<Said>,
    offers: Vec<Offer>,
    /// Access that was allowed, of which the platform did not say yet whose account it is.
    waiting: usize,
    cards: Vec<Card>,
    state: String,
    reference: String,
    /// Where the next page is.
    next: Option<String>,
    /// Whether only some are asked for.
    is_narrowed: bool,
    is_first: bool,
}

impl ConnectionsPage {
    fn states(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        STATES.into_iter().map(|(word, text)| (word, text, word == self.state))
    }
}

/// Shows them.
pub(super) async fn show(viewer: Viewer, State(pages): State<Pages>, Asked(which): Asked<Which>) -> Shown {
    let host = pages.host.pinned();
    let found = find(&host, &viewer, &which).await?;
    let connections: Vec<_> = found.items.iter().map(|(_, connected)| connected).collect();
    let facts = Facts::of(&host, &connections).await?;
    let cards = connections.iter().map(|connected| Card::of(&host, &viewer, connected, &facts)).collect();
    let waiting = host.store().waiting_grants(&viewer.tenant).await.map_err(Error::from)?;
    let next = found.next.map(|cursor| viewer.href_with("/", &which.pairs(&cursor.to_string())));
    Ok(page(
        StatusCode::OK,
        &ConnectionsPage {
            said: said(which.said.as_deref()),
            offers: offer::all(&host, &viewer),
            waiting: waiting.len(),
            cards,
            next,
            is_narrowed: which.state().is_some() || which.reference().is_some(),
            is_first: which.after.is_none(),
            state: which.state().unwrap_or_default().to_owned(),
            reference: which.reference().unwrap_or_default().to_owned(),
            frame: Frame::new(&pages, viewer, "/"),
        },
    ))
}

async fn find(host: &Host, viewer: &Viewer, which: &Which) -> Result<ConnectionPage, Refused> {
    let state = which.state().map(str::parse::<ConnectionState>).transpose().map_err(|_| Refused::nothing_here())?;
    let after = which.after.as_deref().map(str::parse).transpose().map_err(|_| Refused::nothing_here())?;
    let filter = ConnectionFilter {
        tenant: viewer.tenant.clone(),
        reference: which.reference().map(str::to_owned),
        ..ConnectionFilter::default()
    };
    let page = match state {
        Some(state) => host.connections_in(state, &filter, after, PAGE).await,
        None => host.store().connections_page(&filter, after, PAGE).await,
    };
    Ok(page.map_err(Error::from)?)
}

impl Which {
    /// A field that was left empty asks for nothing.
    fn state(&self) -> Option<&str> {
        self.state.as_deref().filter(|text| !text.is_empty())
    }

    fn reference(&self) -> Option<&str> {
        self.reference.as_deref().filter(|text| !text.is_empty())
    }

    fn pairs<'a>(&'a self, after: &'a str) -> Vec<(&'static str, &'a str)> {
        let state = self.state().map(|text| ("state", text));
        let reference = self.reference().map(|text| ("reference", text));
        state.into_iter().chain(reference).chain([("after", after)]).collect()
    }
}
