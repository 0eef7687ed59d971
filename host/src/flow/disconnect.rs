use serde_json::json;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::revoke::Revoked;
use crate::store::{
    AuditId, AuditRecord, Connected, ConnectionId, ConnectionRecord, Disconnect, Disconnection, GrantRecord,
    GrantState, NewRevocation, StoreError,
};
use crate::tokens::Opened;

/// How often a disconnect is tried whose grants move while it is prepared. A refresh moves one twice: when it begins, and when it ends.
const ATTEMPTS: u32 = 6;

/// What became of a connection that was given up.
#[derive(Debug)]
pub struct Disconnected {
    /// The connection.
    pub connection: ConnectionRecord,
    /// What became of the access at the platform.
    pub revocation: Revocation,
}

/// What became of the access at the platform.
#[derive(Debug)]
pub enum Revocation {
    /// It is revoked.
    Done,
    /// The person's access is still used: by other connections of the grant, or by another grant of theirs. Where nobody knows who the
    /// person is, any other grant counts.
    GrantInUse,
    /// The platform has no way to revoke it, or its tokens do not open any more: the person can remove the app there.
    NotOffered,
    /// It was held for somebody else who uses it, so it was left alone.
    NotOurs,
    /// The platform no longer takes the tokens: the access may be gone there, or live on without anybody who could use it.
    Unconfirmed,
    /// It could not be revoked yet; it is tried again. The tokens are of no use here any more.
    Pending(Error),
}

/// What ended in the store, and what is left to tell the platform.
struct Ended {
    /// As it was before.
    connected: Connected,
    disconnection: Disconnection,
    /// The revocation of the connection's own grant, if the platform takes one.
    own: Option<NewRevocation>,
    /// Those of grants that would have linked the account again.
    others: Vec<NewRevocation>,
}

impl Host {
    /// A tenant's connection with its grant.
    ///
    /// # Errors
    /// When there is none.
    pub async fn connection(&self, tenant: &str, id: &ConnectionId) -> Result<Connected> {
        let found = self.store().connection(tenant, id).await?;
        found.ok_or_else(|| StoreError::NotFound { what: "connection", id: id.to_string() }.into())
    }

    /// Gives a connection up. Its tokens are unusable here at once. The last connection of a grant revokes it at the platform, now or,
    /// should that fail, later.
    ///
    /// # Errors
    /// An unknown connection, or one that is disconnected already; a store that cannot be written.
    pub async fn disconnect(&self, tenant: &str, id: &ConnectionId) -> Result<Disconnected> {
        let host = self.pinned();
        let (tenant, id) = (tenant.to_owned(), id.clone());
        self.detached(async move { host.disconnect_attached(&tenant, &id).await }).await
    }

    async fn disconnect_attached(&self, tenant: &str, id: &ConnectionId) -> Result<Disconnected> {
        let Ended { connected, disconnection, own, others } = self.end(tenant, id).await?;
        let revocation = match (disconnection, own) {
            (Disconnection::Already, _) => {
                return Err(Error::Request("the connection is disconnected already".to_owned()));
            }
            (Disconnection::GrantGoesOn, _) => Revocation::GrantInUse,
            (Disconnection::GrantEnded, None) if is_held(&connected.grant) => Revocation::NotOurs,
            (Disconnection::GrantEnded, None) => Revocation::NotOffered,
            (Disconnection::GrantEnded, Some(job)) => match self.revoke(&job.record).await {
                Ok(Revoked::Done) => Revocation::Done,
                Ok(Revoked::AccessShared | Revoked::PersonUnknown) => Revocation::GrantInUse,
                Ok(Revoked::TokensDead) => Revocation::Unconfirmed,
                Err(error) => Revocation::Pending(error),
            },
        };
        for job in &others {
            self.revoke_or_wait(&job.record).await;
        }
        Ok(Disconnected { connection: connected.connection, revocation })
    }

