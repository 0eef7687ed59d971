//! What a host remembers: flows under way, grants, connections, revocations, samples, API keys, users, connect links, events, requests that
//! may come again, and what happened.
//!
//! [`Store`] is the whole contract. It is made of one small trait per subject, names no database and can be implemented by a team for
//! its own; `contract` (feature `testing`) holds the checks any implementation has to pass. `SqliteStore` (feature `sqlite`) needs nothing
//! else to run; `PostgresStore` (feature `postgres`) is for a host of several processes on several machines.
//!
//! A store keeps secrets as [`Sealed`](crate::vault::Sealed) values only and cannot open them. Times are kept to the millisecond.

mod api_key;
mod app_health;
mod audit;
mod connect_link;
mod connection;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod delivery;
mod error;
mod event;
mod flow;
mod grant;
mod id;
mod idempotency;
mod import;
mod inventory;
mod meta;
#[cfg(any(test, feature = "testing", feature = "postgres", feature = "sqlite"))]
mod new_event;
mod owner;
mod page;
mod place;
#[cfg(feature = "postgres")]
mod postgres;
mod purge;
mod refresh;
mod reseal;
mod revocation;
mod sample;
mod session;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod user;

use std::fmt::Debug;

pub use self::api_key::{ApiKeyRecord, ApiKeyState, ApiKeys};
pub use self::app_health::AppHealth;
pub use self::audit::{Actor, Audit, AuditCursor, AuditFilter, AuditRecord, WHOLE_STORE};
pub use self::connect_link::{
    ConnectLinkCursor, ConnectLinkOutcome, ConnectLinkRecord, ConnectLinkStart, ConnectLinkState, ConnectLinks,
};
pub use self::connection::{
    Connected, ConnectionCursor, ConnectionFilter, ConnectionGrant, ConnectionPage, ConnectionRecord, ConnectionState,
    Connections, Disconnect, Disconnection, Link, Linked, Links, NewConnection, StateCount,
};
pub use self::delivery::{
    Attempted, Deliveries, Delivery, DeliveryOutcome, DeliveryRecord, ReceiverRecord, Receivers, Resend,
};
pub use self::error::{Result, StoreError};
pub use self::event::{
    ConnectionStanding, EventCursor, EventDetail, EventFacts, EventFilter, EventId, EventKind, EventRecord, Events,
    ListedEvent,
};
pub use self::flow::{FlowFilter, FlowRecord, Flows};
pub use self::grant::{GrantRecord, GrantState, Grants, LastError, LinkIntent, StateChange};
pub use self::id::{
    ApiKeyId, AuditId, ConnectLinkId, ConnectionId, FlowId, GrantId, KeyedRequestId, ReceiverId, RevocationId, UserId,
    new_id,
};
pub use self::idempotency::{Idempotency, KeyedRequest};
pub use self::import::{Import, Imported, Imports, SeenGrant};
pub(crate) use self::inventory::each_held;
pub use self::inventory::{HeldPage, HeldScopes, Inventory, Stock};
pub use self::meta::{InstanceId, Meta};
pub use self::owner::{InstanceName, Ownership};
pub use self::page::Page;
pub use self::place::Place;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
pub use self::purge::{PURGED, Purge, Purged, Purges};
pub use self::refresh::{
    Begun, DueRefresh, DueRefreshes, RefreshClaim, RefreshMark, RefreshTerms, Refreshed, Refreshes, Settle, Settlement,
    Standing,
};
pub use self::reseal::{Reseal, Resealed, SEALED_TABLES, SealedCount, SealedRow, SealedRowId, SealedTable};
pub use self::revocation::{NewRevocation, RevocationOutcome, RevocationRecord, RevocationTokens, Revocations};
#[cfg(any(test, feature = "testing", feature = "postgres", feature = "sqlite"))]
use self::sample::span;
pub use self::sample::{LastValues, Reading, Sample, SampleCursor, SamplePage, Samples, StoredSample};
pub use self::session::{SessionRecord, Sessions};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use self::sql::SqlStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::{Replacement, SqliteStore};
pub use self::user::{UserCondition, UserRecord, Users, user_name_key};

/// Everything a host asks of its store.
///
/// Several processes may use one store at the same time. Each call is one transaction: it happens as a whole or not at all, and what it
/// reports as done survives a crash and a power loss.
pub trait Store:
    Flows
    + Grants
    + Connections
    + Revocations
    + Samples
    + Audit
    + Meta
    + Ownership
    + Inventory
    + Refreshes
    + Reseal
    + Imports
    + Purges
    + ApiKeys
    + Users
    + Sessions
    + ConnectLinks
    + Events
    + Receivers
    + Deliveries
    + Idempotency
    + Debug
    + Send
    + Sync
{
}

impl<T> Store for T where
    T: Flows
        + Grants
        + Connections
        + Revocations
        + Samples
        + Audit
        + Meta
        + Ownership
        + Inventory
        + Refreshes
        + Reseal
        + Imports
        + Purges
        + ApiKeys
        + Users
        + Sessions
        + ConnectLinks
        + Events
        + Receivers
        + Deliveries
        + Idempotency
        + Debug
        + Send
        + Sync
{
}
