//! Events, and who is told of them.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::connection::ErrorData;
use crate::events::body;
use crate::host::Host;
use crate::store::{DeliveryOutcome, DeliveryRecord, ListedEvent, ReceiverRecord};

/// Something that happened with a connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventData {
    /// Its id, which receivers get as `webhook-id`.
    pub(crate) id: String,
    /// The connection's id.
    pub(crate) connection: String,
    /// What receivers get: `type`, `timestamp` and `data`.
    #[schema(value_type = Object)]
    pub(crate) body: Value,
    /// Its way to each receiver.
    pub(crate) deliveries: Vec<DeliveryData>,
}

/// An event's way to a receiver.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryData {
    /// The receiver's id.
    pub(crate) receiver: String,
    /// `pending`, `delivered`, or `dead`: not received within 72 hours.
    pub(crate) state: &'static str,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When it may be tried next, while it is pending.
    pub(crate) next_try_at: Option<String>,
    /// What went wrong last.
    pub(crate) last_error: Option<ErrorData>,
}

/// Where events are sent. It has no `Debug`: it may hold a secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Receiver)]
pub(crate) struct ReceiverData {
    /// Its id.
    pub(crate) id: String,
    /// The URL.
    pub(crate) url: String,
    /// Which types of events it gets. Empty for all.
    pub(crate) types: Vec<&'static str>,
    /// When it was added.
    pub(crate) created_at: String,
    /// When it was disabled, if it is: nothing is sent there then.
    pub(crate) disabled_at: Option<String>,
    /// Why.
    pub(crate) disabled_reason: Option<String>,
    /// What its events are signed with, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
}

impl EventData {
    pub(crate) fn of(host: &Host, listed: &ListedEvent) -> Self {
        let event = &listed.event;
        let text = event.body.clone().unwrap_or_else(|| body(host, event));
        Self {
            id: event.id.to_string(),
            connection: event.connection.to_string(),
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            deliveries: listed.deliveries.iter().map(DeliveryData::from).collect(),
        }
    }
}

impl From<&DeliveryRecord> for DeliveryData {
    fn from(record: &DeliveryRecord) -> Self {
        let is_pending = record.outcome.is_none();
        Self {
            receiver: record.receiver.to_string(),
            state: record.outcome.map_or("pending", DeliveryOutcome::as_str),
            attempts: record.attempts,
            next_try_at: is_pending.then(|| record.next_try_at.to_string()),
            last_error: record.last_error.as_ref().map(ErrorData::from),
        }
    }
}

impl From<&ReceiverRecord> for ReceiverData {
    fn from(receiver: &ReceiverRecord) -> Self {
        Self {
            id: receiver.id.to_string(),
            url: receiver.url.clone(),
            types: receiver.kinds.iter().map(|kind| kind.as_str()).collect(),
            created_at: receiver.created_at.to_string(),
            disabled_at: receiver.disabled_at.map(|at| at.to_string()),
            disabled_reason: receiver.disabled_reason.clone(),
            secret: None,
        }
    }
}
