//! A node's way to the store: slow, cut, and not always sure of what became of a call. Every write is watched on its way.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use connector_core::account::Profile;
use connector_core::{PlatformId, ScopeSet};
use connector_host::store::{
    AppHealth, Audit, AuditFilter, AuditRecord, Begun, Connected, ConnectionCursor, ConnectionFilter, ConnectionGrant,
    ConnectionId, ConnectionPage, Connections, Disconnect, Disconnection, DueRefresh, DueRefreshes, GrantId,
    GrantRecord, GrantState, Grants, LastError, Links, NewConnection, NewRevocation, Place, RefreshClaim, Refreshes,
    Result, RevocationOutcome, RevocationRecord, RevocationTokens, Revocations, Settle, Settlement, StateChange,
    StateCount, StoreError, testing,
};
use connector_host::vault::{Binding, Sealed, field};
use jiff::{SignedDuration, Timestamp};

use crate::ledger::{Death, Durable, Reauth, Row, Said, Write};
use crate::plan::{MINUTE, SECOND};
use crate::platform::parse_token;
use crate::world::{Life, Mutation, World, sleep};

/// The store as one life of a node sees it.
pub(crate) struct NodeStore {
    pub world: Arc<World>,
    pub life: Life,
}

impl std::fmt::Debug for NodeStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeStore").finish_non_exhaustive()
    }
}

/// What becomes of a call.
struct Luck {
    before: i64,
    after: i64,
    fails: Option<Fails>,
    /// By how much the node's clock is set while the node waits for the answer.
    jump: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fails {
    /// It was not done.
    Before,
    /// It was done, and the caller is not told.
    After,
}

impl NodeStore {
    async fn call<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let (world, life) = (&self.world, self.life);
        world.gate(life).await;
        let luck = self.luck();
        self.note_fault(&luck);
        if luck.before > 0 {
            sleep(luck.before).await;
            world.gate(life).await;
        }
        let place = || Place::Server("simulation".to_owned());
        if luck.fails == Some(Fails::Before) {
            return Err(StoreError::Unreachable { place: place(), why: "it is cut off".to_owned() });
        }
        let done = work.await;
        world.step(life).await;
        if luck.after > 0 {
            self.world.clocks[life.node].jump(luck.jump);
            sleep(luck.after).await;
            world.gate(life).await;
        }
        if luck.fails == Some(Fails::After) {
            return Err(StoreError::Lost { place: place(), why: "it broke".to_owned() });
        }
        done
    }

    fn luck(&self) -> Luck {
        let (now, plan) = (self.world.now(), &self.world.plan);
        let mut state = self.world.lock();
        if state.well {
            return Luck { before: 0, after: 0, fails: None, jump: 0 };
        }
        let cut = now < state.cut_until[self.life.node];
        let rng = &mut state.rng;
        let mut wait = || match rng.u8(0..4) {
            0 => rng.i64(1..20),
            _ => 0,
        };
        let (mut before, mut after) = (wait(), wait());
        if plan.store_delays > 0 && rng.u32(0..1_000) < plan.store_delays {
            let long = rng.i64(SECOND..3 * MINUTE);
            if rng.bool() { before = long } else { after = long }
        }
        let jump = if after >= SECOND && rng.bool() { rng.i64(-60 * MINUTE..60 * MINUTE) } else { 0 };
        let fails = match rng.u32(0..1_000) {
            _ if cut => Some(Fails::Before),
            number if number < plan.store_failures => Some(if rng.bool() { Fails::Before } else { Fails::After }),
            _ => None,
        };
        Luck { before, after, fails, jump }
    }

    /// A call that fails is made again after a while, and one that is slow keeps its caller so long.
    fn note_fault(&self, luck: &Luck) {
        if luck.fails.is_some() || luck.before + luck.after >= SECOND {
            let now = self.world.now();
            let mut state = self.world.lock();
            let cut = state.cut_until[self.life.node];
            let until = cut.max(now + luck.before + luck.after);
            state.ledger.store_faults.push((self.life.node, now, until));
        }
    }

    pub(crate) fn memory(&self) -> &testing::MemoryStore {
        &self.world.memory
    }

