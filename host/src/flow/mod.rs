//! Connecting, reconnecting and disconnecting accounts, for any platform.

mod accounts;
mod begin;
mod complete;
mod disconnect;
mod less;
mod pending;
mod purge;

pub use self::accounts::Finished;
pub use self::begin::{Asking, ConnectRequest, Started, authorize_url};
pub use self::complete::{Callback, CameTo, Completed};
pub use self::disconnect::{Disconnected, Revocation};
pub use self::less::ScopeRefused;

/// How long a person has between the start of a flow and its callback.
pub const FLOW_LIFE: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
