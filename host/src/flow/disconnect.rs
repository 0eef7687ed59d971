use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{
    AuditId, AuditRecord, Connected, ConnectionId, ConnectionRecord, Disconnection, RevocationOutcome,
    RevocationRecord, StoreError,
};

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
    /// It could not be revoked yet; it is tried again. The tokens are of no use here any more.
    Pending(Error),
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
        let Connected { connection, .. } = self.connection(tenant, id).await?;
        let (disconnection, job) = self.end(tenant, &connection).await?;
        let revocation = match (disconnection, job) {
            (Disconnection::Already, _) => {
                return Err(Error::Request("the connection is disconnected already".to_owned()));
            }
            (Disconnection::GrantGoesOn, _) => Revocation::GrantInUse,
            (Disconnection::GrantEnded, None) => Revocation::NotOffered,
            (Disconnection::GrantEnded, Some(job)) => match self.revoke(&job).await {
                Ok(RevocationOutcome::Revoked) => Revocation::Done,
                Ok(RevocationOutcome::GivenUp) => Revocation::GrantInUse,
                Err(error) => Revocation::Pending(error),
            },
        };
        self.note_disconnected(&connection, &revocation).await?;
        Ok(Disconnected { connection, revocation })
    }

    /// Ends the connection in the store, while no refresh of its grant is under way.
    async fn end(
        &self,
        tenant: &str,
        connection: &ConnectionRecord,
    ) -> Result<(Disconnection, Option<RevocationRecord>)> {
        let _guard = self.store().lock_refresh(&connection.grant_id).await?;
        let Connected { grant, .. } = self.connection(tenant, &connection.id).await?;
        // Tokens that do not open revoke nothing, and must not keep anybody from disconnecting.
        let job = self.revocation_of(&grant).unwrap_or_else(|error| {
            tracing::warn!(grant = %grant.id, %error, "the access cannot be revoked at the platform");
            None
        });
        let done = self.store().disconnect(tenant, &connection.id, self.context().now(), job.clone()).await?;
        Ok((done, job))
    }

    async fn note_disconnected(&self, connection: &ConnectionRecord, revocation: &Revocation) -> Result<()> {
        let word = match revocation {
            Revocation::Done => "revoked",
            Revocation::GrantInUse => "grant_in_use",
            Revocation::NotOffered => "revocation_not_offered",
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
