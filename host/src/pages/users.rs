//! Who may sign in, for admins.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use connector_core::Secret;
use serde::Deserialize;

use super::account::back_to;
use super::forms::Button;
use super::frame::Frame;
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
    since: String,
    sessions: usize,
    is_active: bool,
    is_self: bool,
}

/// What is wrong, and in which form.
enum Wrong {
    Nothing,
    Adding(String),
    Changing(String),
}

/// Shows everybody.
pub(super) async fn show(State(pages): State<Pages>, Admin(viewer): Admin) -> Shown {
    users(&pages, viewer, Wrong::Nothing).await
}

async fn users(pages: &Pages, viewer: Viewer, wrong: Wrong) -> Shown {
    let mut rows = Vec::new();
    for user in pages.host.users().await? {
        let sessions = pages.host.sessions_of(&user).await?.len();
        rows.push(Row {
            id: user.id.to_string(),
            is_active: user.is_active(),
            is_self: user.id == viewer.signed.user.id,
            since: format!("{:.0}", user.created_at),
            name: user.name,
            tenant: user.tenant,
            sessions,
        });
    }
    let (status, adding, changing) = match wrong {
        Wrong::Nothing => (StatusCode::OK, None, None),
        Wrong::Adding(why) => (StatusCode::UNPROCESSABLE_ENTITY, Some(why), None),
        Wrong::Changing(why) => (StatusCode::UNPROCESSABLE_ENTITY, None, Some(why)),
    };
    Ok(page(status, &UsersPage { frame: Frame::new(pages, viewer, "/users"), users: rows, adding, changing }))
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
            return users(&pages, viewer, Wrong::Adding(why)).await;
        }
        (Role::Admin, _) => {
            let why = "An admin sees every tenant: leave the tenant empty, or add a member.".to_owned();
            return users(&pages, viewer, Wrong::Adding(why)).await;
        }
    };
    let new = NewUser { name: name.trim().to_owned(), tenant, password: Secret::from(password) };
    match pages.host.create_user(new).await {
        Ok(_) => Ok(back_to("/users")),
        Err(Error::Request(why)) => users(&pages, viewer, Wrong::Adding(sentence(&why))).await,
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
    Path(id): Path<String>,
    Posted(viewer, form): Posted<Password>,
) -> Shown {
    let viewer = viewer.admin()?;
    let user = found(&pages, &id).await?;
    if user.id == viewer.signed.user.id {
        let why = "Your own password is changed at your account, where the current one is asked for.".to_owned();
        return users(&pages, viewer, Wrong::Changing(why)).await;
    }
    match pages.host.set_password(&user, Secret::from(form.password)).await {
        Ok(()) => Ok(back_to("/users")),
        Err(Error::Request(why)) => users(&pages, viewer, Wrong::Changing(sentence(&why))).await,
        Err(error) => Err(Refused::from(error)),
    }
}

/// Lets a user sign in no more.
pub(super) async fn disable(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    let viewer = viewer.admin()?;
    let user = found(&pages, &id).await?;
    if user.id == viewer.signed.user.id {
        let why = "Nobody disables themselves: another admin can.".to_owned();
        return users(&pages, viewer, Wrong::Changing(why)).await;
    }
    pages.host.disable_user(&user).await?;
    Ok(back_to("/users"))
}

/// Ends the sessions of a user.
pub(super) async fn sign_out(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    viewer.admin()?;
    let user = found(&pages, &id).await?;
    pages.host.end_sessions(&user, None).await?;
    Ok(back_to("/users"))
}

async fn found(pages: &Pages, id: &str) -> Result<UserRecord, Refused> {
    let id: UserId = id.parse().map_err(|_| Refused::nothing_here())?;
    let found = pages.host.store().user(&id).await.map_err(Error::from)?;
    found.ok_or_else(Refused::nothing_here)
}
