//! Receivers of events, and each event's way to them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{AuditRecord, EventId, EventKind, EventRecord, LastError, ReceiverId, Result};
use crate::vault::Sealed;

/// Where a product wants to be told of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverRecord {
    /// Its id.
    pub id: ReceiverId,
    /// Whose events it is told.
    pub tenant: String,
    /// Where they are sent.
    pub url: String,
    /// Which it wants. None stands for all.
    pub kinds: BTreeSet<EventKind>,
    /// What they are signed with, sealed.
    pub secret: Sealed,
    /// What they are signed with as well, sealed.
    pub previous_secret: Option<Sealed>,
    /// Until when.
    pub previous_until: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was disabled, if it is: then nothing is sent there.
    pub disabled_at: Option<Timestamp>,
    /// Why, in a sentence.
    pub disabled_reason: Option<String>,
}

impl ReceiverRecord {
    /// Whether it is to be told of events of this kind that happen now.
    pub fn wants(&self, kind: EventKind) -> bool {
        self.disabled_at.is_none() && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }
}

/// What became of an event at a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It was received.
    Delivered,
    /// It was not received in time, and is tried no more.
    Dead,
}

impl DeliveryOutcome {
    /// The outcome as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(super) fn of(word: &str) -> Option<Self> {
        [Self::Delivered, Self::Dead].into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// An event's way to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The receiver.
    pub receiver: ReceiverId,
    /// From when on it is tried, by the store's clock.
    pub since: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it may be tried next, by the store's clock. It fences the last attempt.
    pub next_try_at: Timestamp,
    /// What became of it. `None` while it is on its way.
    pub outcome: Option<DeliveryOutcome>,
    /// What went wrong last.
    pub last_error: Option<LastError>,
}

/// An event that is to be sent to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The event.
    pub event: EventRecord,
    /// Its way there.
    pub record: DeliveryRecord,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempted {
    /// It was received.
    Delivered,
    /// It is tried no more.
    Dead(LastError),
    /// It is tried again after this time.
    Again(SignedDuration, LastError),
    /// It was not tried after all, and may be at once.
    Released,
}

/// Which events are to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resend {
    /// This one, to each receiver that is not disabled and wants its kind.
    One(EventId),
    /// All that a receiver did not get in time, to that receiver.
    Dead,
}

/// Keeps receivers.
#[async_trait]
pub trait Receivers {
    /// Adds a receiver and records it. It is told of what happens from then on.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn put_receiver(&self, receiver: &ReceiverRecord, audit: &AuditRecord) -> Result<()>;

    /// A tenant's receivers, the oldest first.
    async fn receivers(&self, tenant: &str) -> Result<Vec<ReceiverRecord>>;

    /// The receivers of every tenant, in no order.
    async fn every_receiver(&self) -> Result<Vec<ReceiverRecord>>;

    /// Gives a receiver new secrets, unless it has others by now than were seen, and records it. False when nothing has changed.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn rotate_receiver(&self, seen: &Sealed, new: &ReceiverRecord, audit: &AuditRecord) -> Result<bool>;

    /// Disables a receiver for this reason, and records it. False when it is disabled or gone: nothing has changed then.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn disable_receiver(&self, id: &ReceiverId, why: &str, now: Timestamp, audit: &AuditRecord) -> Result<bool>;

    /// Removes a tenant's receiver, with what was on its way there, and records it. False when there is none.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn remove_receiver(&self, tenant: &str, id: &ReceiverId, audit: &AuditRecord) -> Result<bool>;
}

/// Keeps each event's way to its receivers. One connection's events reach a receiver in their order: the next one is not due before the one
/// before it is delivered or dead.
#[async_trait]
pub trait Deliveries {
    /// The receivers, of any tenant, that something is due for.
    async fn receivers_due(&self) -> Result<Vec<ReceiverRecord>>;

    /// What is due for a receiver by the store's clock, of each connection the first at most; what waits longest at the front, at most so
    /// many.
    async fn deliveries_due(&self, receiver: &ReceiverId, limit: u32) -> Result<Vec<Delivery>>;

    /// Takes a delivery for an attempt: nobody else does before this time is over, by the store's clock. `None` when somebody else has, or
    /// it is no longer due.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's: a copy sends nothing.
    async fn claim_delivery(&self, seen: &Delivery, rest: SignedDuration) -> Result<Option<Delivery>>;

    /// Ends an attempt. False when somebody else has taken the delivery meanwhile, or it is gone: nothing has changed then.
    async fn settle_delivery(&self, claimed: &Delivery, attempted: &Attempted) -> Result<bool>;

    /// Puts a tenant's events on their way again, as if they had just happened, and records it. Says how many deliveries that are.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`](super::StoreError::NotOurs) when the store is another instance's.
    async fn resend_events(&self, tenant: &str, which: &Resend, audit: &AuditRecord) -> Result<u64>;
}
