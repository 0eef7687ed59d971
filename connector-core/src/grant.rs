//! What a person allowed, and the tokens that prove it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use url::Url;

use crate::scope::{GrantScopes, Granted};
use crate::{Error, Result, Secret};

/// The origins a connector calls, by the names its platform file gives them, such as `authorize` and `api`.
///
/// A grant keeps those it was made with and is never sent anywhere else.
pub type BaseUrls = BTreeMap<String, Url>;

/// The tokens of a grant.
#[derive(Clone, Debug)]
pub struct TokenSet {
    /// Authenticates calls.
    pub access: Secret,
    /// When it expires, if the platform said.
    pub access_expires_at: Option<Timestamp>,
    /// Gets the next pair, where the platform has such a thing. Never empty.
    pub refresh: Option<Secret>,
    /// When it expires, if the platform said.
    pub refresh_expires_at: Option<Timestamp>,
}

/// What a person allowed: tokens, scopes, and where they belong.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The tokens.
    pub tokens: TokenSet,
    /// The scopes asked for and given.
    pub scopes: GrantScopes,
    /// The platform's raw, stable id of whoever allowed it, where the token answer carries one.
    pub subject: Option<String>,
    /// The origins the grant was made with.
    pub base_urls: BaseUrls,
}

/// What a token endpoint answered, read.
#[derive(Clone, Debug)]
pub struct TokenAnswer {
    /// The tokens. An answer to a refresh may lack the refresh token: then the old one goes on.
    pub tokens: TokenSet,
    /// The scopes, if the answer lists them.
    pub granted: Granted,
    /// The platform's id of whoever allowed it, if the answer carries one.
    pub subject: Option<String>,
}

impl Grant {
    /// Takes over the answer to a refresh: the new tokens, a new refresh token only if one came, the scopes if it lists them.
    ///
    /// # Errors
    /// [`ErrorKind::ReauthRequired`](crate::ErrorKind) when the answer belongs to somebody else; the grant is then unchanged.
    pub fn take_refreshed(&mut self, answer: TokenAnswer) -> Result<()> {
        if let (Some(ours), Some(theirs)) = (&self.subject, &answer.subject)
            && ours != theirs
        {
            return Err(Error::reauth_required(
                "identity_changed",
                "the platform answered the refresh with another account's tokens, which were not stored",
            ));
        }
        let TokenSet { refresh, refresh_expires_at, .. } = std::mem::replace(&mut self.tokens, answer.tokens);
        if self.tokens.refresh.is_none() {
            self.tokens.refresh = refresh;
            self.tokens.refresh_expires_at = self.tokens.refresh_expires_at.or(refresh_expires_at);
        }
        self.scopes.observe(answer.granted);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(access: &str, refresh: Option<&str>) -> TokenSet {
        TokenSet {
            access: access.into(),
            access_expires_at: None,
            refresh: refresh.map(Secret::from),
            refresh_expires_at: None,
        }
    }

    fn grant() -> Grant {
        Grant {
            tokens: tokens("a1", Some("r1")),
            scopes: GrantScopes::default(),
            subject: Some("-7".into()),
            base_urls: BaseUrls::new(),
        }
    }

    fn answer(refresh: Option<&str>, subject: Option<&str>) -> TokenAnswer {
        TokenAnswer { tokens: tokens("a2", refresh), granted: Granted::Unknown, subject: subject.map(str::to_owned) }
    }

    #[test]
    fn a_new_refresh_token_replaces_and_an_absent_one_keeps() {
        let mut grant = grant();
        grant.take_refreshed(answer(Some("r2"), Some("-7"))).unwrap();
        assert!(grant.tokens.refresh.as_ref().unwrap().matches("r2"));
        grant.take_refreshed(answer(None, None)).unwrap();
        assert!(grant.tokens.refresh.unwrap().matches("r2"));
    }

    #[test]
    fn another_accounts_tokens_are_refused_and_nothing_changes() {
        let mut grant = grant();
        let error = grant.take_refreshed(answer(Some("r2"), Some("-8"))).unwrap_err();
        assert_eq!(error.kind().as_str(), "reauth_required");
        assert!(grant.tokens.access.matches("a1"));
    }
}
