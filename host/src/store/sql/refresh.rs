//! Refreshes in SQL.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::fields::{Fields, bytes, millis};
use super::{Row, SqlStore, Statement, Transaction, Work, app_health, audit, events, grants, json, meta, statement};
use crate::kill_points::{KillPoint, reach};
use crate::store::{
    AppHealth, Begun, DueRefresh, DueRefreshes, GrantId, GrantRecord, GrantState, InstanceName, RefreshClaim,
    RefreshMark, Refreshed, Refreshes, Result, Settle, Settlement, Standing,
};
use crate::vault::Sealed;

/// How long a grant rests whose request the platform refused as such.
const PARKED_FOR: SignedDuration = SignedDuration::from_mins(15);

#[async_trait]
impl<D: Send + Sync> Refreshes for SqlStore<D> {
    async fn begin_refresh(&self, claim: &RefreshClaim) -> Result<Begun> {
        self.share(Begin { claim: claim.clone(), name: self.name.clone() }).await
    }

    async fn settle_refresh(&self, settle: &Settle) -> Result<bool> {
        self.share(settle.clone()).await
    }

    async fn due_refreshes(&self, due: &DueRefreshes) -> Result<Vec<DueRefresh>> {
        let mut found = self.due(unsettled(due)).await?;
        found.extend(self.due(dying(due)).await?);
        for (platform, app) in &due.keep_fresh {
            found.extend(self.due(stale(due, platform.as_str(), app)).await?);
        }
        found.sort_by(|a, b| (a.since, &a.grant).cmp(&(b.since, &b.grant)));
        found.dedup_by(|a, b| a.grant == b.grant);
        found.truncate(usize::try_from(due.limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn kept_answers(&self) -> Result<Vec<DueRefresh>> {
        let select = statement(
            "SELECT tenant, id, updated_at AS since FROM grants WHERE kept_answer IS NOT NULL AND state = 'active' ORDER BY id",
        );
        self.due(select).await
    }

    async fn count_doubts(&self) -> Result<u64> {
        let select = statement(
            "SELECT count(*) AS doubts FROM grants WHERE refresh_sent_at IS NOT NULL AND state = 'active' AND kept_answer IS NULL",
        );
        // It may have many to count, for which whoever wants a single row shall not wait.
        let Some(row) = self.fetch_all(select).await?.into_iter().next() else { return Ok(0) };
        Ok(Fields::of("count", &row).count("doubts")?.into())
    }

    async fn app_health(&self) -> Result<Vec<AppHealth>> {
        self.fetch_all(app_health::select_all()).await?.iter().map(app_health::read).collect()
    }
}

/// A claim, made by a process of this name.
struct Begin {
    claim: RefreshClaim,
    name: Option<InstanceName>,
}

#[async_trait]
impl Work for Begin {
    type Output = Begun;

    async fn run(&self, transaction: &mut Transaction) -> Result<Begun> {
        let begun = begin(transaction, &self.claim, self.name.as_ref()).await?;
        if !matches!(begun, Begun::Moved | Begun::Parked(_) | Begun::AppBlocked(_) | Begun::AnswerKept(_)) {
            reach(KillPoint::InsideMark);
        }
        Ok(begun)
    }
}

#[async_trait]
impl Work for Settle {
    type Output = bool;

    async fn run(&self, transaction: &mut Transaction) -> Result<bool> {
        let Some(row) = transaction.fetch(select(&self.tenant, &self.grant)).await? else { return Ok(false) };
        let (grant, now) = (grants::grant(&row)?, now(&row)?);
        if !self.concerns(&grant) {
            return Ok(false);
        }
        let noted = Fields::of("grant", &row).get("app_noted")?;
        let app = app_health::settle(transaction, &grant, self, noted, now).await?;
        transaction.execute(outcome(&grant, self, app.is_down, now)?).await?;
        let after = self.leaves(&grant);
        if let Some(record) = self.audit.as_ref().filter(|_| app.is_news) {
            transaction.execute(audit::insert(record)).await?;
        }
        if let Some(after) = after {
            let told = grants::events(transaction, &grant, &after, self.now).await?;
            events::record(transaction, told).await?;
        }
        reach(KillPoint::InsideCommit);
        Ok(true)
    }
}

async fn begin(transaction: &mut Transaction, claim: &RefreshClaim, name: Option<&InstanceName>) -> Result<Begun> {
    let Some(row) = transaction.fetch(select(&claim.tenant, &claim.grant)).await? else {
        meta::check_ours(transaction, name).await?;
        return Ok(Begun::Moved);
    };
    meta::check_owner(Fields::of("store", &row).get("owner")?, name)?;
    let (grant, tick) = (grants::grant(&row)?, Tick::read(transaction, &row)?);
    let now = tick.now;
    if grant.generation != claim.generation || grant.state != GrantState::Active {
        return Ok(Begun::Moved);
    }
    if grant.kept_answer.is_some() {
        return Ok(Begun::AnswerKept(Box::new(grant)));
    }
    // A clock that was set back must not park a grant for longer than any may be.
    if let Some(until) = grant.parked_until.filter(|at| *at > now && at.duration_since(now) <= PARKED_FOR) {
        return Ok(Begun::Parked(until));
    }
    let Some(elapsed) = tick.since_sent(&Fields::of("grant", &row), grant.refresh_mark.as_ref())? else {
        transaction.execute(restart_rest(&grant.id, &tick)).await?;
        return Ok(Begun::Quarantined(claim.terms.quarantine));
    };
    let standing = claim.terms.standing(grant.refresh_mark.as_ref(), elapsed);
    match standing {
        Standing::UnderWay => Ok(Begun::UnderWay),
        Standing::Resting(left) => Ok(Begun::Quarantined(left)),
        Standing::Free(_) | Standing::Repeatable(_) | Standing::Spent(_) => {
            take_turn(transaction, claim, grant, standing, &tick).await
        }
    }
}

impl<D> SqlStore<D> {
    async fn due(&self, select: Statement) -> Result<Vec<DueRefresh>> {
        self.fetch_all(select).await?.iter().map(due_refresh).collect()
    }
}

/// A grant, what the store's clock says, whose store it is, and whether anything is known against the grant's app.
fn select(tenant: &str, id: &GrantId) -> Statement {
    let select = statement(
        "SELECT *, {now} AS now, (SELECT value FROM meta WHERE key = 'instance_name') AS owner,
                EXISTS (SELECT 1 FROM app_health AS health
                        WHERE health.platform = grants.platform AND health.app = grants.app
                          AND health.client_id = grants.client_id) AS app_noted
         FROM grants WHERE tenant = $1 AND id = $2",
    );
    select.bind(tenant).bind(id.to_string()).locking()
}

fn now(row: &Row) -> Result<Timestamp> {
    Fields::of("clock", row).time("now")
}

/// The time by the clocks there are, and how the app stood then.
struct Tick {
    now: Timestamp,
    /// The boot the tick counts from.
    clock: Option<String>,
    millis: Option<i64>,
    /// Whether anything is known against the app.
    app_noted: bool,
}

impl Tick {
    fn read(transaction: &Transaction, row: &Row) -> Result<Self> {
        let boot = transaction.since_boot();
        Ok(Self {
            now: now(row)?,
            clock: boot.as_ref().map(|boot| boot.boot.clone()),
            millis: boot.and_then(|boot| i64::try_from(boot.elapsed.as_millis()).ok()),
            app_noted: Fields::of("grant", row).get("app_noted")?,
        })
    }

    /// How long ago the last request was sent. `None` if that is in the future, because the clock was set back.
    fn since_sent(&self, row: &Fields<'_>, mark: Option<&RefreshMark>) -> Result<Option<SignedDuration>> {
        let Some(mark) = mark else { return Ok(Some(SignedDuration::ZERO)) };
        let (clock, sent): (Option<String>, Option<i64>) = (row.get("refresh_clock")?, row.get("refresh_tick")?);
        let elapsed = match (sent, self.millis) {
            (Some(sent), Some(now)) if clock == self.clock => SignedDuration::from_millis(now.saturating_sub(sent)),
            _ => self.now.duration_since(mark.sent_at),
        };
        Ok((!elapsed.is_negative()).then_some(elapsed))
    }
}

/// Puts the attempt on record, if the app may send.
async fn take_turn(
    transaction: &mut Transaction,
    claim: &RefreshClaim,
    mut grant: GrantRecord,
    standing: Standing,
    tick: &Tick,
) -> Result<Begun> {
    let health = if tick.app_noted { app_health::of(transaction, &grant).await? } else { None };
    // While nobody gets a verdict, nothing is concluded about a single grant.
    let spent = matches!(standing, Standing::Spent(_));
    let given_up = spent && !health.as_ref().is_some_and(AppHealth::is_down);
    if let Some(health) = health.filter(|_| !given_up) {
        match health.clone().claim(&claim.credentials, tick.now) {
            Some(claimed) => transaction.execute(app_health::upsert(&claimed)?).await?,
            None => return Ok(Begun::AppBlocked(Box::new(health))),
        };
    }
    let mark = standing.mark(grant.refresh_mark.take(), &claim.attempt, tick.now);
    transaction.execute(record(claim, &mark, tick, matches!(standing, Standing::Repeatable(_)))).await?;
    grant.refresh_mark = Some(mark);
    let grant = Box::new(grant);
    Ok(if given_up { Begun::TooManyInDoubt(grant) } else { Begun::Send(grant) })
}

/// The rest counts from the first of repeated requests.
fn record(claim: &RefreshClaim, mark: &RefreshMark, tick: &Tick, repeated: bool) -> Statement {
    let update = statement(if repeated {
        "UPDATE grants SET refresh_attempt = $2, refresh_unanswered = $3, parked_until = NULL WHERE id = $1"
    } else {
        "UPDATE grants
         SET refresh_attempt = $2, refresh_unanswered = $3, refresh_sent_at = $4, refresh_clock = $5, refresh_tick = $6,
             parked_until = NULL
         WHERE id = $1"
    });
    let update = update.bind(claim.grant.to_string()).bind(claim.attempt.clone()).bind(mark.unanswered);
    if repeated {
        return update;
    }
    update.bind(mark.sent_at.as_millisecond()).bind(tick.clock.clone()).bind(tick.millis)
}

/// Lets the token rest from now on, because nobody knows how long it has.
fn restart_rest(grant: &GrantId, tick: &Tick) -> Statement {
    statement("UPDATE grants SET refresh_sent_at = $2, refresh_clock = $3, refresh_tick = $4 WHERE id = $1")
        .bind(grant.to_string())
        .bind(tick.now.as_millisecond())
        .bind(tick.clock.clone())
        .bind(tick.millis)
}

fn outcome(grant: &GrantRecord, settle: &Settle, nobody_is_answered: bool, now: Timestamp) -> Result<Statement> {
    let mark = grant.refresh_mark.as_ref();
    let unanswered = mark.map_or(0, |mark| mark.unanswered);
    let error = json::failure_text(settle.error.as_ref())?;
    let ended = |unanswered: u32| {
        statement(
            "UPDATE grants
             SET refresh_attempt = NULL, refresh_unanswered = nullif($2, 0), last_error = $3, parked_until = $4,
                 refresh_sent_at = CASE WHEN $2 = 0 THEN NULL ELSE refresh_sent_at END,
                 refresh_tick = CASE WHEN $2 = 0 THEN NULL ELSE refresh_tick END
             WHERE id = $1",
        )
        .bind(settle.grant.to_string())
        .bind(i64::from(unanswered))
        .bind(error.clone())
    };
    Ok(match &settle.settlement {
        Settlement::Refreshed(refreshed) => take_over(grant, refreshed, settle.now)?,
        Settlement::Unreadable(answer) => keep(settle, answer, unanswered + 1, error),
        Settlement::Rejected { reason } => rejected(settle, reason, error),
        Settlement::NotSent | Settlement::AskedToWait(_) | Settlement::AppRefused { .. } => {
            ended(unanswered).bind(None::<i64>)
        }
        Settlement::Refused => ended(unanswered).bind(millis(now.saturating_add(PARKED_FOR).ok())),
        Settlement::InDoubt => ended(mark.map_or(1, |mark| mark.after_doubt(nobody_is_answered))).bind(None::<i64>),
    })
}

/// Nothing is sent any more until somebody can read it: the mark stays, as that of a token that is spent.
fn keep(settle: &Settle, answer: &Sealed, unanswered: u32, error: Option<String>) -> Statement {
    statement(
        "UPDATE grants
         SET kept_answer = $2, last_error = $3, parked_until = NULL,
             refresh_attempt = NULL, refresh_unanswered = $4, refresh_sent_at = coalesce(refresh_sent_at, $5),
             state_since = CASE WHEN state = 'reauth_required' THEN $5 ELSE state_since END,
             reason = CASE WHEN state = 'reauth_required' THEN NULL ELSE reason END,
             state = CASE WHEN state = 'reauth_required' THEN 'active' ELSE state END
         WHERE id = $1",
    )
    .bind(settle.grant.to_string())
    .bind(answer.as_bytes().to_vec())
    .bind(error)
    .bind(unanswered)
    .bind(settle.now.as_millisecond())
}

fn take_over(grant: &GrantRecord, refreshed: &Refreshed, now: Timestamp) -> Result<Statement> {
    let mut scopes = refreshed.scopes.clone();
    scopes.ever_granted.extend(grant.scopes.ever_granted.iter().cloned());
    let update = statement(
        "UPDATE grants
         SET access = $2, access_expires_at = $3, refresh = $4, refresh_expires_at = $5, issued_at = $6, scopes = $7,
             updated_at = $8, generation = generation + 1, last_error = NULL, parked_until = NULL, kept_answer = NULL,
             refresh_attempt = NULL, refresh_sent_at = NULL, refresh_tick = NULL, refresh_unanswered = NULL,
             state_since = CASE WHEN state = 'reauth_required' THEN $8 ELSE state_since END,
             reason = CASE WHEN state = 'reauth_required' THEN NULL ELSE reason END,
             state = CASE WHEN state = 'reauth_required' THEN 'active' ELSE state END
         WHERE id = $1",
    )
    .bind(grant.id.to_string())
    .bind(refreshed.access.as_bytes().to_vec())
    .bind(millis(refreshed.access_expires_at))
    .bind(bytes(refreshed.refresh.as_ref()))
    .bind(millis(refreshed.refresh_expires_at))
    .bind(refreshed.issued_at.as_millisecond())
    .bind(json::to_text(&json::Scopes::from(&scopes))?)
    .bind(now.as_millisecond());
    Ok(update)
}

fn rejected(settle: &Settle, reason: &str, error: Option<String>) -> Statement {
    statement(
        "UPDATE grants
         SET state = 'reauth_required', reason = $2, state_since = $3, updated_at = $3, last_error = $4,
             refresh_attempt = NULL, refresh_sent_at = NULL, refresh_tick = NULL, refresh_unanswered = NULL
         WHERE id = $1",
    )
    .bind(settle.grant.to_string())
    .bind(reason.to_owned())
    .bind(settle.now.as_millisecond())
    .bind(error)
}

/// Doubts that can be settled by now, by the store's clock; also those that a clock which was set back since has put into the future.
fn unsettled(due: &DueRefreshes) -> Statement {
    let rest = i64::try_from(due.unsettled_for.as_millis()).unwrap_or(i64::MAX);
    statement(
        "SELECT tenant, id, refresh_sent_at AS since FROM grants
         WHERE (refresh_sent_at <= {now} - $1 OR refresh_sent_at > {now}) AND state = 'active' AND kept_answer IS NULL
           AND (parked_until IS NULL OR parked_until <= {now})
         ORDER BY refresh_sent_at, id LIMIT $2",
    )
    .bind(rest)
    .bind(i64::from(due.limit))
}

/// Refresh tokens that have lived three quarters of their life.
fn dying(due: &DueRefreshes) -> Statement {
    statement(
        "SELECT tenant, id, refresh_expires_at - (refresh_expires_at - issued_at) / 4 AS since FROM grants
         WHERE refresh_expires_at - (refresh_expires_at - issued_at) / 4 <= $1 AND state = 'active'
           AND refresh_sent_at IS NULL AND refresh IS NOT NULL AND (parked_until IS NULL OR parked_until <= $1)
         ORDER BY refresh_expires_at - (refresh_expires_at - issued_at) / 4, id LIMIT $2",
    )
    .bind(due.now.as_millisecond())
    .bind(i64::from(due.limit))
}

/// Access tokens of one app that have lived three quarters of theirs.
fn stale(due: &DueRefreshes, platform: &str, app: &str) -> Statement {
    statement(
        "SELECT tenant, id, access_expires_at - (access_expires_at - issued_at) / 4 AS since FROM grants
         WHERE platform = $3 AND app = $4 AND state = 'active'
           AND access_expires_at - (access_expires_at - issued_at) / 4 <= $1
           AND refresh_sent_at IS NULL AND (parked_until IS NULL OR parked_until <= $1)
         ORDER BY access_expires_at - (access_expires_at - issued_at) / 4, id LIMIT $2",
    )
    .bind(due.now.as_millisecond())
    .bind(i64::from(due.limit))
    .bind(platform.to_owned())
    .bind(app.to_owned())
}

fn due_refresh(row: &Row) -> Result<DueRefresh> {
    let fields = Fields::of("grant", row);
    Ok(DueRefresh { tenant: fields.get("tenant")?, grant: fields.parse("id")?, since: fields.time("since")? })
}
