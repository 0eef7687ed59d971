//! What happened, for whoever has to account for it.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{AuditId, ConnectionId, GrantId, Result};

/// The tenant of records about the whole store, such as those of its keys. No tenant is named by the empty text.
pub const WHOLE_STORE: &str = "";

/// Something that happened. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its id.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Whose affair; [`WHOLE_STORE`] for what is no tenant's.
    pub tenant: String,
    /// What, as one stable word such as `disconnected`.
    pub event: String,
    /// With which connection.
    pub connection: Option<ConnectionId>,
    /// With which grant.
    pub grant: Option<GrantId>,
    /// The details, as JSON.
    pub detail: String,
}

/// Which records are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this connection only.
    pub connection: Option<ConnectionId>,
    /// Of this grant only.
    pub grant: Option<GrantId>,
    /// Of this event only.
    pub event: Option<String>,
    /// From this time on only.
    pub since: Option<Timestamp>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// Keeps what happened. Records are added and never changed.
#[async_trait]
pub trait Audit {
    /// Adds a record.
    async fn append_audit(&self, record: &AuditRecord) -> Result<()>;

    /// A tenant's records that pass the filter, the latest first.
    async fn audit(&self, tenant: &str, filter: &AuditFilter) -> Result<Vec<AuditRecord>>;
}
