use crate::error::{Error, Result};
use crate::host::Host;
use crate::revoke::Revoked;
use crate::store::{
    AuditId, AuditRecord, Connected, ConnectionId, ConnectionRecord, Disconnection, GrantRecord, RevocationRecord,
    StoreError,
};

/// How often a disconnect is tried whose grants move while it is prepared.
const ATTEMPTS: u32 = 4;

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
    /// The person's access is still used: by other connections of the grant, or by another grant of theirs.
    GrantInUse,
    /// The platform has no way to revoke it, or its tokens do not open any more: the person can remove the app there.
    NotOffered,
    /// The platform no longer takes the tokens: the access may be gone there, or live on without anybody who could use it.
    Unconfirmed,
    /// It could not be revoked yet; it is tried again. The tokens are of no use here any more.
    Pending(Error),
}

/// What ended in the store, and what is left to tell the platform.
struct Ended {
    connection: ConnectionRecord,
    disconnection: Disconnection,
    /// The revocation of the connection's own grant, if the platform takes one.
    own: Option<RevocationRecord>,
    /// Those of grants that would have linked the account again.
    others: Vec<RevocationRecord>,
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
        let host = self.clone();
        let (tenant, id) = (tenant.to_owned(), id.clone());
        self.detached(async move { host.disconnect_attached(&tenant, &id).await }).await
    }

    async fn disconnect_attached(&self, tenant: &str, id: &ConnectionId) -> Result<Disconnected> {
        let Ended { connection, disconnection, own, others } = self.end(tenant, id).await?;
        let revocation = match (disconnection, own) {
            (Disconnection::Already, _) => {
                return Err(Error::Request("the connection is disconnected already".to_owned()));
            }
            (Disconnection::GrantGoesOn, _) => Revocation::GrantInUse,
            (Disconnection::GrantEnded, None) => Revocation::NotOffered,
            (Disconnection::GrantEnded, Some(job)) => match self.revoke(&job).await {
                Ok(Revoked::Done) => Revocation::Done,
                Ok(Revoked::AccessShared) => Revocation::GrantInUse,
                Ok(Revoked::TokensDead) => Revocation::Unconfirmed,
                Err(error) => Revocation::Pending(error),
            },
        };
        for job in &others {
            self.revoke_or_wait(job).await;
        }
        self.note_disconnected(&connection, &revocation).await?;
        Ok(Disconnected { connection, revocation })
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
        let own = self.revocation_if_any(&connected.grant);
        let waiting = self.store().unlinked_grants(tenant).await?;
        let waiting = waiting.iter().filter(|grant| grant.would_link(&connected));
        let others: Vec<_> = waiting.filter_map(|grant| self.revocation_if_any(grant)).collect();
        let all = own.iter().chain(&others).cloned().collect();
        let disconnection = self.store().disconnect(tenant, id, self.context().now(), all).await?;
        Ok(Ended { connection: connected.connection, disconnection, own, others })
    }

    /// Ends a grant that nothing works by, and the access it stands for.
    pub(super) async fn give_up(&self, grant: &GrantRecord) -> Result<()> {
        if let Some(job) = self.end_unused(grant).await? {
            self.revoke_or_wait(&job).await;
        }
        Ok(())
    }

    async fn end_unused(&self, grant: &GrantRecord) -> Result<Option<RevocationRecord>> {
        let Some(grant) = self.store().grant(&grant.tenant, &grant.id).await? else { return Ok(None) };
        let job = self.revocation_if_any(&grant);
        let ended = self.store().give_up_grant(&grant.tenant, &grant.id, job.clone()).await?;
        Ok(job.filter(|_| ended))
    }

    /// Tokens that do not open revoke nothing, and must not keep anybody from giving a grant up.
    fn revocation_if_any(&self, grant: &GrantRecord) -> Option<RevocationRecord> {
        self.revocation_of(grant).unwrap_or_else(|error| {
            tracing::warn!(grant = %grant.id, %error, "the access cannot be revoked at the platform");
            None
        })
    }

    async fn note_disconnected(&self, connection: &ConnectionRecord, revocation: &Revocation) -> Result<()> {
        let word = match revocation {
            Revocation::Done => "revoked",
            Revocation::GrantInUse => "grant_in_use",
            Revocation::NotOffered => "revocation_not_offered",
            Revocation::Unconfirmed => "revocation_unconfirmed",
            Revocation::Pending(_) => "revocation_pending",
        };
        let record = AuditRecord {
            id: AuditId::new(self.context())?,
            at: self.context().now(),
            tenant: connection.tenant.clone(),
            event: "disconnected".to_owned(),
            connection: Some(connection.id.clone()),
            grant: Some(connection.grant_id.clone()),
            detail: serde_json::json!({ "access": word }).to_string(),
        };
        Ok(self.store().append_audit(&record).await?)
    }
}
