//! Who may sign in, for admins.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use connector_core::Secret;
use serde::Deserialize;

use super::account::back_to;
use super::counts::When;
use super::extract::{Asked, Named};
use super::forms::Button;
use super::frame::Frame;
use super::said::{Done, Said};
use super::viewer::{Admin, Posted, Viewer};
use super::words::sentence;
use super::{Pages, Refused, Shown, page};
use crate::error::Error;
use crate::store::{UserId, UserRecord};
use crate::users::NewUser;

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    frame: Frame,
    said: Option<Said>,
    users: Vec<Row>,
    /// What is wrong with somebody who was to be added.
    adding: Option<String>,
    /// What is wrong with something that was to be done to a user.
    changing: Option<String>,
}

struct Row {
    id: String,
    name: String,
    tenant: Option<String>,
    since: When,
    sessions: usize,
    is_active: bool,
    is_self: bool,
}

#[derive(Template)]
#[template(path = "disable.html")]
struct DisablePage {
    frame: Frame,
    id: String,
    name: String,
}

/// What was done, or what is wrong and in which form.
enum Outcome {
    Said(Option<Said>),
    Adding(String),
    Changing(String),
}

/// Shows everybody.
pub(super) async fn show(State(pages): State<Pages>, Asked(done): Asked<Done>, Admin(viewer): Admin) -> Shown {
    users(&pages, viewer, Outcome::Said(done.said())).await
}

async fn users(pages: &Pages, viewer: Viewer, outcome: Outcome) -> Shown {
    let (mut rows, now) = (Vec::new(), pages.host.context().now());
    for user in pages.host.users().await? {
        let sessions = pages.host.sessions_of(&user).await?.len();
        rows.push(Row {
            id: user.id.to_string(),
            is_active: user.is_active(),
            is_self: user.id == viewer.signed.user.id,
            since: When::of(user.created_at, now),
            name: user.name,
            tenant: user.tenant,
            sessions,
        });
    }
    let (said, adding, changing) = match outcome {
        Outcome::Said(said) => (said, None, None),
        Outcome::Adding(why) => (None, Some(why), None),
        Outcome::Changing(why) => (None, None, Some(why)),
    };
    let is_wrong = adding.is_some() || changing.is_some();
    let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let frame = Frame::new(pages, viewer, "/users");
    Ok(page(status, &UsersPage { frame, said, users: rows, adding, changing }))
}

/// What the form says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Added {
    name: String,
    /// Of a member; empty for an admin.
    tenant: String,
    role: Role,
    password: String,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Role {
    Admin,
    Member,
}

/// Adds somebody.
pub(super) async fn add(State(pages): State<Pages>, Posted(viewer, form): Posted<Added>) -> Shown {
    let viewer = viewer.admin()?;
    let Added { name, tenant, role, password } = form;
    let tenant = match (role, tenant.trim()) {
        (Role::Member, tenant) if !tenant.is_empty() => Some(tenant.to_owned()),
        (Role::Admin, "") => None,
        (Role::Member, _) => {
            let why = "Name the tenant whose connections this member sees.".to_owned();
            return users(&pages, viewer, Outcome::Adding(why)).await;
        }
        (Role::Admin, _) => {
            let why = "An admin sees every tenant: leave the tenant empty, or add a member.".to_owned();
            return users(&pages, viewer, Outcome::Adding(why)).await;
        }
    };
    let new = NewUser { name: name.trim().to_owned(), tenant, password: Secret::from(password) };
    match viewer.host(&pages.host).create_user(new).await {
        Ok(_) => Ok(back_to("/users", "user_added")),
        Err(Error::Request(why)) => users(&pages, viewer, Outcome::Adding(sentence(&why))).await,
        Err(error) => Err(Refused::from(error)),
    }
}

/// What the form says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    password: String,
}

/// Gives a user another password.
pub(super) async fn password(
    State(pages): State<Pages>,
    Named(id): Named<String>,
    Posted(viewer, form): Posted<Password>,
) -> Shown {
    let viewer = viewer.admin()?;
    let user = found(&pages, &id).await?;
    if user.id == viewer.signed.user.id {
        let why = "Your own password is changed at your account, where the current one is asked for.".to_owned();
        return users(&pages, viewer, Outcome::Changing(why)).await;
    }
    match viewer.host(&pages.host).set_password(&user, Secret::from(form.password)).await {
        Ok(()) => Ok(back_to("/users", "user_password_set")),
        Err(Error::Request(why)) => users(&pages, viewer, Outcome::Changing(sentence(&why))).await,
        Err(error) => Err(Refused::from(error)),
    }
}

/// Asks before a user is disabled.
pub(super) async fn ask(State(pages): State<Pages>, Named(id): Named<String>, Admin(viewer): Admin) -> Shown {
    let user = found(&pages, &id).await?;
    let frame = Frame::new(&pages, viewer, "/users");
    Ok(page(StatusCode::OK, &DisablePage { frame, id: user.id.to_string(), name: user.name }))
}

/// Lets a user sign in no more.
pub(super) async fn disable(
    State(pages): State<Pages>,
    Named(id): Named<String>,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    let viewer = viewer.admin()?;
    let user = found(&pages, &id).await?;
    if user.id == viewer.signed.user.id {
        let why = "Nobody disables themselves: another admin can.".to_owned();
        return users(&pages, viewer, Outcome::Changing(why)).await;
    }
    viewer.host(&pages.host).disable_user(&user).await?;
    Ok(back_to("/users", "user_disabled"))
}

/// Ends the sessions of a user.
pub(super) async fn sign_out(
    State(pages): State<Pages>,
    Named(id): Named<String>,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    let viewer = viewer.admin()?;
    let user = found(&pages, &id).await?;
    viewer.host(&pages.host).end_sessions(&user, None).await?;
    Ok(back_to("/users", "user_signed_out"))
}

async fn found(pages: &Pages, id: &str) -> Result<UserRecord, Refused> {
    let id: UserId = id.parse().map_err(|_| Refused::nothing_here())?;
    let found = pages.host.store().user(&id).await.map_err(Error::from)?;
    found.ok_or_else(Refused::nothing_here)
}
