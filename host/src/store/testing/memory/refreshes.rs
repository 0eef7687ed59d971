//! Refreshes in memory.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::tick::Tick;
use super::{MemoryStore, Row, State};
use crate::store::{
    AppHealth, Begun, DueRefresh, DueRefreshes, GrantRecord, GrantState, RefreshClaim, RefreshMark, Refreshed,
    Refreshes, Result, Settle, Settlement, Standing,
};

/// How long a grant rests whose request the platform refused as such.
const PARKED_FOR: SignedDuration = SignedDuration::from_mins(15);

#[async_trait]
impl Refreshes for MemoryStore {
    async fn begin_refresh(&self, claim: &RefreshClaim) -> Result<Begun> {
        let mut state = self.lock();
        state.check_ours()?;
        Ok(state.begin(claim, Tick::of(&self.cx)))
    }

    async fn settle_refresh(&self, settle: &Settle) -> Result<bool> {
        Ok(self.lock().settle(settle, Tick::of(&self.cx).now))
    }

    async fn due_refreshes(&self, due: &DueRefreshes) -> Result<Vec<DueRefresh>> {
        let state = self.lock();
        let limit = usize::try_from(due.limit).unwrap_or(usize::MAX);
        let now = Tick::of(&self.cx).now;
        let mut found = state.first_due(limit, |grant| unsettled(grant, due, now));
        found.extend(state.first_due(limit, |grant| dying(grant, due)));
        for (platform, app) in &due.keep_fresh {
            let of_app = |grant: &GrantRecord| grant.platform == *platform && grant.app == *app;
            found.extend(state.first_due(limit, |grant| stale(grant, due).filter(|_| of_app(grant))));
        }
        found.sort_by(|a, b| (a.since, &a.grant).cmp(&(b.since, &b.grant)));
        found.dedup_by(|a, b| a.grant == b.grant);
        found.truncate(limit);
        Ok(found)
    }

    async fn kept_answers(&self) -> Result<Vec<DueRefresh>> {
        let kept = |grant: &GrantRecord| grant.kept_answer.as_ref().map(|_| grant.updated_at);
        let mut found = self.lock().first_due(usize::MAX, kept);
        found.sort_by(|a, b| a.grant.cmp(&b.grant));
        Ok(found)
    }

    async fn count_doubts(&self) -> Result<u64> {
        let doubtful = |grant: &GrantRecord| {
            grant.refresh_mark.is_some() && grant.state == GrantState::Active && grant.kept_answer.is_none()
        };
        let state = self.lock();
        Ok(state.grants.values().filter(|row| doubtful(&row.grant)).map(|_| 1).sum())
    }

    async fn app_health(&self) -> Result<Vec<AppHealth>> {
        Ok(self.lock().health.values().cloned().collect())
    }
}

impl State {
    fn begin(&mut self, claim: &RefreshClaim, tick: Tick) -> Begun {
        let Some(row) = self.of_tenant_mut(&claim.tenant, &claim.grant) else { return Begun::Moved };
        let (grant, now) = (&row.grant, tick.now);
        if grant.generation != claim.generation || grant.state != GrantState::Active {
            return Begun::Moved;
        }
        if grant.kept_answer.is_some() {
            return Begun::AnswerKept(Box::new(grant.clone()));
        }
        // A clock that was set back must not park a grant for longer than any may be.
        if let Some(until) = grant.parked_until.filter(|at| *at > now && at.duration_since(now) <= PARKED_FOR) {
            return Begun::Parked(until);
        }
        let Some(elapsed) = tick.since_sent(row) else {
            row.rest_from(tick);
            return Begun::Quarantined(claim.terms.quarantine);
        };
        match claim.terms.standing(row.grant.refresh_mark.as_ref(), elapsed) {
            Standing::UnderWay => Begun::UnderWay,
            Standing::Resting(left) => Begun::Quarantined(left),
            standing => self.take_turn(claim, standing, tick),
        }
    }

    /// Puts the attempt on record, if the app may send.
    fn take_turn(&mut self, claim: &RefreshClaim, standing: Standing, tick: Tick) -> Begun {
        let Some(Row { mut grant, sent }) = self.of_tenant(&claim.tenant, &claim.grant).cloned() else {
            return Begun::Moved;
        };
        let health = self.health_of(&grant);
        // While nobody gets a verdict, nothing is concluded about a single grant.
        let given_up = matches!(standing, Standing::Spent(_)) && !health.as_ref().is_some_and(AppHealth::is_down);
        if let Some(health) = health.filter(|_| !given_up) {
            match health.clone().claim(&claim.credentials, tick.now) {
                Some(claimed) => self.set_health(&grant, claimed),
                None => return Begun::AppBlocked(Box::new(health)),
            }
        }
        // The rest counts from the first of repeated requests.
        let sent = if matches!(standing, Standing::Repeatable(_)) { sent } else { tick.since_boot };
        grant.refresh_mark = Some(standing.mark(grant.refresh_mark.take(), &claim.attempt, tick.now));
        grant.parked_until = None;
        self.grants.insert(grant.id.clone(), Row { grant: grant.clone(), sent });
        let grant = Box::new(grant);
        if given_up { Begun::TooManyInDoubt(grant) } else { Begun::Send(grant) }
    }

