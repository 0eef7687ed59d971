//! The store as a whole, over all tenants: for whoever looks after it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use connector_core::PlatformId;
use connector_core::scope::GrantScopes;
use jiff::SignedDuration;

use super::{AuditRecord, ConnectionRecord, GrantId, GrantRecord, Place, Result, Store};

/// What a store is and how much is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    /// Where it is, without secrets.
    pub place: Place,
    /// The database it is in, as one stable word.
    pub kind: &'static str,
    /// The last step of its schema.
    pub schema_step: i64,
    /// How many grants there are in each state, by the state's word. A state without any is missing.
    pub grants: BTreeMap<String, u64>,
    /// How many connections have not been disconnected.
    pub connections: u64,
    /// How many have been.
    pub disconnected: u64,
    /// How many values of metrics are kept.
    pub samples: u64,
}

/// What several connections hold alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldScopes {
    /// Their platform.
    pub platform: PlatformId,
    /// Their app, by the operator's name.
    pub app: String,
    /// The scopes of their grants.
    pub scopes: GrantScopes,
    /// How many connections: those that have not been disconnected, in whatever state.
    pub connections: u64,
}

/// What the connections of some grants hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldPage {
    /// What they hold, each once, in no order.
    pub held: Vec<HeldScopes>,
    /// The last grant that was looked at. `None` when there was none left.
    pub last: Option<GrantId>,
}

/// Looks at a store as a whole.
#[async_trait]
pub trait Inventory {
    /// What it is and how much is in it.
    async fn stock(&self) -> Result<Stock>;

    /// Every grant of every tenant, the oldest first.
    async fn every_grant(&self) -> Result<Vec<GrantRecord>>;

    /// Every connection of every tenant, the oldest first.
    async fn every_connection(&self) -> Result<Vec<ConnectionRecord>>;

    /// What the connections hold that work by the next grants after this one, by id: at most so many grants, of this tenant or of any.
    /// Nothing else of them is read, and nothing of the store is kept from others meanwhile.
    async fn held_scopes(&self, tenant: Option<&str>, after: Option<&GrantId>, grants: u32) -> Result<HeldPage>;

    /// Notes that a grant's refresh token may have been sent without anybody here knowing what came of it, as after a restore: a
    /// request that was sent so long ago, by the clock of the store, and ended in doubt. It is recorded with this. False means that the
    /// grant is neither active nor held, or has no refresh token: then nothing changes, and nothing is recorded.
    async fn doubt_refresh(&self, id: &GrantId, ago: SignedDuration, audit: &AuditRecord) -> Result<bool>;

    /// Puts a grant as another state of this store knows it in place of what this one knows: its tokens with their generation and what was
    /// sent, its scopes, and how it stands. Whose it is, its subject and what is to become of its accounts stay. It is recorded with this.
    /// False means that there is no such grant, that it is over in one of the two, or is of a later generation here: then nothing changes.
    async fn carry_over(&self, grant: &GrantRecord, audit: &AuditRecord) -> Result<bool>;
}

/// How many grants are looked at in one go. A store is read for a few milliseconds at a time.
const PAGE: u32 = 1_000;

/// Hands out what all connections of a tenant hold, or of any, alike ones of a page together.
///
/// # Errors
/// What the store says.
pub(crate) async fn each_held(store: &dyn Store, tenant: Option<&str>, mut take: impl FnMut(HeldScopes)) -> Result<()> {
    let mut after = None;
    loop {
        let page = store.held_scopes(tenant, after.as_ref(), PAGE).await?;
        page.held.into_iter().for_each(&mut take);
        match page.last {
            Some(last) => after = Some(last),
            None => return Ok(()),
        }
    }
}