    /// Ends the connection in the store. A grant that moves meanwhile is read again.
    async fn end(&self, tenant: &str, id: &ConnectionId) -> Result<Ended> {
        for _ in 1..ATTEMPTS {
            match self.try_end(tenant, id).await {
                Err(Error::Store(StoreError::Conflict(why))) => tracing::debug!(connection = %id, why, "trying again"),
                done => return done,
            }
        }
        self.try_end(tenant, id).await
    }

    /// Ends it, also while a refresh of its grant is under way: tokens that come later are given up.
    async fn try_end(&self, tenant: &str, id: &ConnectionId) -> Result<Ended> {
        let connected = self.connection(tenant, id).await?;
        let mut own = self.revocation_if_any(&connected.grant).await?;
        if let Some(own) = &mut own {
            // An imported grant does not say whose it is; the account is the best name there is.
            own.record.subject.get_or_insert_with(|| connected.connection.account_id.clone());
        }
        let waiting = self.store().unlinked_grants(tenant).await?;
        let mut others = Vec::new();
        for grant in waiting.iter().filter(|grant| grant.would_link(&connected)) {
            others.extend(self.revocation_if_any(grant).await?);
        }
        let disconnect = Disconnect {
            tenant: tenant.to_owned(),
            connection: id.clone(),
            revocations: own.iter().chain(&others).cloned().collect(),
            audit: AuditId::new(self.context())?,
            by: self.actor().cloned(),
            now: self.context().now(),
        };
        let disconnection = self.store().disconnect(&disconnect).await?;
        Ok(Ended { connected, disconnection, own, others })
    }

    /// Ends a grant that nothing works by, and the access it stands for. Why is one stable word.
    pub(super) async fn give_up(&self, grant: &GrantRecord, why: &str) -> Result<()> {
        if let Some(job) = self.end_unused(grant, why).await? {
            self.revoke_or_wait(&job.record).await;
        }
        Ok(())
    }

    async fn end_unused(&self, grant: &GrantRecord, why: &str) -> Result<Option<NewRevocation>> {
        let Some(grant) = self.store().grant(&grant.tenant, &grant.id).await? else { return Ok(None) };
        let job = self.revocation_if_any(&grant).await?;
        let audit = AuditRecord::new(self.context(), &grant.tenant, "access_given_up")?.of_grant(&grant.id);
        let audit = audit.with(&json!({ "why": why, "to_be_revoked": job.is_some() }));
        let ended = self.store().give_up_grant(&grant.tenant, &grant.id, job.clone(), &audit).await?;
        Ok(job.filter(|_| ended))
    }

    /// Tokens that are lost revoke nothing, and must not keep anybody from giving a grant up. Those of a grant that is held are somebody
    /// else's as well.
    ///
    /// # Errors
    /// When the keys at hand are not the store's, or cannot be read: what does not open here may open elsewhere.
    pub(super) async fn revocation_if_any(&self, grant: &GrantRecord) -> Result<Option<NewRevocation>> {
        if is_held(grant) || grant.access.is_none() {
            return Ok(None);
        }
        if let Err(error) = self.platform(grant.platform.as_str()) {
            return Ok(not_revocable(grant, &error));
        }
        match self.open_latest(grant, |record| self.open_record(record)).await? {
            Opened::As(tokens) => {
                let record = self.revocation_with(grant, &tokens)?;
                Ok(record.map(|record| NewRevocation { record, mark: grant.refresh_mark.clone() }))
            }
            Opened::Lost(_, error) => Ok(not_revocable(grant, &error)),
        }
    }
}

fn not_revocable(grant: &GrantRecord, error: &Error) -> Option<NewRevocation> {
    tracing::warn!(grant = %grant.id, %error, "the access cannot be revoked at the platform");
    None
}

fn is_held(grant: &GrantRecord) -> bool {
    matches!(grant.state, GrantState::Held { .. })
}
