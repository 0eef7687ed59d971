//! What is on record.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::store::AuditRecord;

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub(crate) struct AuditData {
    /// Its id.
    pub(crate) id: String,
    /// When.
    pub(crate) at: String,
    /// What, as one stable word.
    pub(crate) event: String,
    /// With which connection.
    pub(crate) connection: Option<String>,
    /// With which grant.
    pub(crate) grant: Option<String>,
    /// The details of it. They hold no secret and name nobody.
    #[schema(value_type = Object)]
    pub(crate) detail: Value,
}

impl From<&AuditRecord> for AuditData {
    fn from(record: &AuditRecord) -> Self {
        Self {
            id: record.id.to_string(),
            at: record.at.to_string(),
            event: record.event.clone(),
            connection: record.connection.as_ref().map(ToString::to_string),
            grant: record.grant.as_ref().map(ToString::to_string),
            detail: serde_json::from_str(&record.detail).unwrap_or_else(|_| Value::from(record.detail.as_str())),
        }
    }
}
