use connector_core::{Error as CoreError, ErrorKind};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{AuditRecord, Connected, ConnectionFilter, ConnectionId, GrantState, PURGED, Purge, Purged};

impl Host {
    /// Erases an account for good: revokes its access, and deletes its connection, its history and its grant. What stays on record names
    /// nobody. True when the bytes have left the store's files as well.
    ///
    /// # Errors
    /// When its access is alive at the platform and cannot be revoked, unless it may be left so; an unknown connection; a store that
    /// cannot be written.
    pub async fn purge(&self, tenant: &str, id: &ConnectionId, leave_access: bool) -> Result<bool> {
        let host = self.clone();
        let (tenant, id) = (tenant.to_owned(), id.clone());
        self.detached(async move { host.purge_attached(&tenant, &id, leave_access).await }).await
    }

    async fn purge_attached(&self, tenant: &str, id: &ConnectionId, leave_access: bool) -> Result<bool> {
        let connected = self.connection(tenant, id).await?;
        if connected.connection.disconnected_at.is_none() {
            if !leave_access {
                self.check_revocable(&connected).await?;
            }
            self.disconnect(tenant, id).await?;
        } else if let Some(job) = self.store().revocation_of(&connected.grant.id).await? {
            self.revoke_or_wait(&job).await;
        }
        let audit = AuditRecord::new(self.context(), tenant, PURGED)?.of_connection(id).by(self.actor());
        let purge = Purge { tenant: tenant.to_owned(), connection: id.clone(), leave_access, audit };
        match self.store().purge_connection(&purge).await? {
            Purged::Done => Ok(self.store().shred().await?),
            Purged::AccessLeft => Err(self.access_left(&connected).await?),
        }
    }

    /// Nothing is changed for an access that would live on without anybody here knowing of it.
    async fn check_revocable(&self, connected: &Connected) -> Result<()> {
        let Connected { connection, grant } = connected;
        if let GrantState::Held { reason } = &grant.state {
            return Err(Error::Request(format!(
                "the connection is held here ({reason}), and its access is somebody else's as well, so it is not revoked: pass --leave-access to erase it here alone"
            )));
        }
        let filter = ConnectionFilter { tenant: connection.tenant.clone(), ..ConnectionFilter::default() };
        let shares = |other: &&Connected| {
            other.grant.id == grant.id
                && other.connection.id != connection.id
                && other.connection.disconnected_at.is_none()
        };
        let goes_on = self.store().connections(&filter).await?.iter().any(|other| shares(&other));
        if goes_on || self.revocation_if_any(grant).await?.is_some() {
            return Ok(());
        }
        Err(Error::Request(
            "its access cannot be revoked at the platform from here: let the person remove the app there, then pass --leave-access; nothing was changed"
                .to_owned(),
        ))
    }

    async fn access_left(&self, connected: &Connected) -> Result<Error> {
        let job = self.store().revocation_of(&connected.grant.id).await?;
        let error = job.as_ref().and_then(|job| job.last_error.as_ref());
        let why = error.map(|error| format!(" ({})", error.message)).unwrap_or_default();
        let when = job.map(|job| format!(" after {:.0}", job.next_try_at)).unwrap_or_default();
        let message = format!(
            "the connection is disconnected and not erased, because the platform could not be told yet that its access has ended{why}: run this again{when}, or pass --leave-access"
        );
        Ok(CoreError::new(ErrorKind::Unavailable, message).into())
    }
}
