//! One connection: everything that is known of it, and giving it up.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use connector_core::ErrorKind;
use connector_core::account::FieldValue;
use jiff::Timestamp;
use serde_json::Value;

use super::card::Card;
use super::counts::{When, title};
use super::extract::{Asked, Named};
use super::facts::Facts;
use super::frame::Frame;
use super::said::{Done, Said};
use super::viewer::Viewer;
use super::{Pages, Refused, Shown, page};
use crate::error::{Error, Result};
use crate::format;
use crate::host::Host;
use crate::store::{Actor, AuditFilter, AuditRecord, Connected, LastError, UserRecord};

/// How many records of what happened are shown.
const RECORDS: u32 = 50;

#[derive(Template)]
#[template(path = "connection.html")]
struct ConnectionPage {
    frame: Frame,
    said: Option<Said>,
    card: Card,
    account_id: String,
    connected: When,
    profile: Vec<(String, String)>,
    trouble: Option<Trouble>,
    records: Vec<Record>,
}

/// What went wrong last.
struct Trouble {
    when: When,
    message: String,
    code: Option<String>,
    log_id: Option<String>,
}

/// Something that happened.
struct Record {
    when: When,
    event: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "disconnect.html")]
struct DisconnectPage {
    frame: Frame,
    card: Card,
}

/// Shows it.
pub(super) async fn show(
    viewer: Viewer,
    State(pages): State<Pages>,
    Named(id): Named<String>,
    Asked(done): Asked<Done>,
) -> Shown {
    let host = pages.host.pinned();
    let connected = found(&host, &viewer, &id).await?;
    let now = host.context().now();
    let connection = &connected.connection;
    let profile =
        connection.profile.iter().filter(|(name, _)| is_shown(name)).map(|(name, value)| (title(name), text(value)));
    let page_of = ConnectionPage {
        said: done.said(),
        account_id: format::line(&connection.account_id),
        connected: When::of(connection.created_at, now),
        profile: profile.collect(),
        trouble: trouble(&viewer, &connected, now),
        records: records(&host, &viewer, &connected).await?,
        card: Card { is_alone: true, ..card(&host, &viewer, &connected).await? },
        frame: Frame::new(&pages, viewer, "/"),
    };
    Ok(page(StatusCode::OK, &page_of))
}

/// Asks before it is given up.
pub(super) async fn ask(viewer: Viewer, State(pages): State<Pages>, Named(id): Named<String>) -> Shown {
    let host = pages.host.pinned();
    let connected = found(&host, &viewer, &id).await?;
    let card = card(&host, &viewer, &connected).await?;
    Ok(page(StatusCode::OK, &DisconnectPage { card, frame: Frame::new(&pages, viewer, "/") }))
}

/// A connection of the viewer's tenant. What is another's is not found.
pub(super) async fn found(host: &Host, viewer: &Viewer, id: &str) -> Result<Connected, Refused> {
    let id = id.parse().map_err(|_| Refused::nothing_here())?;
    let found = host.store().connection(&viewer.tenant, &id).await.map_err(Error::from)?;
    found.ok_or_else(Refused::nothing_here)
}

/// Its card.
pub(super) async fn card(host: &Host, viewer: &Viewer, connected: &Connected) -> Result<Card> {
    Ok(Card::of(host, viewer, connected, &Facts::of(host, &[connected]).await?))
}

async fn records(host: &Host, viewer: &Viewer, connected: &Connected) -> Result<Vec<Record>> {
    let filter = AuditFilter {
        connection: Some(connected.connection.id.clone()),
        limit: Some(RECORDS),
        ..AuditFilter::default()
    };
    let now = host.context().now();
    let found = host.store().audit(&viewer.tenant, &filter).await?;
    let users = host.users().await?;
    Ok(found.iter().map(|record| Record::of(record, &users, When::of(record.at, now))).collect())
}

/// What the operator set wrongly is told to admins alone.
fn trouble(viewer: &Viewer, connected: &Connected, now: Timestamp) -> Option<Trouble> {
    let error = connected.grant.last_error.as_ref()?;
    let is_hidden = !viewer.is_admin && error.kind == ErrorKind::Config.as_str();
    (!is_hidden).then(|| Trouble::of(error, When::of(error.at, now)))
}

impl Trouble {
    fn of(error: &LastError, when: When) -> Self {
        let line = |text: &Option<String>| text.as_deref().map(format::line);
        Self { when, message: format::line(&error.message), code: line(&error.code), log_id: line(&error.log_id) }
    }
}

impl Record {
    fn of(record: &AuditRecord, users: &[UserRecord], when: When) -> Self {
        Self { when, event: title(&record.event), detail: details(&record.detail, users) }
    }
}

/// What is told elsewhere on the page is not told again, and the signed addresses of pictures are nobody's business.
fn is_shown(field: &str) -> bool {
    !field.starts_with("avatar") && !matches!(field, "id" | "display_name" | "handle")
}

/// Details as words: `app: default, platform: example`.
fn details(json: &str, users: &[UserRecord]) -> String {
    let Ok(Value::Object(details)) = serde_json::from_str(json) else { return format::line(json) };
    let told = details.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = if name == "by" { person(value, users) } else { value };
        format!("{}: {value}", name.replace('_', " "))
    });
    format::line(&told.collect::<Vec<_>>().join(", "))
}

/// Who had something done: a user by the name that is not on record.
fn person(by: String, users: &[UserRecord]) -> String {
    let user = users.iter().find(|user| Actor::User(user.id.clone()).to_string() == by);
    user.map_or(by, |user| user.name.clone())
}

fn text(value: &FieldValue) -> String {
    match value {
        // What is behind a question mark may be signed.
        FieldValue::Text(text) if text.starts_with("https://") => {
            format::line(text.split(['?', '#']).next().unwrap_or_default())
        }
        FieldValue::Text(text) if text.is_empty() => "(empty)".to_owned(),
        FieldValue::Text(text) => format::line(text),
        FieldValue::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        FieldValue::Integer(number) => number.to_string(),
    }
}
