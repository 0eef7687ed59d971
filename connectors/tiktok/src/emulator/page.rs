//! The pages a browser sees.

use askama::Template;
use connector_core::{Error, Result};

pub(super) const STYLE: &str = include_str!("../../templates/style.css");

/// What this is, who is here.
#[derive(Debug, Template)]
#[template(path = "home.html")]
pub(super) struct Home<'a> {
    pub(super) apps: Vec<AppRow<'a>>,
    pub(super) people: Vec<(PersonRow, Vec<Allowed>)>,
    pub(super) form_token: &'a str,
}

/// An app that a person lets in.
#[derive(Debug)]
pub(super) struct Allowed {
    pub(super) app: String,
    pub(super) scopes: String,
}

#[derive(Debug)]
pub(super) struct AppRow<'a> {
    pub(super) name: &'a str,
    pub(super) about: &'a str,
    pub(super) client_key: &'a str,
}

#[derive(Debug)]
pub(super) struct PersonRow {
    pub(super) name: &'static str,
    pub(super) display_name: String,
    pub(super) about: &'static str,
    pub(super) chosen: bool,
}

/// Asks a person for their consent.
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub(super) struct Consent<'a> {
    pub(super) request: &'a str,
    pub(super) app: &'a str,
    pub(super) returns_to: &'a str,
    pub(super) people: Vec<PersonRow>,
    pub(super) scopes: Vec<ScopeRow<'a>>,
}

#[derive(Debug)]
pub(super) struct ScopeRow<'a> {
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) mandatory: bool,
}

/// Says that a request was refused before consent.
#[derive(Debug, Template)]
#[template(path = "refused.html")]
pub(super) struct Refused<'a> {
    pub(super) error: &'a str,
    pub(super) error_type: &'a str,
    pub(super) explanation: &'a str,
}

/// The page as text.
pub(super) fn render(page: &impl Template) -> Result<String> {
    page.render().map_err(|error| Error::protocol(format!("the page cannot be written: {error}")))
}
