//! Events: what is told to a product about its connections. An event is stored in the very transaction of the change that it tells of, so
//! that none is lost and none tells of what did not happen.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use connector_core::PlatformId;
use connector_core::metrics::MetricName;
use connector_core::scope::GrantScopes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{ConnectionId, ConnectionState, DeliveryRecord, Page, Result, StoreError};
use crate::cursor::{self, CursorError, Kind};

/// What an event tells of. Its word is stable: it is stored, sent and written in commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// An account was linked that never was before.
    ConnectionCreated,
    /// A connection works again, or no longer, or holds other scopes.
    ConnectionStateChanged,
    /// A connection was given up.
    ConnectionDisconnected,
    /// Counts of a connection were read and stored.
    MetricsRecorded,
}

impl EventKind {
    /// All there are.
    pub const ALL: [Self; 4] =
        [Self::ConnectionCreated, Self::ConnectionStateChanged, Self::ConnectionDisconnected, Self::MetricsRecorded];

    /// The kind as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionCreated => "connection.created",
            Self::ConnectionStateChanged => "connection.state_changed",
            Self::ConnectionDisconnected => "connection.disconnected",
            Self::MetricsRecorded => "metrics.recorded",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| {
            let words = Self::ALL.map(Self::as_str).join(", ");
            format!("there is no event `{}`; there are {words}", word.escape_debug())
        })
    }
}

/// The id of an event. It follows from whose it is and from its position, so that nobody has to make it up within a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(String);

const PREFIX: &str = "evt_";
const LENGTH: usize = 32;

impl EventId {
    /// The id of a tenant's event at a position.
    pub fn of(tenant: &str, position: EventCursor) -> Self {
        let digest = Sha256::new().chain_update(position.0.to_be_bytes()).chain_update(tenant).finalize();
        let mut text = hex::encode(digest);
        text.truncate(LENGTH);
        Self(format!("{PREFIX}{text}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventId {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let rest = text.strip_prefix(PREFIX).unwrap_or_default();
        if rest.len() == LENGTH && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(Self(text.to_owned()));
        }
        Err(StoreError::NotFound { what: "event", id: text.escape_debug().to_string() })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place of an event among those of its tenant, in the order in which they were stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventCursor(i64);

impl EventCursor {
    /// The place of the event at this position.
    pub fn new(position: i64) -> Self {
        Self(position)
    }

    /// The position.
    pub fn position(self) -> i64 {
        self.0
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cursor::write(Kind::Events, &self.0.to_be_bytes()))
    }
}

impl FromStr for EventCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        cursor::read(Kind::Events, text).map(|position| Self(i64::from_be_bytes(position)))
    }
}

/// How a connection stood at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionStanding {
    /// By what was stored.
    pub state: ConnectionState,
    /// Why, where there is more to know than the state.
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// The scopes of its grant.
    pub scopes: GrantScopes,
}

/// What happened, as it was when it happened. It holds no secret and no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventDetail {
    /// How the connection stood from then on, and before, where it was there before.
    Stands {
        /// From then on.
        now: Box<ConnectionStanding>,
        /// Before.
        before: Option<Box<ConnectionStanding>>,
    },
    /// What was counted.
    Counted {
        /// When the request for it left.
        observed_at: Timestamp,
        /// The values.
        values: BTreeMap<MetricName, i64>,
    },
}

/// What an event knows, which is erased with its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFacts {
    /// What the product called the connection then.
    pub reference: Option<String>,
    /// The connection's platform.
    pub platform: PlatformId,
    /// Its app, by the operator's name.
    pub app: String,
    /// The platform's stable id of the account.
    pub account_id: String,
    /// What happened.
    pub detail: EventDetail,
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Its id, by which whoever receives it knows it again.
    pub id: EventId,
    /// Its place among the events of its tenant.
    pub place: EventCursor,
    /// Whose it is.
    pub tenant: String,
    /// The connection it is about.
    pub connection: ConnectionId,
    /// What it tells of.
    pub kind: EventKind,
    /// When that happened.
    pub at: Timestamp,
    /// What it knows. `None` once the connection has been erased.
    pub facts: Option<EventFacts>,
    /// What is sent, from the first time on that it was made.
    pub body: Option<String>,
}

/// An event with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEvent {
    /// The event.
    pub event: EventRecord,
    /// Its way to each receiver, by the receiver's id.
    pub deliveries: Vec<DeliveryRecord>,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Whose.
    pub tenant: String,
    /// Of this connection only.
    pub connection: Option<ConnectionId>,
    /// With this id only.
    pub id: Option<EventId>,
    /// Those only that a receiver did not get in time.
    pub dead: bool,
    /// The latest first, and before the cursor, in place of the earliest first and after it.
    pub latest_first: bool,
}

/// Keeps events.
#[async_trait]
pub trait Events {
    /// The next events that pass the filter, in the order in which they were stored: at most so many, and one at least. Whoever goes on from
    /// the place of the last one gets every event exactly once, however many processes store some at the same time.
    async fn events_page(
        &self,
        filter: &EventFilter,
        from: Option<EventCursor>,
        limit: u32,
    ) -> Result<Page<ListedEvent, EventCursor>>;

    /// Keeps what is sent of an event, unless somebody else has already, and gives what is kept: each attempt sends the same. `None` when the
    /// event is gone, or was erased since it was seen: what it said before is kept no more.
    async fn keep_event_body(&self, event: &EventRecord, body: &str) -> Result<Option<String>>;

    /// Deletes events that happened before a time, with what became of them, unless they are still on their way. Says how many.
    async fn prune_events(&self, before: Timestamp) -> Result<u64>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_from_the_place_and_is_read_as_it_is_written() {
        let id = EventId::of("default", EventCursor::new(7));
        assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
        assert_ne!(id, EventId::of("default", EventCursor::new(8)));
        assert_ne!(id, EventId::of("other", EventCursor::new(7)));
        for text in ["", "evt_", "evt_7", &id.as_str().to_uppercase(), &format!("{id}0"), &id.as_str()[4..]] {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_kind_is_read_as_it_is_written() {
        for kind in EventKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("connection".parse::<EventKind>().unwrap_err().contains("metrics.recorded"));
    }
}
