use serde_json::json;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{AuditRecord, Connected, GrantState, StateChange};

impl Host {
    /// Takes a connection that is held into use: from now on this host refreshes its tokens, and nobody else may.
    ///
    /// # Errors
    /// When it is not held, or changes meanwhile.
    pub async fn adopt(&self, connected: &Connected) -> Result<()> {
        let Connected { connection, grant } = connected;
        let GrantState::Held { reason } = &grant.state else {
            return Err(Error::Request(format!(
                "the connection {} is not held, so there is nothing to adopt",
                connection.id
            )));
        };
        let audit = AuditRecord::new(self.context(), &grant.tenant, "adopted")?;
        let audit = audit.of_connection(&connection.id).of_grant(&grant.id).with(&json!({ "was": reason }));
        let audit = audit.by(self.actor());
        let change = StateChange {
            grant: grant.id.clone(),
            generation: grant.generation,
            seen: grant.state.clone(),
            state: GrantState::Active,
            since: self.context().now(),
            audit,
        };
        if self.store().set_grant_state(&change).await? {
            return Ok(());
        }
        Err(Error::Request(format!("the connection {} changed meanwhile: try again", connection.id)))
    }
}
