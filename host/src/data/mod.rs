//! What is told about things as data: the same shape in `--json` and in the API.

mod connection;
mod event;
mod link;
mod metrics;
mod mistake;
mod plan;
mod platform;
mod record;
mod scope;

#[cfg(feature = "cli")]
pub(crate) use self::connection::reason;
pub(crate) use self::connection::{ConnectionData, LinkedData, revocation};
pub(crate) use self::event::{EventData, ReceiverData};
pub(crate) use self::link::ConnectLinkData;
#[cfg(feature = "cli")]
pub(crate) use self::link::ConnectLinkPlanData;
pub(crate) use self::metrics::{FailureData, MetricsData};
pub(crate) use self::mistake::Mistake;
pub(crate) use self::plan::PlanData;
pub(crate) use self::platform::{AppData, PlatformData};
pub(crate) use self::record::AuditData;
pub(crate) use self::scope::ScopeEntryData;

/// Scopes, ids and the like as texts, in their order.
pub(crate) fn texts<'a, T: ToString + 'a>(things: impl IntoIterator<Item = &'a T>) -> Vec<String> {
    things.into_iter().map(ToString::to_string).collect()
}
