//! What a host remembers: flows under way, grants, connections, revocations, samples, and what happened.
//!
//! [`Store`] is the whole contract. It is made of one small trait per subject, names no database and can be implemented by a team for
//! its own; `contract` (feature `testing`) holds the checks any implementation has to pass. `SqliteStore` (feature `sqlite`) is the one
//! that needs nothing else to run.
//!
//! A store keeps secrets as [`Sealed`](crate::vault::Sealed) values only and cannot open them. Times are kept to the millisecond.

mod audit;
mod connection;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod error;
mod flow;
mod grant;
mod id;
mod lock;
mod meta;
mod reseal;
mod revocation;
mod sample;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt::Debug;

pub use self::audit::{Audit, AuditFilter, AuditRecord, WHOLE_STORE};
pub use self::connection::{
    Connected, ConnectionFilter, ConnectionRecord, ConnectionState, Connections, Disconnection, Link, Linked, Links,
    NewConnection,
};
pub use self::error::{Result, StoreError};
pub use self::flow::{FlowRecord, Flows};
pub use self::grant::{GrantRecord, GrantState, Grants, LastError, LinkIntent, RefreshMark, Refreshed};
pub use self::id::{AuditId, ConnectionId, FlowId, GrantId, RevocationId, new_id};
pub use self::lock::{RefreshGuard, RefreshLocks};
pub use self::meta::{InstanceId, Meta};
pub use self::reseal::{Reseal, Resealed, SEALED_TABLES, SealedCount, SealedRow, SealedRowId, SealedTable};
pub use self::revocation::{RevocationOutcome, RevocationRecord, RevocationTokens, Revocations};
pub use self::sample::{Reading, Sample, Samples};
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;

/// Everything a host asks of its store.
///
/// Several processes may use one store at the same time. Each call is one transaction: it happens as a whole or not at all, and what it
/// reports as done survives a crash and a power loss.
pub trait Store:
    Flows + Grants + Connections + Revocations + Samples + Audit + Meta + Reseal + RefreshLocks + Debug + Send + Sync
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
        + Reseal
        + RefreshLocks
        + Debug
        + Send
        + Sync
{
}
