//! The way in: a name and a password, and what comes of them.

use std::sync::atomic::{AtomicU64, Ordering};

use connector_core::{Context, Secret};
use tokio::sync::OnceCell;

use super::guesses::{Guess, Guesses};
use super::{Browser, SessionToken, check_name, password};
use crate::client::Client;
use crate::error::Result;
use crate::host::Host;
use crate::store::UserRecord;

/// Where people sign in. It remembers who guesses.
pub(crate) struct Door {
    guesses: Guesses,
    /// The hash of a password that nobody has: what a name is compared with that nobody has.
    nobody: OnceCell<String>,
    /// How many passwords were compared.
    compared: AtomicU64,
}

/// Somebody who wants to come in.
pub(crate) struct Knock {
    pub(crate) name: String,
    pub(crate) password: Secret,
    pub(crate) browser: Browser,
    pub(crate) client: Option<Client>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The user is in.
    In(SessionToken),
    /// The name or the password is wrong, or the user may not come in.
    Wrong,
    /// There were too many guesses, and this one was not looked at.
    TooMany,
}

impl Door {
    pub(crate) fn new(cx: &Context) -> Self {
        Self { guesses: Guesses::new(cx), nobody: OnceCell::new(), compared: AtomicU64::new(0) }
    }

    /// Lets a user in who says the right password. What it costs does not tell whether there is such a user.
    ///
    /// # Errors
    /// When the store or the machine does not play along.
    pub(crate) async fn answer(&self, host: &Host, knock: Knock) -> Result<Answer> {
        let Knock { name, password, browser, client } = knock;
        let guess = Guess::at(&name, browser, client);
        if !self.guesses.admit(host.context(), &guess) {
            return Ok(Answer::TooMany);
        }
        // What cannot be a name is nobody's, and no store is asked for it.
        let user = match check_name(&name) {
            Ok(()) => host.store().user_by_name(&name).await?,
            Err(_) => None,
        };
        let Some(user) = self.found(host, user, password).await? else { return Ok(Answer::Wrong) };
        let Some(token) = host.begin_session(&user).await? else { return Ok(Answer::Wrong) };
        self.guesses.was_right(host.context(), &guess);
        Ok(Answer::In(token))
    }

    /// Whether a user who is in says the right password once more. It is a guess like any other.
    pub(crate) async fn confirm(&self, host: &Host, user: UserRecord, knock: Knock) -> Result<bool> {
        let guess = Guess::at(&user.name, knock.browser, knock.client);
        if !self.guesses.admit(host.context(), &guess) {
            return Ok(false);
        }
        let is_right = self.found(host, Some(user), knock.password).await?.is_some();
        if is_right {
            self.guesses.was_right(host.context(), &guess);
        }
        Ok(is_right)
    }

    /// The user, if the password is right and he may come in.
    async fn found(&self, host: &Host, user: Option<UserRecord>, password: Secret) -> Result<Option<UserRecord>> {
        let nobody = self.nobody(host.context()).await?;
        let stored = user.as_ref().map_or(nobody, |user| &user.password_hash).clone();
        self.compared.fetch_add(1, Ordering::Relaxed);
        let is_right = password::matches(password, stored).await?;
        Ok(user.filter(|user| is_right && user.is_active()))
    }

    async fn nobody(&self, cx: &Context) -> Result<&String> {
        self.nobody.get_or_try_init(async || password::hash(cx, cx.random_token()?).await).await
    }

    #[cfg(test)]
    pub(super) fn compared(&self) -> u64 {
        self.compared.load(Ordering::Relaxed)
    }
}
