//! The people who sign in to the pages: adding them, their passwords, their sessions, and how often somebody may guess.

mod door;
#[cfg(any(test, feature = "cli"))]
mod first;
mod guesses;
mod password;
mod session;
mod set_up;
#[cfg(test)]
mod tests;

use connector_core::{Context, Secret};
use serde_json::json;

pub(crate) use self::door::{Answer, Door, Knock};
#[cfg(any(test, feature = "cli"))]
pub(crate) use self::first::check_hash;
pub(crate) use self::guesses::Browser;
pub(crate) use self::password::{check_password, hash};
pub(crate) use self::session::{SessionToken, Signed, form_token};
pub use self::set_up::SetUp;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{AuditRecord, StoreError, UserCondition, UserId, UserRecord, WHOLE_STORE};

/// How many characters the name of a user may have.
const LONGEST_NAME: usize = 100;

/// Somebody who is to sign in.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What the user signs in with: up to 100 characters in one line.
    pub name: String,
    /// Whose connections the user sees. `None` makes an admin, who sees those of every tenant.
    pub tenant: Option<String>,
    /// The password: at least 12 characters, and nothing that is guessed first.
    pub password: Secret,
}

impl Host {
    /// Adds somebody who may sign in to the pages.
    ///
    /// # Errors
    /// A name that is none or is taken; a password that is too short, too long or too easy to guess; a store that is another instance's or
    /// cannot be written.
    pub async fn create_user(&self, new: NewUser) -> Result<UserRecord> {
        let name = new.name.clone();
        self.add(new, UserCondition::Any).await?.ok_or_else(|| {
            Error::Request(format!("there is a user `{}` already: choose another name", name.escape_debug()))
        })
    }

    /// Adds the first admin. `None` when there is one already, or the name is taken.
    pub(crate) async fn create_first_admin(&self, name: String, password: Secret) -> Result<Option<UserRecord>> {
        self.add(NewUser { name, tenant: None, password }, UserCondition::NoAdmin).await
    }

    async fn add(&self, new: NewUser, when: UserCondition) -> Result<Option<UserRecord>> {
        check_name(&new.name)?;
        if new.tenant.as_ref().is_some_and(String::is_empty) {
            return Err(Error::Request("no tenant is named by the empty text".to_owned()));
        }
        check_password(&new.password, &new.name)?;
        let password_hash = hash(self.context(), new.password).await?;
        self.add_with_hash(new.name, new.tenant, password_hash, when).await
    }

    async fn add_with_hash(
        &self,
        name: String,
        tenant: Option<String>,
        password_hash: String,
        when: UserCondition,
    ) -> Result<Option<UserRecord>> {
        let (cx, now) = (self.context(), self.context().now());
        let (id, created_at, password_changed_at) = (UserId::new(cx)?, now, now);
        let user = UserRecord { id, name, tenant, password_hash, created_at, password_changed_at, disabled_at: None };
        let added = self.store().put_user(&user, when, &record(cx, "user_created", &user)?.by(self.actor())).await?;
        Ok(added.then_some(user))
    }

    /// Everybody who ever could sign in, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn users(&self) -> Result<Vec<UserRecord>> {
        Ok(self.store().users().await?)
    }

    /// The user of a name, however it is capitalised.
    ///
    /// # Errors
    /// A name that nobody has; a store that cannot be read.
    pub async fn user_named(&self, name: &str) -> Result<UserRecord> {
        let found = self.store().user_by_name(name).await?;
        found.ok_or_else(|| StoreError::NotFound { what: "user", id: name.escape_debug().to_string() }.into())
    }

    /// Whether somebody can add others and look at every tenant.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn has_admin(&self) -> Result<bool> {
        Ok(self.store().users().await?.iter().any(UserRecord::is_admin))
    }

    /// Gives a user another password, and ends every session of the user.
    ///
    /// # Errors
    /// A password that is too short, too long or too easy to guess; an unknown user; a store that is another instance's or cannot be
    /// written.
    pub async fn set_password(&self, user: &UserRecord, password: Secret) -> Result<()> {
        check_password(&password, &user.name)?;
        let hash = hash(self.context(), password).await?;
        self.set_hash(user, &hash).await
    }

    async fn set_hash(&self, user: &UserRecord, hash: &str) -> Result<()> {
        let (cx, now) = (self.context(), self.context().now());
        let record = record(cx, "password_changed", user)?.by(self.actor());
        if self.store().set_password(&user.id, hash, now, &record).await? {
            return Ok(());
        }
        Err(StoreError::NotFound { what: "user", id: user.id.to_string() }.into())
    }

    /// Lets a user sign in no more, for good, and ends every session of the user. False when that had been done before.
    ///
    /// # Errors
    /// A store that is another instance's or cannot be written.
    pub async fn disable_user(&self, user: &UserRecord) -> Result<bool> {
        let cx = self.context();
        let record = record(cx, "user_disabled", user)?.by(self.actor());
        Ok(self.store().disable_user(&user.id, cx.now(), &record).await?)
    }
}

/// What goes on record of what becomes of a user, by the id alone.
fn record(cx: &Context, event: &str, user: &UserRecord) -> Result<AuditRecord> {
    let tenant = user.tenant.as_deref().unwrap_or(WHOLE_STORE);
    let detail = json!({ "user": user.id.as_str(), "admin": user.is_admin() });
    Ok(AuditRecord::new(cx, tenant, event)?.with(&detail))
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.trim() != name || name.chars().count() > LONGEST_NAME || name.contains(char::is_control)
    {
        let why = "the name of a user is one line of 1 to 100 characters, without a space at either end";
        return Err(Error::Request(why.to_owned()));
    }
    Ok(())
}
