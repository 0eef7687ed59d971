//! What happened, for whoever has to account for it.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use connector_core::Context;
use jiff::Timestamp;
use serde_json::Value;

use super::{ApiKeyId, AuditId, ConnectionId, GrantId, Result, UserId};
use crate::cursor::{self, CursorError, Kind};

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

/// Who had something done. It goes on record by an id alone, which says nothing of a person once the user is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever has this API key.
    ApiKey(ApiKeyId),
    /// Somebody who has signed in to the pages.
    User(UserId),
    /// Whoever runs commands on the machine.
    Command,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "api_key {id}"),
            Self::User(id) => write!(f, "user {id}"),
            Self::Command => f.write_str("command"),
        }
    }
}

impl AuditRecord {
    /// That something happened now, without any detail yet.
    ///
    /// # Errors
    /// When the context has no randomness to give.
    pub fn new(cx: &Context, tenant: &str, event: &str) -> connector_core::Result<Self> {
        Ok(Self::with_id(AuditId::new(cx)?, cx.now(), tenant, event))
    }

    /// The same, where the id was made before it was known what would happen.
    pub(crate) fn with_id(id: AuditId, at: Timestamp, tenant: &str, event: &str) -> Self {
        Self {
            id,
            at,
            tenant: tenant.to_owned(),
            event: event.to_owned(),
            connection: None,
            grant: None,
            detail: "{}".to_owned(),
        }
    }

    /// Where a list of which this is the last one goes on.
    pub fn cursor(&self) -> AuditCursor {
        AuditCursor { at: self.at, id: self.id.clone() }
    }

    /// With which connection.
    pub fn of_connection(self, connection: &ConnectionId) -> Self {
        Self { connection: Some(connection.clone()), ..self }
    }

    /// With which grant.
    pub fn of_grant(self, grant: &GrantId) -> Self {
        Self { grant: Some(grant.clone()), ..self }
    }

    /// With these details. They stay for good, so they hold no secret, no name, no handle and no id of an account.
    pub fn with(self, detail: &Value) -> Self {
        Self { detail: detail.to_string(), ..self }
    }

    /// With who had it done, as the detail `by`, if anybody did: else the host did by itself what it has to.
    pub fn by(self, actor: Option<&Actor>) -> Self {
        let (Some(actor), Ok(Value::Object(mut detail))) = (actor, serde_json::from_str(&self.detail)) else {
            return self;
        };
        detail.insert("by".to_owned(), actor.to_string().into());
        self.with(&Value::Object(detail))
    }
}

/// Where a list of records goes on, the latest first: behind the record of this time and id. As many records as there are at one time, none
/// is left out and none comes twice, also when others are added meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditCursor {
    /// The time of the record.
    pub at: Timestamp,
    /// Its id.
    pub id: AuditId,
}

impl fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = [self.at.as_millisecond().to_be_bytes().as_slice(), self.id.bytes().as_slice()].concat();
        f.write_str(&cursor::write(Kind::Audit, &place))
    }
}

impl FromStr for AuditCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let place: [u8; 24] = cursor::read(Kind::Audit, text)?;
        let (at, id) = place.split_first_chunk().ok_or(CursorError::Damaged)?;
        let at = Timestamp::from_millisecond(i64::from_be_bytes(*at)).map_err(|_| CursorError::Damaged)?;
        Ok(Self { at, id: AuditId::of_bytes(id).ok_or(CursorError::Damaged)? })
    }
}

/// Which records are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this connection, and of the grants it works or worked by.
    pub connection: Option<ConnectionId>,
    /// Of this grant only.
    pub grant: Option<GrantId>,
    /// Of this event only.
    pub event: Option<String>,
    /// From this time on only.
    pub since: Option<Timestamp>,
    /// Those that a list goes on with only.
    pub before: Option<AuditCursor>,
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
