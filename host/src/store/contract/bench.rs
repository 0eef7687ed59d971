//! What the checks work with.

use std::sync::Arc;

use connector_core::account::{Account, FieldValue, Profile};
use connector_core::scope::{GrantScopes, Granted, GrantedSource, split_scopes};
use connector_core::{Context, PlatformId, ScopeSet};
use jiff::{SignedDuration, Timestamp};

use crate::store::{
    Actor, AuditId, AuditRecord, Begun, ConnectionId, ConnectionRecord, Disconnect, Disconnection, FlowFilter, FlowId,
    FlowRecord, GrantId, GrantRecord, GrantState, KeyedRequest, KeyedRequestId, LastError, LinkIntent, Links,
    NewConnection, NewRevocation, RefreshClaim, RefreshTerms, Refreshed, RevocationId, RevocationOutcome,
    RevocationRecord, RevocationTokens, Settle, Settlement, StateChange, Store, StoreError,
};
use crate::vault::Sealed;

pub(super) const TENANT: &str = "default";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A fresh store and what makes records for it.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    pub(super) cx: Context,
    pub(super) store: Arc<dyn Store>,
}

pub(super) fn sealed(text: &str) -> Sealed {
    Sealed::from_stored(text.as_bytes().to_vec())
}

pub(super) fn platform(id: &str) -> Result<PlatformId> {
    Ok(id.parse()?)
}

impl Bench {
    /// So many minutes from now, as exact as a store keeps it.
    pub(super) fn minutes(&self, minutes: i64) -> Timestamp {
        let time = self.cx.now().saturating_add(SignedDuration::from_mins(minutes)).unwrap_or(Timestamp::MAX);
        Timestamp::from_millisecond(time.as_millisecond()).unwrap_or_default()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.minutes(0)
    }

    pub(super) fn flow(&self, state_digest: &str) -> Result<FlowRecord> {
        Ok(FlowRecord {
            id: FlowId::new(&self.cx)?,
            state_digest: state_digest.to_owned(),
            tenant: TENANT.to_owned(),
            platform: platform("lantern")?,
            app: "default".to_owned(),
            reference: Some("person-1".to_owned()),
            reconnects: Some(ConnectionId::new(&self.cx)?),
            initiator_digest: "ab".repeat(32),
            sealed: sealed("verifier"),
            created_at: self.now(),
            expires_at: self.minutes(10),
        })
    }

    /// A request under a key that is leased for five minutes and remembered for an hour.
    pub(super) fn request(&self, key: &str) -> Result<KeyedRequest> {
        Ok(KeyedRequest {
            id: KeyedRequestId::new(&self.cx)?,
            tenant: TENANT.to_owned(),
            key_digest: key.to_owned(),
            request_digest: "cd".repeat(32),
            answer: None,
            leased_until: self.minutes(5),
            expires_at: self.minutes(60),
        })
    }

    /// Takes a flow out, whosever it is.
    pub(super) async fn take_flow(&self, state_digest: &str) -> crate::store::Result<Option<FlowRecord>> {
        self.store.take_flow(state_digest, &FlowFilter::default()).await
    }

    /// A grant with every field set that an active one can have.
    pub(super) fn grant(&self) -> Result<GrantRecord> {
        let granted = Granted::Known { scopes: split_scopes("basic stats"), source: GrantedSource::Token };
        Ok(GrantRecord {
            base_urls: [("api".to_owned(), "https://api.example/v2".parse()?)].into(),
            subject: Some("-0007".to_owned()),
            scopes: GrantScopes::of_flow(split_scopes("basic stats list"), granted),
            access: Some(sealed("access 1")),
            access_expires_at: Some(self.minutes(120)),
            refresh: Some(sealed("refresh 1")),
            refresh_expires_at: Some(self.minutes(500_000)),
            unlinked: Some(LinkIntent { reference: Some("person-1".to_owned()), ..LinkIntent::default() }),
            last_error: Some(self.last_error("busy")),
            ..GrantRecord::new(GrantId::new(&self.cx)?, TENANT, platform("lantern")?, "default", "client-1", self.now())
        })
    }

