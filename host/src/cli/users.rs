use serde_json::{Value, json};

use super::args::{Admin, AdminAction, PasswordSource, Users, UsersAction};
use super::exit::Exit;
use super::output::Output;
use super::password;
use super::running::Running;
use super::setup::Setup;
use super::table::table;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{StoreError, UserRecord};
use crate::users::{NewUser, check_password, hash};

/// How the tenant of an admin is shown.
const EVERY: &str = "every";

pub(super) async fn admin(setup: &Setup, running: &Running, args: &Admin, output: Output) -> Result<Exit> {
    let AdminAction::Create { name, password } = &args.action;
    let host = setup.host(running, output).await?;
    create(&host, name, None, password, output).await
}

pub(super) async fn run(setup: &Setup, running: &Running, args: &Users, output: Output) -> Result<Exit> {
    if let Some(UsersAction::HashPassword { password }) = &args.action {
        return hash_password(password, output).await;
    }
    let host = setup.host(running, output).await?;
    match &args.action {
        None | Some(UsersAction::List | UsersAction::HashPassword { .. }) => list(&host, output).await,
        Some(UsersAction::Create { name, password }) => {
            create(&host, name, Some(&setup.global.tenant), password, output).await
        }
        Some(UsersAction::Password { name, password }) => set_password(&host, name, password, output).await,
        Some(UsersAction::Disable { name }) => disable(&host, name, output).await,
        Some(UsersAction::SignOut { name }) => sign_out(&host, name, output).await,
    }
}

async fn list(host: &Host, output: Output) -> Result<Exit> {
    let users = host.users().await?;
    output.either(&users.iter().map(user_json).collect::<Vec<_>>(), || text(&users));
    Ok(Exit::Done)
}

fn text(users: &[UserRecord]) -> String {
    if users.is_empty() {
        return "Nobody may sign in yet; `connector-host admin create NAME` makes an admin.".to_owned();
    }
    let rows = users.iter().map(|user| {
        [
            user.name.clone(),
            if user.is_admin() { "admin" } else { "member" }.to_owned(),
            user.tenant.as_deref().unwrap_or(EVERY).to_owned(),
            format!("{:.0}", user.created_at),
            if user.is_active() { "active" } else { "disabled" }.to_owned(),
        ]
    });
    table(["name", "role", "tenant", "created", "state"], rows)
}

/// A user as data. What is stored of the password is nobody's business.
fn user_json(user: &UserRecord) -> Value {
    json!({
        "id": user.id.as_str(),
        "name": user.name,
        "role": if user.is_admin() { "admin" } else { "member" },
        "tenant": user.tenant,
        "created_at": user.created_at.to_string(),
        "password_changed_at": user.password_changed_at.to_string(),
        "disabled_at": user.disabled_at.map(|at| at.to_string()),
    })
}

async fn create(
    host: &Host,
    name: &str,
    tenant: Option<&String>,
    password: &PasswordSource,
    output: Output,
) -> Result<Exit> {
    let password = password::read(password, output).await?;
    let user = host.create_user(NewUser { name: name.to_owned(), tenant: tenant.cloned(), password }).await?;
    output.either(&user_json(&user), || match tenant {
        Some(tenant) => format!("`{}` may sign in, and sees the connections of the tenant `{tenant}`.", user.name),
        None => format!("`{}` may sign in, as an admin.", user.name),
    });
    Ok(Exit::Done)
}

async fn set_password(host: &Host, name: &str, password: &PasswordSource, output: Output) -> Result<Exit> {
    let user = named(host, name).await?;
    host.set_password(&user, password::read(password, output).await?).await?;
    let text = || format!("`{}` has the new password, and is signed out everywhere.", user.name);
    output.either(&json!({ "id": user.id.as_str(), "name": user.name, "password_changed": true }), text);
    Ok(Exit::Done)
}

async fn disable(host: &Host, name: &str, output: Output) -> Result<Exit> {
    let user = named(host, name).await?;
    let disabled = host.disable_user(&user).await?;
    output.either(&json!({ "id": user.id.as_str(), "name": user.name, "disabled": disabled }), || {
        if disabled {
            format!("`{}` cannot sign in any more, and is signed out everywhere.", user.name)
        } else {
            format!("`{}` had been disabled already.", user.name)
        }
    });
    Ok(Exit::Done)
}

async fn sign_out(host: &Host, name: &str, output: Output) -> Result<Exit> {
    let user = named(host, name).await?;
    let ended = host.end_sessions(&user, None).await?;
    let text = || format!("`{}` is signed out everywhere: {ended} sessions ended.", user.name);
    output.either(&json!({ "id": user.id.as_str(), "name": user.name, "ended": ended }), text);
    Ok(Exit::Done)
}

async fn hash_password(password: &PasswordSource, output: Output) -> Result<Exit> {
    let password = password::read(password, output).await?;
    check_password(&password, "admin")?;
    let hash = hash(&Setup::context(), password).await?;
    output.either(&json!({ "password_hash": hash }), || hash.clone());
    Ok(Exit::Done)
}

async fn named(host: &Host, name: &str) -> Result<UserRecord> {
    host.user_named(name).await.map_err(|error| match error {
        Error::Store(StoreError::NotFound { id, .. }) => {
            Error::Request(format!("no user is called `{id}`; `connector-host users list` shows them"))
        }
        error => error,
    })
}
