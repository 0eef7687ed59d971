//! Hosts on one data directory, each with a store and a vault of its own, as if each were another process.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use connector_core::account::{Account, Profile};
use connector_core::scope::GrantScopes;
use connector_core::testing::{FakeClock, FakeTransport};
use connector_core::{Context, ScopeSet, SystemRandom};
use connector_host::store::{
    Audit as _, AuditFilter, AuditId, ConnectionId, Connections as _, GrantId, GrantRecord, GrantState, Grants as _,
    NewConnection, Refreshed, Settle, Settlement, WHOLE_STORE,
};
use connector_host::testing::{Example, Installation, TENANT, allowed, sealed};
use connector_host::vault::{Binding, KeySource, Sealed, Vault, field};
use connector_host::{Error, Host, Opened, Opening};
use tokio::task::JoinSet;

/// A data directory and what is in it.
pub(crate) struct Bench(Installation);

impl Deref for Bench {
    type Target = Installation;

    fn deref(&self) -> &Installation {
        &self.0
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let transport = Arc::new(FakeTransport::default());
        let cx = Context::new(transport, Arc::new(FakeClock::default()), Arc::new(SystemRandom));
        Self(Installation::new(Example::default(), cx).unwrap())
    }

    /// A host as another process would have it.
    pub(crate) async fn host(&self) -> Host {
        self.0.host().await.unwrap()
    }

    pub(crate) async fn host_with(&self, keys: KeySource) -> Result<Opened, Error> {
        Host::open(Opening { keys, ..self.opening().await.unwrap() }).await
    }

    /// So many grants with tokens that never end, sealed as a host seals them. They are stored many at a time, which shares transactions.
    pub(crate) async fn grants(&self, count: usize) -> Vec<GrantId> {
        let (store, vault) = (self.store().await.unwrap(), self.vault().await.unwrap());
        let mut ids = Vec::new();
        while ids.len() < count {
            let mut together = JoinSet::new();
            for _ in 0..(count - ids.len()).min(100) {
                let (store, grant, record) = (Arc::clone(&store), self.grant(&vault), allowed(&self.cx).unwrap());
                ids.push(grant.id.clone());
                together.spawn(async move { store.put_grant(&grant, &record).await.unwrap() });
            }
            together.join_all().await;
        }
        ids
    }

    pub(crate) fn grant(&self, vault: &Vault) -> GrantRecord {
        let grant = self.example.grant(&self.cx).unwrap();
        let (access, refresh) = (format!("access-{}", grant.id), format!("refresh-{}", grant.id));
        sealed(&self.cx, vault, grant, &access, Some(&refresh)).unwrap()
    }

    /// A connection that works by a grant.
    pub(crate) async fn connection(&self, grant: &GrantId, account: &str) -> ConnectionId {
        let account = Account { id: account.to_owned(), profile: Profile::default() };
        let (id_if_new, audit) = (ConnectionId::new(&self.cx).unwrap(), AuditId::new(&self.cx).unwrap());
        let new = NewConnection { id_if_new, account, reference: None, audit };
        let store = self.store().await.unwrap();
        let links = store.link_accounts(TENANT, grant, &ScopeSet::new(), vec![new], self.cx.now()).await.unwrap();
        links.linked[0].connection.id.clone()
    }

    /// What a refresh brings for a first generation: this access token, sealed for the second.
    pub(crate) fn refreshed(&self, grant: &GrantId, access: Sealed) -> Settle {
        let refreshed = Refreshed {
            access,
            access_expires_at: None,
            refresh: None,
            refresh_expires_at: None,
            issued_at: self.cx.now(),
            scopes: GrantScopes::default(),
        };
        Settle {
            tenant: TENANT.to_owned(),
            grant: grant.clone(),
            generation: 1,
            attempt: "a".to_owned(),
            settlement: Settlement::Refreshed(Box::new(refreshed)),
            error: None,
            audit: None,
            now: self.cx.now(),
        }
    }

    /// The refresh tokens of grants open with the keys in the file, and are their own.
    pub(crate) async fn expect_refresh_tokens(&self, ids: &[GrantId]) {
        let (store, vault) = (self.store().await.unwrap(), self.vault().await.unwrap());
        for id in ids {
            let grant = store.grant(TENANT, id).await.unwrap().unwrap();
            let place =
                Binding { tenant: TENANT, owner: id.as_str(), field: field::REFRESH, generation: grant.generation };
            let token = vault.open(&place, &grant.refresh.unwrap()).unwrap();
            assert!(token.matches(&format!("refresh-{id}")), "{id} has another's token");
        }
    }

    /// What happened to the keys, in the order of the words.
    pub(crate) async fn events(&self) -> Vec<(String, String)> {
        let store = self.store().await.unwrap();
        let records = store.audit(WHOLE_STORE, &AuditFilter::default()).await.unwrap();
        let mut events: Vec<_> = records.into_iter().map(|record| (record.event, record.detail)).collect();
        events.sort();
        events
    }
}

/// The session of a grant opens, and its token is its own.
pub(crate) async fn expect_open(host: &Host, id: &GrantId) {
    let tokens = host.session(TENANT, id).await.unwrap_or_else(|error| panic!("{id}: {error}")).grant.tokens;
    assert!(tokens.access.matches(&format!("access-{id}")), "{id} has another's token");
}

/// The session of a grant does not open, and its person has to connect again.
pub(crate) async fn expect_lost(host: &Host, id: &GrantId) {
    let error = host.session(TENANT, id).await.map(drop).unwrap_err();
    assert_eq!(reason(&error), Some("key_lost"), "{error}");
    let grant = host.store().grant(TENANT, id).await.unwrap().unwrap();
    assert_eq!(grant.state, GrantState::ReauthRequired { reason: "key_lost".to_owned() });
    assert!(grant.last_error.is_some());
}

pub(crate) fn reason(error: &Error) -> Option<&str> {
    match error.kind()? {
        connector_core::ErrorKind::ReauthRequired { reason } => Some(reason),
        _ => None,
    }
}

/// The names of the keys in a file, the active one first, without those that were taken away.
pub(crate) fn keys_in(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.ends_with(" retired"));
    lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}