    pub(super) async fn stored_grant(&self) -> Result<GrantRecord> {
        let grant = self.grant()?;
        self.put_grant(&grant).await?;
        Ok(grant)
    }

    pub(super) fn audit(&self, event: &str) -> crate::store::Result<AuditRecord> {
        AuditRecord::new(&self.cx, TENANT, event).map_err(StoreError::database)
    }

    pub(super) async fn put_grant(&self, grant: &GrantRecord) -> crate::store::Result<()> {
        self.store.put_grant(grant, &self.audit("access_allowed")?.of_grant(&grant.id)).await
    }

    pub(super) async fn set_state(
        &self,
        grant: &GrantId,
        generation: i64,
        state: &GrantState,
        since: Timestamp,
    ) -> crate::store::Result<bool> {
        let audit = self.audit("state_changed")?.of_grant(grant);
        let seen = self.store.every_grant().await?.into_iter().find(|stored| stored.id == *grant);
        let seen = seen.map_or(GrantState::Active, |stored| stored.state);
        let change = StateChange { grant: grant.clone(), generation, seen, state: state.clone(), since, audit };
        self.store.set_grant_state(&change).await
    }

    pub(super) async fn disconnect(
        &self,
        tenant: &str,
        id: &ConnectionId,
        now: Timestamp,
        revocations: Vec<RevocationRecord>,
    ) -> crate::store::Result<Disconnection> {
        let revocations = revocations.into_iter().map(|record| NewRevocation { record, mark: None }).collect();
        self.disconnect_with(tenant, id, now, revocations).await
    }

    pub(super) async fn disconnect_with(
        &self,
        tenant: &str,
        id: &ConnectionId,
        now: Timestamp,
        revocations: Vec<NewRevocation>,
    ) -> crate::store::Result<Disconnection> {
        let audit = AuditId::new(&self.cx).map_err(StoreError::database)?;
        let (tenant, connection, by) = (tenant.to_owned(), id.clone(), Some(Actor::Command));
        let disconnect = Disconnect { tenant, connection, revocations, audit, by, now };
        self.store.disconnect(&disconnect).await
    }

    pub(super) async fn finish(
        &self,
        job: &RevocationRecord,
        outcome: RevocationOutcome,
        now: Timestamp,
    ) -> crate::store::Result<bool> {
        self.store.finish_revocation(job, outcome, now, &self.audit("access_revoked")?).await
    }

    /// The revocation of a grant as it is stored now.
    pub(super) async fn stored_revocation(&self, grant: &GrantRecord) -> Result<RevocationRecord> {
        Ok(self.store.revocation_of(&grant.id).await?.ok_or("the revocation is gone")?)
    }

    /// What is on record, the oldest first, as events with details.
    pub(super) async fn on_record(&self) -> crate::store::Result<Vec<(String, String)>> {
        let mut records = self.store.audit(TENANT, &crate::store::AuditFilter::default()).await?;
        records.reverse();
        Ok(records.into_iter().map(|record| (record.event, record.detail)).collect())
    }

    /// The grant as it is stored now.
    pub(super) async fn read(&self, grant: &GrantRecord) -> Result<GrantRecord> {
        Ok(self.store.grant(&grant.tenant, &grant.id).await?.ok_or("the grant is gone")?)
    }

    /// What a refresh a minute from now brings.
    pub(super) fn refreshed(&self, name: &str) -> Refreshed {
        Refreshed {
            access: sealed(name),
            access_expires_at: None,
            refresh: Some(sealed(name)),
            refresh_expires_at: Some(self.minutes(9)),
            issued_at: self.minutes(1),
            scopes: GrantScopes::default(),
        }
    }

    pub(super) async fn begin_with(
        &self,
        grant: &GrantRecord,
        attempt: &str,
        terms: RefreshTerms,
        credentials: &str,
    ) -> crate::store::Result<Begun> {
        let claim = RefreshClaim {
            tenant: grant.tenant.clone(),
            grant: grant.id.clone(),
            generation: grant.generation,
            attempt: attempt.to_owned(),
            terms,
            credentials: credentials.to_owned(),
        };
        self.store.begin_refresh(&claim).await
    }

