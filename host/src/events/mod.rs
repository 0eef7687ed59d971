//! Events on their way to a product: receivers, what is sent, how it is signed, and when it is tried again.

mod body;
mod courier;
mod receivers;
mod signature;
mod verdict;

use std::collections::BTreeSet;

use connector_core::http::{Fence, Network};

pub(crate) use self::body::body;
pub use self::courier::Courier;
#[cfg(feature = "cli")]
pub(crate) use self::courier::signed;
pub use self::receivers::NewReceiver;
#[cfg(feature = "cli")]
pub(crate) use self::signature::fresh;
pub use self::signature::{Unverified, sign, verify};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{AuditRecord, EventFilter, EventId, EventKind, ListedEvent, Resend, StoreError};

impl Host {
    /// Which addresses receivers may have: public ones, and those that were opened. Where the apps are emulated this machine's own as well.
    pub(crate) fn fence(&self, open: &[Network]) -> Fence {
        let own = if self.is_emulated() { Network::LOOPBACK.to_vec() } else { Vec::new() };
        Fence::with_open(open.iter().copied().chain(own))
    }

    /// Sends a tenant's event again, to each receiver that wants its kind; or all that a receiver did not get in time. Says how many
    /// deliveries begin anew.
    ///
    /// # Errors
    /// An unknown event; a store that is another instance's or cannot be written.
    pub async fn resend_events(&self, tenant: &str, which: &Resend) -> Result<u64> {
        if let Resend::One(id) = which {
            self.event(tenant, id).await?;
        }
        let record = AuditRecord::new(self.context(), tenant, "events_resent")?.by(self.actor());
        Ok(self.store().resend_events(tenant, which, &record).await?)
    }

    /// A tenant's event.
    ///
    /// # Errors
    /// An unknown one; a store that cannot be read.
    pub async fn event(&self, tenant: &str, id: &EventId) -> Result<ListedEvent> {
        let filter = EventFilter { tenant: tenant.to_owned(), id: Some(id.clone()), ..EventFilter::default() };
        let page = self.store().events_page(&filter, None, 1).await?;
        let found = page.items.into_iter().next();
        Ok(found.ok_or_else(|| StoreError::NotFound { what: "event", id: id.to_string() })?)
    }
}

/// Reads the words of kinds.
///
/// # Errors
/// A word that is none, with those that there are.
pub(crate) fn kinds<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<BTreeSet<EventKind>> {
    words.into_iter().map(|word| word.trim().parse().map_err(Error::Request)).collect()
}
