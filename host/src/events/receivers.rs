//! Who is told of events.

use std::collections::BTreeSet;

use connector_core::Secret;
use connector_core::http::Fence;
use jiff::SignedDuration;
use serde_json::json;
use url::Url;

use super::signature;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{AuditRecord, EventKind, ReceiverId, ReceiverRecord, StoreError};
use crate::vault::{Binding, field};

/// For how long events are signed with the secret before as well.
const BOTH_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How many receivers a tenant has at most: each may keep events waiting.
const MOST: usize = 10;

/// A receiver that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReceiver {
    /// Whose events it is told.
    pub tenant: String,
    /// Where they are sent.
    pub url: String,
    /// Which. None stands for all.
    pub kinds: BTreeSet<EventKind>,
}

impl Host {
    /// Adds a receiver, which is told of what happens from then on. Its secret exists in the result and, sealed, in the store.
    ///
    /// # Errors
    /// A URL that the fence keeps events from, or that is none; a tenant that has ten already; a store that is another instance's or cannot be written.
    pub async fn add_receiver(&self, new: NewReceiver, fence: &Fence) -> Result<(ReceiverRecord, Secret)> {
        let refuse = |why: String| Error::Request(format!("no event can be sent to this URL: {why}"));
        let url: Url = new.url.parse().map_err(|error| refuse(format!("it is no URL: {error}")))?;
        fence.check(&url).map_err(refuse)?;
        if self.store().receivers(&new.tenant).await?.len() >= MOST {
            return Err(Error::Request(format!("a tenant has {MOST} receivers at most: remove one first")));
        }
        let (cx, secret) = (self.context(), signature::fresh(self.context())?);
        let id = ReceiverId::new(cx)?;
        let sealed = self.vault().seal(cx, &place(&new.tenant, &id, field::SIGNING), &secret)?;
        let receiver = ReceiverRecord {
            id,
            tenant: new.tenant,
            url: url.into(),
            kinds: new.kinds,
            secret: sealed,
            previous_secret: None,
            previous_until: None,
            created_at: cx.now(),
            disabled_at: None,
            disabled_reason: None,
        };
        self.store().put_receiver(&receiver, &record(self, "receiver_added", &receiver.tenant, &receiver.id)?).await?;
        Ok((receiver, secret))
    }

    /// A tenant's receiver.
    ///
    /// # Errors
    /// An unknown one; a store that cannot be read.
    pub async fn receiver(&self, tenant: &str, id: &ReceiverId) -> Result<ReceiverRecord> {
        let found = self.store().receivers(tenant).await?.into_iter().find(|receiver| receiver.id == *id);
        Ok(found.ok_or_else(|| unknown(id))?)
    }

    /// Gives a receiver a new secret. For a day events are signed with the one before as well.
    ///
    /// # Errors
    /// An unknown receiver; one whose secret was replaced less than a day ago, or by somebody else at the same moment; a store that is another instance's or cannot be
    /// written.
    pub async fn rotate_receiver(&self, tenant: &str, id: &ReceiverId) -> Result<(ReceiverRecord, Secret)> {
        let (cx, vault, old) = (self.context(), self.vault(), self.receiver(tenant, id).await?);
        if let Some(until) = old.previous_until.filter(|until| cx.now() < *until) {
            return Err(Error::Request(format!(
                "the secret was replaced before: until {until:.0} events are signed with that one and the one before it, and a third would end the first; to stop using one at once, remove the receiver and add it again"
            )));
        }
        let (secret, before) = (signature::fresh(cx)?, vault.open(&place(tenant, id, field::SIGNING), &old.secret)?);
        let new = ReceiverRecord {
            secret: vault.seal(cx, &place(tenant, id, field::SIGNING), &secret)?,
            previous_secret: Some(vault.seal(cx, &place(tenant, id, field::PREVIOUS_SIGNING), &before)?),
            previous_until: cx.now().saturating_add(BOTH_FOR).ok(),
            ..old.clone()
        };
        let record = record(self, "receiver_secret_rotated", tenant, id)?;
        if self.store().rotate_receiver(&old.secret, &new, &record).await? {
            return Ok((new, secret));
        }
        Err(Error::Request("the secret was replaced by somebody else at the same moment: look again".to_owned()))
    }

    /// Removes a receiver, with what was on its way there.
    ///
    /// # Errors
    /// An unknown receiver; a store that is another instance's or cannot be written.
    pub async fn remove_receiver(&self, tenant: &str, id: &ReceiverId) -> Result<()> {
        let record = record(self, "receiver_removed", tenant, id)?;
        if self.store().remove_receiver(tenant, id, &record).await? { Ok(()) } else { Err(unknown(id).into()) }
    }

    /// What events are signed with for a receiver, the newest first.
    pub(super) fn signing_secrets(&self, receiver: &ReceiverRecord) -> Result<Vec<Secret>> {
        let (tenant, id, now) = (&receiver.tenant, &receiver.id, self.context().now());
        let mut secrets = vec![self.vault().open(&place(tenant, id, field::SIGNING), &receiver.secret)?];
        let is_valid = receiver.previous_until.is_some_and(|until| now < until);
        if let Some(previous) = receiver.previous_secret.as_ref().filter(|_| is_valid) {
            secrets.push(self.vault().open(&place(tenant, id, field::PREVIOUS_SIGNING), previous)?);
        }
        Ok(secrets)
    }
}

fn place<'a>(tenant: &'a str, id: &'a ReceiverId, field: &'a str) -> Binding<'a> {
    Binding { tenant, owner: id.as_str(), field, generation: 0 }
}

pub(super) fn record(host: &Host, event: &str, tenant: &str, id: &ReceiverId) -> Result<AuditRecord> {
    let record = AuditRecord::new(host.context(), tenant, event)?.with(&json!({ "receiver": id.as_str() }));
    Ok(record.by(host.actor()))
}

fn unknown(id: &ReceiverId) -> StoreError {
    StoreError::NotFound { what: "receiver", id: id.to_string() }
}