    /// Ends an attempt a minute from now.
    pub(super) async fn settle(
        &self,
        grant: &GrantRecord,
        attempt: &str,
        settlement: Settlement,
    ) -> crate::store::Result<bool> {
        self.settle_with(grant, attempt, settlement, None, self.minutes(1)).await
    }

    pub(super) async fn settle_with(
        &self,
        grant: &GrantRecord,
        attempt: &str,
        settlement: Settlement,
        audit: Option<AuditRecord>,
        now: Timestamp,
    ) -> crate::store::Result<bool> {
        let failed = !matches!(settlement, Settlement::Refreshed(_));
        let settle = Settle {
            tenant: grant.tenant.clone(),
            grant: grant.id.clone(),
            generation: grant.generation,
            attempt: attempt.to_owned(),
            settlement,
            error: failed.then(|| self.last_error("it failed")),
            audit,
            now,
        };
        self.store.settle_refresh(&settle).await
    }

    pub(super) fn last_error(&self, message: &str) -> LastError {
        LastError {
            at: self.now(),
            kind: "unavailable".to_owned(),
            message: message.to_owned(),
            code: Some("internal_error".to_owned()),
            log_id: Some("2026".to_owned()),
        }
    }

    pub(super) fn account(&self, id: &str) -> Result<NewConnection> {
        let profile: Profile = [
            ("handle".to_owned(), FieldValue::Text(format!("@{id}"))),
            ("verified".to_owned(), FieldValue::Flag(true)),
            ("custom.lantern.level".to_owned(), FieldValue::Integer(7)),
        ]
        .into_iter()
        .collect();
        let account = Account { id: id.to_owned(), profile };
        let (id_if_new, audit) = (ConnectionId::new(&self.cx)?, AuditId::new(&self.cx)?);
        Ok(NewConnection { id_if_new, account, reference: None, audit })
    }

    /// Links these accounts, of which no earlier grant held anything.
    pub(super) async fn link(
        &self,
        grant: &GrantRecord,
        accounts: Vec<NewConnection>,
        now: Timestamp,
    ) -> crate::store::Result<Links> {
        self.store.link_accounts(&grant.tenant, &grant.id, &ScopeSet::new(), accounts, now).await
    }

    /// A stored grant with these accounts linked.
    pub(super) async fn linked(&self, accounts: &[&str]) -> Result<(GrantRecord, Vec<ConnectionRecord>)> {
        let grant = self.stored_grant().await?;
        let accounts = accounts.iter().map(|id| self.account(id)).collect::<Result<Vec<_>>>()?;
        let links = self.link(&grant, accounts, self.now()).await?;
        Ok((grant, links.linked.into_iter().map(|linked| linked.connection).collect()))
    }

    /// A stored grant with one account linked.
    pub(super) async fn linked_one(&self) -> Result<(GrantRecord, ConnectionRecord)> {
        let (grant, mut connections) = self.linked(&["acct-1"]).await?;
        Ok((grant, connections.pop().ok_or("nothing was linked")?))
    }

    pub(super) fn revocation(&self, grant: &GrantRecord) -> Result<RevocationRecord> {
        Ok(RevocationRecord {
            id: RevocationId::new(&self.cx)?,
            grant_id: grant.id.clone(),
            grant_generation: grant.generation,
            tenant: grant.tenant.clone(),
            platform: grant.platform.clone(),
            app: grant.app.clone(),
            client_id: grant.client_id.clone(),
            base_urls: grant.base_urls.clone(),
            subject: grant.subject.clone(),
            tokens: RevocationTokens {
                access: Some(sealed("revoked access")),
                access_expires_at: Some(self.minutes(120)),
                refresh: Some(sealed("revoked refresh")),
                refresh_expires_at: None,
            },
            attempts: 0,
            next_try_at: self.now(),
            expires_at: self.minutes(1_000),
            last_error: None,
            created_at: self.now(),
        })
    }
}