    /// A call that may write rows of grants. The store does it in one go, so that what is seen before and after it is what it did.
    async fn watched<T>(
        &self,
        grant: Option<&GrantId>,
        settled: Option<(i64, Said)>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let all = self.world.lock().grants.clone();
        let concerned: Vec<(usize, GrantId)> =
            all.into_iter().enumerate().filter(|(_, id)| grant.is_none_or(|only| only == id)).collect();
        let before: Vec<_> = concerned.iter().map(|(_, id)| self.memory().peek(id)).collect();
        let done = work.await;
        for ((account, id), before) in concerned.into_iter().zip(before) {
            if let (Some(before), Some(after)) = (before, self.memory().peek(&id)) {
                self.note_write(account, &before, &after, settled);
            }
        }
        done
    }

    fn note_write(&self, account: usize, before: &GrantRecord, after: &GrantRecord, settled: Option<(i64, Said)>) {
        let world = &self.world;
        let at = world.now();
        let row = |grant: &GrantRecord| Row {
            generation: grant.generation,
            state: grant.state.clone(),
            holds_tokens: grant.access.is_some() || grant.refresh.is_some() || grant.kept_answer.is_some(),
        };
        let changed = before != after;
        if changed {
            world.note(|| {
                let mark = after.refresh_mark.as_ref().map(|mark| (mark.attempt.is_some(), mark.unanswered));
                let (from, to) = (before.generation, after.generation);
                format!("row {account} is written: {from} -> {to}, {:?}, mark {mark:?}", after.state)
            });
        }
        let stored = (after.generation != before.generation && !after.state.is_over()).then(|| self.opened(after));
        let mut state = world.lock();
        let write = Write { at, account, before: row(before), after: row(after), changed, settled };
        state.ledger.writes.push(write);
        match stored {
            Some(Some((access, refresh))) if access == refresh => {
                let durable = Durable { at, generation: after.generation, token: refresh };
                state.ledger.durable[account].push(durable);
            }
            Some(what) => state.ledger.wrong.push(format!("account {account} was given tokens {what:?}")),
            None => {}
        }
        if let (GrantState::Active, GrantState::ReauthRequired { reason }) = (&before.state, &after.state) {
            let token = state.ledger.token_of(account, before.generation).unwrap_or_default();
            let known = &state.ledger.accounts[account];
            let rotated = known.current != token || known.dead == Some(Death::Reused);
            let attempt = before.refresh_mark.as_ref().and_then(|mark| mark.attempt.clone());
            let without_verdict = attempt.is_some() && attempt == state.given_up[account];
            state.ledger.reauths.push(Reauth { at, account, reason: reason.clone(), token, rotated, without_verdict });
        }
    }

    /// The numbers of the tokens that a row holds, if it opens.
    fn opened(&self, grant: &GrantRecord) -> Option<(u32, u32)> {
        let open = |field, sealed: Option<&Sealed>| {
            let binding =
                Binding { tenant: &grant.tenant, owner: grant.id.as_str(), field, generation: grant.generation };
            let secret = self.world.vault.open(&binding, sealed?).ok()?;
            parse_token(secret.expose()).map(|(_, _, number)| number)
        };
        open(field::ACCESS, grant.access.as_ref()).zip(open(field::REFRESH, grant.refresh.as_ref()))
    }

    fn note_begun(&self, account: usize, claim: &RefreshClaim, begun: &Begun, down: bool) {
        let mut state = self.world.lock();
        match begun {
            Begun::Send(_) => state.began_while_down[account] = down,
            Begun::TooManyInDoubt(_) => state.given_up[account] = Some(claim.attempt.clone()),
            _ => {}
        }
    }
}

impl NodeStore {
    /// A request that ended in doubt while nobody was answered says nothing of its token.
    async fn note_doubt(&self, grant: &GrantId) -> Result<()> {
        let down = self.memory().app_health().await?.iter().any(AppHealth::is_down);
        let (Some(account), true) = (self.world.account_of(grant), down) else { return Ok(()) };
        let mut state = self.world.lock();
        let mut sends = state.ledger.sends.iter_mut().rev();
        if let Some(send) = sends.find(|send| (send.account, send.node) == (account, self.life.node)) {
            send.while_down = true;
        }
        Ok(())
    }
}

