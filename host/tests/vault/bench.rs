//! Hosts on one data directory, each with a store and a vault of its own, as if each were another process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector_core::account::{Account, Profile};
use connector_core::config::{Config, Layer};
use connector_core::scope::GrantScopes;
use connector_core::testing::{FakeClock, FakeTransport};
use connector_core::{
    ConfiguredConnector, Context, Descriptor, Registration, Registry, ScopeSet, Secret, SystemRandom,
};
use connector_host::store::{
    Audit as _, AuditFilter, AuditId, AuditRecord, ConnectionId, GrantId, GrantRecord, GrantState, NewConnection,
    Refreshed, Settle, Settlement, SqliteStore, Store, WHOLE_STORE,
};
use connector_host::vault::{Binding, KeyFile, KeySource, Sealed, Vault, field, unlock};
use connector_host::{Error, Host, Parts, Realm};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

pub(crate) const TENANT: &str = "default";

const PLATFORM: &str = r#"
verified_on = "2026-11-22"
base_urls = { api = "https://example.test" }

[oauth]
authorize = { at = { base = "api", path = "/authorize" } }
token = { at = { base = "api", path = "/token" } }

[redirect.desktop]
schemes = ["http"]

[endpoints.me]
at = { base = "api", path = "/me" }

[accounts]
endpoint = "me"
id = "id"
"#;

const CONFIG: &str = r#"
[platforms.example.apps.default]
kind = "desktop"
client_id = "id-1"
client_secret = { file = "SECRET_FILE" }
scopes = ["read"]

[platforms.example.scopes.read]
product = "API"
description = "Everything"
fields.me = { id = "profile.id" }
"#;

const DESCRIPTOR: Descriptor = Descriptor { id: "example", name: "Example", package: env!("CARGO_PKG_NAME") };

/// A data directory and what is in it.
pub(crate) struct Bench {
    pub(crate) cx: Context,
    pub(crate) parent: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let transport = Arc::new(FakeTransport::default());
        let cx = Context::new(transport, Arc::new(FakeClock::default()), Arc::new(SystemRandom));
        let parent = TempDir::new().unwrap();
        std::fs::write(parent.path().join("secret"), "hush").unwrap();
        Self { cx, parent }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.parent.path().join("data")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.dir().join(KeyFile::NAME)
    }

    pub(crate) fn source(&self) -> KeySource {
        KeySource::in_dir(self.dir())
    }

    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.cx, &self.dir()).await.unwrap())
    }

    /// A host as another process would have it.
    pub(crate) async fn host(&self) -> Host {
        self.host_with(&self.source()).await.unwrap()
    }

    pub(crate) async fn host_with(&self, source: &KeySource) -> Result<Host, connector_core::Error> {
        let store = self.store().await;
        let vault = unlock(&self.cx, source, &store).await?.vault;
        let secret = self.parent.path().join("secret");
        let config = CONFIG.replace("SECRET_FILE", secret.to_str().unwrap());
        let config = Config::of(vec![Layer::embedded("test", &config).unwrap()]).unwrap();
        let registry = Registry::new([Registration::new(DESCRIPTOR, PLATFORM, ConfiguredConnector::build)]).unwrap();
        let (settings, cx) = (config.settings, self.cx.clone());
        Ok(Host::new(Parts { registry, settings, realm: Realm::Live, store, vault, cx, spool: None }))
    }

    /// So many grants with tokens that never end, sealed as a host seals them.
    pub(crate) async fn grants(&self, count: usize) -> Vec<GrantId> {
        let store = self.store().await;
        let vault = unlock(&self.cx, &self.source(), &store).await.unwrap().vault;
        let mut ids = Vec::new();
        for _ in 0..count {
            let grant = self.grant(&vault);
            let allowed = AuditRecord::new(&self.cx, TENANT, "access_allowed").unwrap();
            store.put_grant(&grant, &allowed).await.unwrap();
            ids.push(grant.id);
        }
        ids
    }

    pub(crate) fn grant(&self, vault: &Vault) -> GrantRecord {
        let (id, now) = (GrantId::new(&self.cx).unwrap(), self.cx.now());
        let sealed = |name: &str, token: String| {
            let place = Binding { tenant: TENANT, owner: id.as_str(), field: name, generation: 1 };
            Some(vault.seal(&self.cx, &place, &Secret::from(token)).unwrap())
        };
        GrantRecord {
            access: sealed(field::ACCESS, format!("access-{id}")),
            refresh: sealed(field::REFRESH, format!("refresh-{id}")),
            base_urls: [("api".to_owned(), "https://example.test".parse().unwrap())].into(),
            ..GrantRecord::new(id, TENANT, "example".parse().unwrap(), "default", "id-1", now)
        }
    }

    /// A connection that works by a grant.
    pub(crate) async fn connection(&self, grant: &GrantId, account: &str) -> ConnectionId {
        let account = Account { id: account.to_owned(), profile: Profile::default() };
        let (id_if_new, audit) = (ConnectionId::new(&self.cx).unwrap(), AuditId::new(&self.cx).unwrap());
        let new = NewConnection { id_if_new, account, reference: None, audit };
        let store = self.store().await;
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

    /// Does what only another program would do to the database.
    pub(crate) async fn by_others(&self, statement: &'static str, ids: &[&GrantId]) {
        let options = SqliteConnectOptions::new().filename(self.dir().join("store.db"));
        let mut connection = options.connect().await.unwrap();
        let query = ids.iter().fold(sqlx::query(statement), |query, id| query.bind(id.to_string()));
        query.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// What happened to the keys, in the order of the words.
    pub(crate) async fn events(&self) -> Vec<(String, String)> {
        let store = SqliteStore::open(&self.cx, &self.dir()).await.unwrap();
        let records = store.audit(WHOLE_STORE, &AuditFilter::default()).await.unwrap();
        let mut events: Vec<_> = records.into_iter().map(|record| (record.event, record.detail)).collect();
        events.sort();
        events
    }
}

/// The session of a grant opens, and its tokens are its own.
pub(crate) async fn expect_open(host: &Host, id: &GrantId) {
    let tokens = host.session(TENANT, id).await.unwrap_or_else(|error| panic!("{id}: {error}")).grant.tokens;
    assert!(tokens.access.matches(&format!("access-{id}")), "{id} has another's token");
    assert!(tokens.refresh.unwrap().matches(&format!("refresh-{id}")), "{id} has another's token");
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