    fn settle(&mut self, settle: &Settle, now: Timestamp) -> bool {
        let Some(row) = self.of_tenant(&settle.tenant, &settle.grant).filter(|row| settle.concerns(&row.grant)) else {
            return false;
        };
        let grant = row.grant.clone();
        let news = self.note_health(&grant, settle, now);
        let nobody_is_answered = self.health_of(&grant).is_some_and(|health| health.is_down());
        if let Some(row) = self.grants.get_mut(&settle.grant) {
            row.end_attempt(settle, nobody_is_answered, now);
        }
        self.audit.extend(settle.audit.clone().filter(|_| news));
        self.record_change(&grant, settle.now);
        true
    }

    fn first_due(&self, limit: usize, since: impl Fn(&GrantRecord) -> Option<Timestamp>) -> Vec<DueRefresh> {
        let active = self.grants.values().map(|row| &row.grant).filter(|grant| grant.state == GrantState::Active);
        let mut found: Vec<_> = active
            .filter_map(|grant| {
                let (tenant, id) = (grant.tenant.clone(), grant.id.clone());
                since(grant).map(|since| DueRefresh { tenant, grant: id, since })
            })
            .collect();
        found.sort_by(|a, b| (a.since, &a.grant).cmp(&(b.since, &b.grant)));
        found.truncate(limit);
        found
    }
}

impl Row {
    /// Lets the token rest from now on, because nobody knows how long it has.
    fn rest_from(&mut self, tick: Tick) {
        if let Some(mark) = &mut self.grant.refresh_mark {
            mark.sent_at = tick.now;
        }
        self.sent = tick.since_boot;
    }

    fn end_attempt(&mut self, settle: &Settle, nobody_is_answered: bool, now: Timestamp) {
        let grant = &mut self.grant;
        let mark = grant.refresh_mark.take();
        let before = mark.as_ref().map_or(0, |mark| mark.unanswered);
        let refused = matches!(settle.settlement, Settlement::Refused);
        grant.last_error.clone_from(&settle.error);
        grant.parked_until = now.saturating_add(PARKED_FOR).ok().filter(|_| refused);
        let unanswered = match &settle.settlement {
            Settlement::Refreshed(refreshed) => {
                take_over(grant, refreshed, settle.now);
                0
            }
            Settlement::Rejected { reason } => {
                grant.state = GrantState::ReauthRequired { reason: reason.clone() };
                (grant.state_since, grant.updated_at) = (settle.now, settle.now);
                0
            }
            Settlement::Unreadable(answer) => {
                grant.kept_answer = Some(answer.clone());
                revive(grant, settle.now);
                before + 1
            }
            Settlement::InDoubt => mark.as_ref().map_or(1, |mark| mark.after_doubt(nobody_is_answered)),
            _ => before,
        };
        let sent_at = mark.map_or(settle.now, |mark| mark.sent_at);
        grant.refresh_mark = (unanswered > 0).then_some(RefreshMark { attempt: None, sent_at, unanswered });
        self.sent = self.sent.take().filter(|_| unanswered > 0);
    }
}

fn take_over(grant: &mut GrantRecord, refreshed: &Refreshed, now: Timestamp) {
    let Refreshed { access, access_expires_at, refresh, refresh_expires_at, issued_at, scopes } = refreshed.clone();
    let ever_granted = std::mem::take(&mut grant.scopes.ever_granted);
    grant.scopes = scopes;
    grant.scopes.ever_granted.extend(ever_granted);
    (grant.access, grant.access_expires_at) = (Some(access), access_expires_at);
    (grant.refresh, grant.refresh_expires_at) = (refresh, refresh_expires_at);
    (grant.issued_at, grant.updated_at) = (issued_at, now);
    grant.generation += 1;
    grant.kept_answer = None;
    revive(grant, now);
}

/// Whatever was concluded about it was wrong.
fn revive(grant: &mut GrantRecord, now: Timestamp) {
    if matches!(grant.state, GrantState::ReauthRequired { .. }) {
        (grant.state, grant.state_since) = (GrantState::Active, now);
    }
}

fn is_parked(grant: &GrantRecord, now: Timestamp) -> bool {
    grant.parked_until.is_some_and(|until| until > now)
}

/// Doubts that can be settled by now, by the store's clock; also those that a clock which was set back since has put into the future.
fn unsettled(grant: &GrantRecord, due: &DueRefreshes, now: Timestamp) -> Option<Timestamp> {
    let before = now.saturating_sub(due.unsettled_for).unwrap_or(Timestamp::MIN);
    let sent_at = grant.refresh_mark.as_ref()?.sent_at;
    let rested = sent_at <= before || sent_at > now;
    (rested && grant.kept_answer.is_none() && !is_parked(grant, now)).then_some(sent_at)
}

/// Refresh tokens that have lived three quarters of their life.
fn dying(grant: &GrantRecord, due: &DueRefreshes) -> Option<Timestamp> {
    aged(grant, grant.refresh_expires_at.filter(|_| grant.refresh.is_some()), due)
}

/// Access tokens that have lived three quarters of theirs.
fn stale(grant: &GrantRecord, due: &DueRefreshes) -> Option<Timestamp> {
    aged(grant, grant.access_expires_at, due)
}

fn aged(grant: &GrantRecord, expires_at: Option<Timestamp>, due: &DueRefreshes) -> Option<Timestamp> {
    let (issued, expires) = (grant.issued_at.as_millisecond(), expires_at?.as_millisecond());
    let since = Timestamp::from_millisecond(expires - (expires - issued) / 4).ok()?;
    (since <= due.now && grant.refresh_mark.is_none() && !is_parked(grant, due.now)).then_some(since)
}
