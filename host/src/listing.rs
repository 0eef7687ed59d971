//! What no store knows is asked of what it gives: connections by how they stand, which follows from the configuration as well as from what is
//! stored, and connect links by theirs, which follows from the time.

use crate::host::Host;
use crate::store::{
    ConnectLinkCursor, ConnectLinkRecord, ConnectLinkState, ConnectionCursor, ConnectionFilter, ConnectionPage,
    ConnectionState, Page, Result,
};

/// How many are looked at for a page of those in one state.
const LOOKED_AT: usize = 2_000;
/// How many of them are read at once.
const AT_ONCE: u32 = 200;

impl Host {
    /// The tenant's next connections in a state, as [`Connections::connections_page`](crate::store::Connections::connections_page) gives them: at most so many, and one at least. No store
    /// knows what the configuration makes of a connection, so two thousand are looked at for a page, or a few more: it may hold fewer than
    /// asked for, or none, and there is a next one as long as some were not looked at.
    ///
    /// # Errors
    /// What the store says.
    pub async fn connections_in(
        &self,
        state: ConnectionState,
        filter: &ConnectionFilter,
        after: Option<ConnectionCursor>,
        limit: u32,
    ) -> Result<ConnectionPage> {
        let host = self.pinned();
        let read = |after| host.store().connections_page(filter, after, AT_ONCE);
        sift(read, |(_, found)| host.state_of(found) == state, |(place, _)| *place, after, limit).await
    }

    /// The tenant's next connect links, the latest first: at most so many, and one at least. Of those in one state two thousand are looked at
    /// for a page, or a few more, as by [`connections_in`](Self::connections_in).
    ///
    /// # Errors
    /// What the store says.
    pub async fn connect_links(
        &self,
        tenant: &str,
        state: Option<ConnectLinkState>,
        after: Option<ConnectLinkCursor>,
        limit: u32,
    ) -> Result<Page<ConnectLinkRecord, ConnectLinkCursor>> {
        let Some(state) = state else { return self.store().connect_links_page(tenant, after, limit).await };
        let now = self.context().now();
        let read = |after| self.store().connect_links_page(tenant, after, AT_ONCE);
        sift(read, |link| link.state(now) == state, ConnectLinkRecord::cursor, after, limit).await
    }
}

/// The next of those that fit: page after page is read until there are enough, or many were looked at.
async fn sift<T, K, F>(
    read: impl Fn(Option<K>) -> F,
    fits: impl Fn(&T) -> bool,
    place: impl FnOnce(&T) -> K,
    mut after: Option<K>,
    limit: u32,
) -> Result<Page<T, K>>
where
    F: Future<Output = Result<Page<T, K>>>,
{
    let most = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
    let (mut items, mut looked_at) = (Vec::new(), 0);
    while items.len() <= most && looked_at < LOOKED_AT {
        let page = read(after).await?;
        looked_at += page.items.len();
        items.extend(page.items.into_iter().filter(&fits));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if after.is_none() || items.len() > most {
        return Ok(Page::of(items, limit, |last, _| place(last)));
    }
    Ok(Page { items, next: after })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use connector_core::account::Account;
    use connector_core::scope::{GrantScopes, Granted, GrantedSource, split_scopes};
    use connector_core::testing::FakeTransport;

    use super::*;
    use crate::apps::Realm;
    use crate::host::Parts;
    use crate::store::testing::MemoryStore;
    use crate::store::{AuditId, AuditRecord, ConnectionId, GrantRecord, NewConnection};
    use crate::testing::{Example, TENANT};
    use crate::vault::{KeyRing, Vault};

    /// Without the second scope a connection needs its person, whatever its store says.
    const REQUIRED: &str = r#"
        [platforms.example.apps.default]
        scopes = ["read", "stats"]
        required = ["stats"]
        [platforms.example.scopes.stats]
        product = "API"
        description = "More counts"
    "#;

    fn host() -> Host {
        let cx = FakeTransport::default().context();
        let example = Example { over: REQUIRED, ..Example::default() };
        Host::new(Parts {
            registry: example.registry().unwrap(),
            settings: example.settings().unwrap(),
            realm: Realm::Live,
            store: Arc::new(MemoryStore::new(&cx).unwrap()),
            vault: Vault::new(KeyRing::generate(&cx).unwrap()),
            spool: None,
            cx,
        })
    }

    /// So many accounts by a new grant of these scopes.
    async fn link(host: &Host, scopes: &str, accounts: usize) {
        let cx = host.context();
        let granted = Granted::Known { scopes: split_scopes(scopes), source: GrantedSource::Token };
        let scopes = GrantScopes::of_flow(split_scopes("read stats"), granted);
        let grant = GrantRecord { scopes, ..Example::default().grant(cx).unwrap() };
        host.store().put_grant(&grant, &AuditRecord::new(cx, TENANT, "access_allowed").unwrap()).await.unwrap();
        let account = |number: usize| NewConnection {
            id_if_new: ConnectionId::new(cx).unwrap(),
            account: Account { id: format!("{}-{number}", grant.id), profile: [].into_iter().collect() },
            reference: None,
            audit: AuditId::new(cx).unwrap(),
        };
        let accounts = (0..accounts).map(account).collect();
        host.store().link_accounts(TENANT, &grant.id, &grant.scopes.ever_granted, accounts, cx.now()).await.unwrap();
    }

    /// How many there are on each page.
    async fn pages(host: &Host, state: ConnectionState, limit: u32) -> Vec<usize> {
        let filter = ConnectionFilter { tenant: TENANT.to_owned(), ..ConnectionFilter::default() };
        let (mut sizes, mut after, mut seen) = (Vec::new(), None, None);
        loop {
            let page = host.connections_in(state, &filter, after, limit).await.unwrap();
            assert!(page.items.iter().all(|(_, found)| host.state_of(found) == state));
            assert!(page.items.iter().map(|(place, _)| Some(*place)).chain([page.next]).flatten().is_sorted());
            assert!(page.items.first().is_none_or(|(place, _)| Some(*place) > seen), "none comes twice");
            seen = page.items.last().map(|(place, _)| *place).or(seen);
            sizes.push(page.items.len());
            after = page.next;
            if after.is_none() {
                return sizes;
            }
        }
    }

    #[tokio::test]
    async fn a_page_of_one_state_is_read_on_until_it_is_full_or_many_were_looked_at() {
        let host = host();
        link(&host, "read stats", 2_150).await;
        link(&host, "read", 3).await;
        link(&host, "read stats", 1).await;
        assert_eq!(pages(&host, ConnectionState::ReauthRequired, 2).await, [0, 2, 1], "two thousand were looked at");
        assert_eq!(pages(&host, ConnectionState::Active, 1_000).await, [1_000, 1_000, 151]);
        assert_eq!(pages(&host, ConnectionState::Held, 2).await, [0, 0]);
    }
}
