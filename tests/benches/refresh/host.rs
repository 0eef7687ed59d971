//! A host as it is in production, with grants whose access tokens have expired.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use connector_core::Context;
use connector_core::scope::{GrantScopes, Granted, GrantedSource, split_scopes};
use connector_host::store::{GrantId, GrantRecord, SqliteStore, Store};
use connector_host::testing::{Example, allowed, sealed};
use connector_host::vault::{KeySource, Vault, unlock};
use connector_host::{Host, Opening, Realm};
use jiff::SignedDuration;
use tokio::task::JoinSet;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use url::Url;

use crate::Outcome;
use crate::mock::refresh_token;

/// A store with grants whose access tokens have expired, and no host yet.
pub(crate) struct Prepared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Vault,
    pub(crate) ids: Vec<GrantId>,
    example: Example,
}

impl Prepared {
    /// In a directory, for accounts of a token endpoint.
    pub(crate) async fn new(cx: &Context, dir: &Path, endpoint: &Url, grants: usize) -> Outcome<Self> {
        let example = Example { origin: endpoint.origin().ascii_serialization(), ..Example::default() };
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(cx, &data(dir)).await?);
        let vault = unlock(cx, &KeySource::in_dir(data(dir)), &store).await?.vault;
        let mut made = Vec::with_capacity(grants);
        for index in 0..grants {
            let (access, refresh) = (format!("access-1-{index}-{:064}", 7), refresh_token(&index.to_string(), 1));
            made.push(sealed(cx, &vault, expired(cx, &example)?, &access, Some(&refresh))?);
        }
        let ids = made.iter().map(|grant| grant.id.clone()).collect();
        put(cx, &store, made).await?;
        Ok(Self { store, vault, ids, example })
    }
}

fn data(dir: &Path) -> PathBuf {
    dir.join("data")
}

/// The file of the store.
pub(crate) fn database(dir: &Path) -> PathBuf {
    data(dir).join("store.db")
}

/// The host, and its grants.
pub(crate) async fn with_expired_grants(
    cx: &Context,
    dir: &Path,
    endpoint: &Url,
    grants: usize,
) -> Outcome<(Host, Vec<GrantId>)> {
    let Prepared { store, ids, example, .. } = Prepared::new(cx, dir, endpoint, grants).await?;
    let (registry, settings) = (example.registry()?, example.settings_in(dir)?);
    let (cx, realm, keys, spool) =
        (cx.clone(), Realm::Live, KeySource::in_dir(data(dir)), Some(data(dir).join("spool")));
    let opening = Opening { registry, settings, realm, store, keys, spool, cx };
    Ok((Host::open(opening).await?.host, ids))
}

/// A few at a time: what all of them would take at once is not what the host takes.
async fn put(cx: &Context, store: &Arc<dyn Store>, grants: Vec<GrantRecord>) -> Outcome {
    let mut left = grants.into_iter().peekable();
    while left.peek().is_some() {
        let mut tasks = JoinSet::new();
        for grant in left.by_ref().take(100) {
            let (store, allowed) = (Arc::clone(store), allowed(cx)?);
            tasks.spawn(async move { store.put_grant(&grant, &allowed).await });
        }
        tasks.join_all().await.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(())
}

fn expired(cx: &Context, example: &Example) -> Outcome<GrantRecord> {
    let now = cx.now();
    let scopes = split_scopes("read");
    let granted = Granted::Known { scopes: scopes.clone(), source: GrantedSource::Token };
    Ok(GrantRecord {
        scopes: GrantScopes::of_flow(scopes, granted),
        access_expires_at: Some(now - SignedDuration::from_hours(1)),
        refresh_expires_at: Some(now + SignedDuration::from_hours(24 * 100)),
        issued_at: now - SignedDuration::from_hours(25),
        ..example.grant(cx)?
    })
}

/// Counts what the store says about its commits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commits(Arc<[AtomicUsize; 2]>);

impl Commits {
    /// Counts from now on.
    pub(crate) fn count() -> Self {
        let commits = Self::default();
        // Nobody else in this process listens.
        let _ = tracing::subscriber::set_global_default(commits.clone());
        commits
    }

    /// The commits, and the operations in them.
    pub(crate) fn so_far(&self) -> (usize, usize) {
        (self.0[0].load(Ordering::Relaxed), self.0[1].load(Ordering::Relaxed))
    }
}

impl Visit for Commits {
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "together" {
            self.0[0].fetch_add(1, Ordering::Relaxed);
            self.0[1].fetch_add(usize::try_from(value).unwrap_or_default(), Ordering::Relaxed);
        }
    }
}

impl Subscriber for Commits {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.fields().field("together").is_some()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
