//! Imports: access that another program was given, taken over without asking anybody.

use async_trait::async_trait;
use connector_core::PlatformId;

use super::{AuditId, Connected, ConnectionId, GrantId, GrantRecord, GrantState, Result};

/// Access to one account, to be taken over.
#[derive(Clone, Debug)]
pub struct Import {
    /// The grant as it is to be stored. One that has the id of the grant in `seen` takes its place, with the next generation.
    pub grant: GrantRecord,
    /// The platform's raw, stable id of the account.
    pub account_id: String,
    /// The product's own id for the connection. `None` leaves what is there.
    pub reference: Option<String>,
    /// The id the connection gets if the account was never linked before.
    pub id_if_new: ConnectionId,
    /// What the account's connection worked by when this was decided. `None` if it had none.
    pub seen: Option<SeenGrant>,
    /// The id of the record of it.
    pub audit: AuditId,
}

/// A grant as somebody saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenGrant {
    /// Its id.
    pub id: GrantId,
    /// Its generation.
    pub generation: i64,
    /// Its state.
    pub state: GrantState,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// The account has this connection now, which works by the new grant.
    Linked(ConnectionId),
    /// The connection's grant has the new tokens.
    Updated(ConnectionId),
    /// Nothing: the account's connection is no longer as it was seen.
    Moved,
}

/// Takes access over.
#[async_trait]
pub trait Imports {
    /// A tenant's connections of these accounts on a platform, whichever app they are under.
    async fn connections_of_accounts(
        &self,
        tenant: &str,
        platform: &PlatformId,
        accounts: &[String],
    ) -> Result<Vec<Connected>>;

    /// Stores grants with a connection for each, with an empty profile where the account was never linked, and records each as
    /// `imported`: all of them in one transaction. A grant that loses its last connection by this is deleted.
    async fn import_connections(&self, imports: &[Import]) -> Result<Vec<Imported>>;
}
