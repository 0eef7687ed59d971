//! A platform that says that a scope is missing, where the host asked for nothing but what the grant holds: the grant has lost something.

use connector_core::account::Session;
use connector_core::scope::{GrantScopes, Granted, GrantedSource};
use connector_core::{ErrorKind, ScopeSet};

use super::Because;
use crate::error::Result;
use crate::host::Host;
use crate::store::{GrantId, GrantRecord};

impl Host {
    /// The grant as the platform says it is now, if that is news to whoever was told with this session that a scope is missing.
    ///
    /// The platform says so in its answer to a refresh. A token set is spent on that question once: what was told since it was issued, and
    /// was told again, has been asked already.
    ///
    /// # Errors
    /// When the grant needs its person, or the store cannot be read.
    pub(crate) async fn session_with_news(
        &self,
        tenant: &str,
        grant: &GrantId,
        told: &Session,
    ) -> Result<Option<Session>> {
        let record = self.live_grant(tenant, grant).await?;
        let mut session = self.opened_for_calls(&record).await?.session;
        if session.grant.tokens.access.matches(told.grant.tokens.access.expose()) {
            if was_asked(&record) || !self.may_tell(&record).await? {
                return Ok(None);
            }
            session = match self.renewed(&record, Because::Scopes).await {
                Ok(current) => current.session,
                Err(error) if matches!(error.kind(), Some(ErrorKind::ReauthRequired { .. })) => return Err(error),
                Err(error) => {
                    tracing::warn!(grant = %record.id, %error, "what the grant still allows could not be asked");
                    return Ok(None);
                }
            };
        }
        session.app.wanted.check_required(&session.grant.scopes)?;
        Ok((session.grant.scopes.granted != told.grant.scopes.granted).then_some(session))
    }

    /// Whether an answer to a refresh can be had, and says which scopes there are.
    async fn may_tell(&self, record: &GrantRecord) -> Result<bool> {
        let platform = self.platform(record.platform.as_str())?;
        let oauth = platform.connector.oauth();
        let session = self.opened(record).await?.session;
        let refreshes = oauth.refresh_request(&session.app, &session.grant).is_ok();
        Ok(refreshes && lists_scopes(&session.grant.scopes))
    }
}

/// Whether the platform lists scopes with its tokens.
fn lists_scopes(scopes: &GrantScopes) -> bool {
    matches!(scopes.granted, Granted::Known { source: GrantedSource::Token, .. })
}

/// Whether a missing scope was told of this token set before.
fn was_asked(record: &GrantRecord) -> bool {
    let word = ErrorKind::MissingScopes { scopes: ScopeSet::new() }.as_str();
    record.last_error.as_ref().is_some_and(|error| error.kind == word && error.at >= record.issued_at)
}