#[async_trait]
impl Refreshes for NodeStore {
    async fn begin_refresh(&self, claim: &RefreshClaim) -> Result<Begun> {
        let mut claim = claim.clone();
        if self.world.mutation == Mutation::NoRest {
            claim.terms.quarantine = SignedDuration::ZERO;
        }
        let work = async {
            let down = self.memory().app_health().await?.iter().any(AppHealth::is_down);
            let begun = self.watched(Some(&claim.grant), None, self.memory().begin_refresh(&claim)).await?;
            if let Some(account) = self.world.account_of(&claim.grant) {
                self.note_begun(account, &claim, &begun, down);
                self.world.note(|| format!("node {} may refresh {account}? {}", self.life.node, word(&begun)));
            }
            Ok(begun)
        };
        self.call(work).await
    }

    async fn settle_refresh(&self, settle: &Settle) -> Result<bool> {
        let mut actual = settle.clone();
        let said = match settle.settlement {
            Settlement::Refreshed(_) => Said::Success,
            _ => Said::Failure,
        };
        let work = async {
            if self.world.mutation == Mutation::NoCompare
                && let Some(row) = self.memory().peek(&settle.grant)
            {
                actual.generation = row.generation;
                actual.attempt = row.refresh_mark.and_then(|mark| mark.attempt).unwrap_or_default();
            }
            if self.world.mutation == Mutation::Forgetful && said == Said::Success {
                return Ok(true);
            }
            if self.world.mutation == Mutation::Careless && matches!(actual.settlement, Settlement::InDoubt) {
                actual.settlement = Settlement::NotSent;
            }
            let settled = Some((settle.generation, said));
            let done = self.watched(Some(&settle.grant), settled, self.memory().settle_refresh(&actual)).await?;
            if done && matches!(settle.settlement, Settlement::InDoubt) {
                self.note_doubt(&settle.grant).await?;
            }
            Ok(done)
        };
        self.call(work).await
    }

    async fn due_refreshes(&self, due: &DueRefreshes) -> Result<Vec<DueRefresh>> {
        self.call(self.memory().due_refreshes(due)).await
    }

    async fn kept_answers(&self) -> Result<Vec<DueRefresh>> {
        self.call(self.memory().kept_answers()).await
    }

    async fn count_doubts(&self) -> Result<u64> {
        self.call(self.memory().count_doubts()).await
    }

    async fn app_health(&self) -> Result<Vec<AppHealth>> {
        self.call(self.memory().app_health()).await
    }
}

fn word(begun: &Begun) -> &'static str {
    match begun {
        Begun::Send(_) => "yes",
        Begun::UnderWay => "under way",
        Begun::Quarantined(_) => "quarantined",
        Begun::Parked(_) => "parked",
        Begun::AppBlocked(_) => "app blocked",
        Begun::AnswerKept(_) => "answer kept",
        Begun::TooManyInDoubt(_) => "too many in doubt",
        Begun::Moved => "moved",
    }
}

#[async_trait]
impl Grants for NodeStore {
    async fn put_grant(&self, grant: &GrantRecord, audit: &AuditRecord) -> Result<()> {
        self.call(self.memory().put_grant(grant, audit)).await
    }

    async fn grant(&self, tenant: &str, id: &GrantId) -> Result<Option<GrantRecord>> {
        self.call(self.memory().grant(tenant, id)).await
    }

    async fn own_grant(&self, tenant: &str, id: &GrantId) -> Result<Option<GrantRecord>> {
        self.call(self.memory().own_grant(tenant, id)).await
    }

    async fn unlinked_grants(&self, tenant: &str) -> Result<Vec<GrantRecord>> {
        self.call(self.memory().unlinked_grants(tenant)).await
    }

    async fn waiting_grants(&self, tenant: &str) -> Result<Vec<GrantRecord>> {
        self.call(self.memory().waiting_grants(tenant)).await
    }

    async fn grants_needing(&self, reason: &str) -> Result<Vec<GrantRecord>> {
        self.call(self.memory().grants_needing(reason)).await
    }

    async fn give_up_grant(
        &self,
        tenant: &str,
        id: &GrantId,
        revocation: Option<NewRevocation>,
        audit: &AuditRecord,
    ) -> Result<bool> {
        self.call(self.watched(Some(id), None, self.memory().give_up_grant(tenant, id, revocation, audit))).await
    }

    async fn set_grant_state(&self, change: &StateChange) -> Result<bool> {
        let work = self.memory().set_grant_state(change);
        self.call(self.watched(Some(&change.grant), Some((change.generation, Said::Failure)), work)).await
    }

    async fn is_shared(
        &self,
        id: &GrantId,
        platform: &PlatformId,
        client_id: &str,
        subject: Option<&str>,
    ) -> Result<bool> {
        self.call(self.memory().is_shared(id, platform, client_id, subject)).await
    }

    async fn last_requested(&self, platform: &PlatformId, app: &str, client_id: &str) -> Result<Option<ScopeSet>> {
        self.call(self.memory().last_requested(platform, app, client_id)).await
    }

    async fn note_grant_error(&self, id: &GrantId, error: Option<LastError>) -> Result<()> {
        self.call(self.watched(Some(id), None, self.memory().note_grant_error(id, error))).await
    }
}

#[async_trait]
impl Connections for NodeStore {
    async fn link_accounts(
        &self,
        tenant: &str,
        grant: &GrantId,
        ever_granted: &ScopeSet,
        accounts: Vec<NewConnection>,
        now: Timestamp,
    ) -> Result<Links> {
        self.call(self.memory().link_accounts(tenant, grant, ever_granted, accounts, now)).await
    }

    async fn connections_page(
        &self,
        filter: &ConnectionFilter,
        after: Option<ConnectionCursor>,
        limit: u32,
    ) -> Result<ConnectionPage> {
        self.call(self.memory().connections_page(filter, after, limit)).await
    }

    async fn count_by_state(&self) -> Result<Vec<StateCount>> {
        self.call(self.memory().count_by_state()).await
    }

    async fn connections_of(
        &self,
        tenant: &str,
        platform: &PlatformId,
        app: &str,
        account_ids: &[&str],
    ) -> Result<Vec<Connected>> {
        self.call(self.memory().connections_of(tenant, platform, app, account_ids)).await
    }

    async fn connection(&self, tenant: &str, id: &ConnectionId) -> Result<Option<Connected>> {
        self.call(self.memory().connection(tenant, id)).await
    }

    async fn own_connection_grant(&self, tenant: &str, id: &ConnectionId) -> Result<Option<ConnectionGrant>> {
        self.call(self.memory().own_connection_grant(tenant, id)).await
    }

    async fn update_profile(&self, id: &ConnectionId, profile: &Profile, now: Timestamp) -> Result<()> {
        self.call(self.memory().update_profile(id, profile, now)).await
    }

    async fn disconnect(&self, disconnect: &Disconnect) -> Result<Disconnection> {
        self.call(self.watched(None, None, self.memory().disconnect(disconnect))).await
    }
}

#[async_trait]
impl Revocations for NodeStore {
    async fn revocations_due(&self, now: Timestamp) -> Result<Vec<RevocationRecord>> {
        self.call(self.memory().revocations_due(now)).await
    }

    async fn revocation_of(&self, grant: &GrantId) -> Result<Option<RevocationRecord>> {
        self.call(self.memory().revocation_of(grant)).await
    }

    async fn put_revocation(&self, revocation: &RevocationRecord) -> Result<()> {
        self.call(self.watched(Some(&revocation.grant_id), None, self.memory().put_revocation(revocation))).await
    }

    async fn claim_revocation(
        &self,
        seen: &RevocationRecord,
        rest: SignedDuration,
    ) -> Result<Option<RevocationRecord>> {
        self.call(self.memory().claim_revocation(seen, rest)).await
    }

    async fn finish_revocation(
        &self,
        seen: &RevocationRecord,
        outcome: RevocationOutcome,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<bool> {
        self.call(self.watched(None, None, self.memory().finish_revocation(seen, outcome, now, audit))).await
    }

    async fn postpone_revocation(
        &self,
        seen: &RevocationRecord,
        rest: SignedDuration,
        error: &LastError,
    ) -> Result<bool> {
        self.call(self.memory().postpone_revocation(seen, rest, error)).await
    }

    async fn update_revocation_tokens(
        &self,
        seen: &RevocationRecord,
        tokens: &RevocationTokens,
        expires_at: Timestamp,
        rest: SignedDuration,
    ) -> Result<Option<RevocationRecord>> {
        self.call(self.memory().update_revocation_tokens(seen, tokens, expires_at, rest)).await
    }
}

#[async_trait]
impl Audit for NodeStore {
    async fn append_audit(&self, record: &AuditRecord) -> Result<()> {
        self.call(self.memory().append_audit(record)).await
    }

    async fn audit(&self, tenant: &str, filter: &AuditFilter) -> Result<Vec<AuditRecord>> {
        self.memory().audit(tenant, filter).await
    }
}
