//! One refresh, from the record of the attempt to what came of it.
//!
//! The record is durable before a byte leaves. One request is sent, once. Its answer is sealed and committed before anything else
//! happens. What is not known stays on record as a doubt, which time and a later attempt settle.

use std::time::Duration;

use connector_core::Error as CoreError;
use connector_core::ErrorKind;
use connector_core::account::Session;
use connector_core::app::App;
use connector_core::grant::TokenAnswer;
use connector_core::http::{RawAnswer, Reach, Request, Sent};
use connector_core::oauth::{OAuthProvider, RefreshOutcome};
use jiff::SignedDuration;
use serde_json::json;

use super::terms::{terms, too_young_until};
use super::verdict::read;
use super::{Because, Current, PATIENCE, Renewed, Tell, told};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::kill_points::{KillPoint, reach};
use crate::moment::Moment;
use crate::spool::Slot;
use crate::store::{AuditRecord, Begun, GrantRecord, LastError, RefreshClaim, Refreshed, Settle, Settlement, new_id};
use crate::tokens::Place;

/// How often to look whether another process is done.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A process that was stopped for so long between its record and its request must not send any more: others may think it dead.
const SEND_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// A refresh that is on record and not settled.
pub(super) struct Attempt {
    /// The grant as it is, with the attempt on record.
    pub(super) record: GrantRecord,
    pub(super) name: String,
    pub(super) because: Because,
    credentials: String,
    pub(super) session: Session,
    /// Where its answer rests if the store does not take it.
    pub(super) slot: Option<Slot>,
    /// Whether its answer is kept somewhere: in the spool, or in the row.
    pub(super) is_kept: bool,
    /// Whether what came of it is on record.
    pub(super) is_settled: bool,
    /// Whom to tell.
    pub(super) tell: Option<Tell>,
    /// Whose tokens the answer holds, should they be somebody else's.
    pub(super) came: Option<String>,
}

/// Whose turn it is.
enum Turn {
    /// Ours, with an attempt on record.
    Send(Box<Attempt>),
    /// Nobody's: there is a new token already.
    Over(Renewed),
}

impl Host {
    /// Refreshes, unless somebody else does or has.
    pub(super) async fn refresh_alone(&self, seen: &GrantRecord, because: Because, tell: &Tell) -> Result<Renewed> {
        if seen.refresh_mark.is_some() && self.found_in_spool(seen).await? {
            return Ok(Renewed::Here);
        }
        let session = self.opened(seen).await?.session;
        let platform = self.platform(seen.platform.as_str())?;
        let oauth = platform.connector.oauth();
        let request = match oauth.refresh_request(&session.app, &session.grant) {
            Ok(request) => request,
            Err(error) => return self.cannot_refresh(seen, error).await,
        };
        let now = self.context().now();
        if let Some(until) = too_young_until(oauth.refresh_class(), seen.issued_at, now) {
            return Err(told::too_young(until).into());
        }
        // First of all the place for its answer: nothing is sent that could not be kept.
        let slot = self.reserve_slot().await?;
        reach(KillPoint::BeforeMark);
        let mut attempt = match self.begin(seen, oauth, session, because).await? {
            Turn::Send(attempt) => *attempt,
            Turn::Over(renewed) => return Ok(renewed),
        };
        attempt.slot = slot;
        tracing::debug!(grant = %attempt.record.id, generation = attempt.record.generation, "refreshing");
        self.send(oauth, attempt, request, tell).await
    }

    /// Puts an attempt on record, unless nothing is left to be done.
    async fn begin(
        &self,
        seen: &GrantRecord,
        oauth: &dyn OAuthProvider,
        session: Session,
        because: Because,
    ) -> Result<Turn> {
        let claim = self.claim(seen, oauth, &session.app)?;
        let mut looks = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
        loop {
            let before = Moment::now(self.context());
            let record = match self.store().begin_refresh(&claim).await? {
                Begun::Send(record) => *record,
                Begun::Moved => return self.moved(seen).await.map(Turn::Over),
                Begun::UnderWay if looks > 0 => {
                    looks -= 1;
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
                Begun::AnswerKept(record) => return self.read_again(*record, oauth, session).await.map(Turn::Over),
                Begun::TooManyInDoubt(record) => {
                    let mut attempt = Attempt::new(*record, &claim, because, session);
                    return self.rejected(&mut attempt, told::too_many_in_doubt()).await.map(Turn::Over);
                }
                other => return Err(self.not_now(other, &claim.credentials).into()),
            };
            let mut attempt = Attempt::new(record, &claim, because, session.clone());
            reach(KillPoint::AfterMark);
            if before.elapsed(self.context()).is_some_and(|elapsed| elapsed < SEND_WITHIN) {
                return Ok(Turn::Send(Box::new(attempt)));
            }
            self.settle(&mut attempt, Settlement::NotSent, None, None).await?;
        }
    }

    fn claim(&self, seen: &GrantRecord, oauth: &dyn OAuthProvider, app: &App) -> Result<RefreshClaim> {
        Ok(RefreshClaim {
            tenant: seen.tenant.clone(),
            grant: seen.id.clone(),
            generation: seen.generation,
            attempt: new_id(self.context())?.to_string(),
            terms: terms(oauth.refresh_class()),
            credentials: app.credentials_digest(),
        })
    }

    /// The grant is another by now: refreshed, which is what was wanted, or ended, which is an error.
    pub(super) async fn moved(&self, seen: &GrantRecord) -> Result<Renewed> {
        let now = self.live_grant(&seen.tenant, &seen.id).await?;
        if now.generation == seen.generation {
            return Err(Error::Request("the connection changed while its token was refreshed; try again".to_owned()));
        }
        Ok(Renewed::Elsewhere)
    }

    fn not_now(&self, begun: Begun, credentials: &str) -> CoreError {
        let now = self.context().now();
        match begun {
            Begun::Quarantined(left) => told::in_quarantine(now.saturating_add(left).unwrap_or(now)),
            Begun::Parked(until) => told::parked(until),
            Begun::AppBlocked(health) => told::app_blocked(&health, credentials),
            _ => told::under_way(),
        }
    }

    async fn send(
        &self,
        oauth: &dyn OAuthProvider,
        mut attempt: Attempt,
        request: Request,
        tell: &Tell,
    ) -> Result<Renewed> {
        let cx = self.context().confined_to(&attempt.session.grant.base_urls);
        let (answer, outcome) = match cx.send_once(request).await {
            Sent::Answered(answer) => {
                let outcome = read(oauth, &answer);
                (answer, outcome)
            }
            Sent::CutOff(answer, error) => {
                let outcome = read(oauth, &answer).of_cut_off(&answer, error);
                (answer, outcome)
            }
            Sent::Failed(error) if error.reach == Reach::NotSent => {
                return self.failed(&mut attempt, Settlement::NotSent, error.into()).await;
            }
            Sent::Failed(error) => return self.in_doubt(&mut attempt, error.into()).await,
        };
        reach(KillPoint::AnswerRead);
        attempt.tell = Some(tell.clone());
        self.carry_out(&mut attempt, &answer, outcome).await
    }

    /// Does what an answer means.
    pub(super) async fn conclude(
        &self,
        oauth: &dyn OAuthProvider,
        attempt: &mut Attempt,
        answer: &RawAnswer,
    ) -> Result<Renewed> {
        self.carry_out(attempt, answer, read(oauth, answer)).await
    }

    async fn carry_out(&self, attempt: &mut Attempt, answer: &RawAnswer, outcome: RefreshOutcome) -> Result<Renewed> {
        match outcome {
            RefreshOutcome::Refreshed(tokens) => self.take_over(attempt, answer, tokens).await,
            RefreshOutcome::Unreadable(error) => self.keep_answer(attempt, answer, error).await,
            RefreshOutcome::Rejected(error) => self.rejected(attempt, error).await,
            RefreshOutcome::AppFault(error) => {
                let settlement = Settlement::AppRefused { credentials: attempt.credentials.clone() };
                self.failed(attempt, settlement, error).await
            }
            RefreshOutcome::Refused(error) => self.failed(attempt, Settlement::Refused, error).await,
            RefreshOutcome::NotProcessed(error) => self.asked_to_wait(attempt, error).await,
            // The token may be spent. The doubt stays on record, so that the next attempt knows what a rejection means.
            RefreshOutcome::InDoubt(error) => self.in_doubt(attempt, error).await,
        }
    }

    /// Stores the new tokens. Nothing runs between the answer and this commit, and a store that fails is tried again: the platform takes
    /// no other token any more.
    async fn take_over(&self, attempt: &mut Attempt, answer: &RawAnswer, tokens: TokenAnswer) -> Result<Renewed> {
        let came = tokens.subject.clone();
        if let Err(error) = attempt.session.grant.take_refreshed(tokens) {
            attempt.came = came;
            return self.rejected(attempt, error).await;
        }
        let settle = self.settle_refreshed(attempt, answer.sent_at)?;
        let stored = self.store_outcome(&settle, attempt, answer).await?;
        reach(KillPoint::AfterCommit);
        if !stored {
            return self.came_late(attempt, answer).await;
        }
        self.clear_slot(attempt).await;
        attempt.tell_session();
        Ok(Renewed::Here)
    }

    fn settle_refreshed(&self, attempt: &Attempt, issued_at: jiff::Timestamp) -> Result<Settle> {
        let (record, grant) = (&attempt.record, &attempt.session.grant);
        let sealed =
            self.seal_tokens(Place::of_grant(&record.tenant, &record.id, record.generation + 1), &grant.tokens)?;
        let refreshed = Refreshed {
            access: sealed.access,
            access_expires_at: grant.tokens.access_expires_at,
            refresh: sealed.refresh,
            refresh_expires_at: grant.tokens.refresh_expires_at,
            issued_at,
            scopes: grant.scopes.clone(),
        };
        let audit = self.audit(attempt, "token_refreshed", &json!({ "generation": record.generation + 1 }))?;
        Ok(attempt.settle(Settlement::Refreshed(Box::new(refreshed)), None, Some(audit), self.context().now()))
    }

    /// A success that cannot be read may hold the only token that works.
    async fn keep_answer(&self, attempt: &mut Attempt, answer: &RawAnswer, error: CoreError) -> Result<Renewed> {
        // Who waits for tokens gets none of it.
        attempt.tell = None;
        let sealed = self.seal_answer(&attempt.record, answer)?;
        let audit = self.audit(attempt, "answer_kept", &json!({ "generation": attempt.record.generation }))?;
        let noted = LastError::new(&error, self.context().now());
        let settle = attempt.settle(Settlement::Unreadable(sealed), Some(noted), Some(audit), self.context().now());
        tracing::error!(grant = %attempt.record.id, %error, "the answer to a refresh cannot be read, and is kept");
        self.store_outcome(&settle, attempt, answer).await?;
        self.clear_slot(attempt).await;
        Err(told::unreadable().with_log_id(error.log_id().map(str::to_owned)).into())
    }

    /// Reads a kept answer with what this version knows.
    async fn read_again(&self, record: GrantRecord, oauth: &dyn OAuthProvider, session: Session) -> Result<Renewed> {
        let answer = self.open_answer(&record)?;
        let RefreshOutcome::Refreshed(tokens) = read(oauth, &answer) else {
            return Err(told::unreadable().into());
        };
        tracing::info!(grant = %record.id, "the kept answer to a refresh can be read now");
        self.take_over(&mut Attempt::resumed(record, String::new(), session), &answer, tokens).await
    }

    async fn asked_to_wait(&self, attempt: &mut Attempt, error: CoreError) -> Result<Renewed> {
        let retry_at = match error.kind() {
            ErrorKind::RateLimited { retry_at } => *retry_at,
            _ => None,
        };
        let wait = retry_at.map(|at| at.duration_since(self.context().now()));
        self.failed(attempt, Settlement::AskedToWait(wait), error).await
    }

    async fn in_doubt(&self, attempt: &mut Attempt, error: CoreError) -> Result<Renewed> {
        let generation = attempt.record.generation;
        let detail = json!({ "generation": generation, "kind": error.kind().as_str(), "code": error.code() });
        let audit = self.audit(attempt, "refresh_in_doubt", &detail)?;
        self.settle(attempt, Settlement::InDoubt, Some(&error), Some(audit)).await?;
        Err(error.context("the access token could not be refreshed").into())
    }

    /// Nothing is known to have changed at the platform.
    async fn failed(&self, attempt: &mut Attempt, settlement: Settlement, error: CoreError) -> Result<Renewed> {
        let audit = match &settlement {
            Settlement::AppRefused { .. } => {
                let detail = json!({ "app": attempt.record.app, "code": error.code() });
                Some(self.audit(attempt, "app_refused", &detail)?)
            }
            _ => None,
        };
        self.settle(attempt, settlement, Some(&error), audit).await?;
        Err(error.context("the access token could not be refreshed").into())
    }

    pub(super) async fn settle(
        &self,
        attempt: &mut Attempt,
        settlement: Settlement,
        error: Option<&CoreError>,
        audit: Option<AuditRecord>,
    ) -> Result<bool> {
        let now = self.context().now();
        let settle = attempt.settle(settlement, error.map(|error| LastError::new(error, now)), audit, now);
        let settled = self.store().settle_refresh(&settle).await?;
        attempt.is_settled |= settled;
        Ok(settled)
    }

    pub(super) fn audit(&self, attempt: &Attempt, event: &str, detail: &serde_json::Value) -> Result<AuditRecord> {
        let record = AuditRecord::new(self.context(), &attempt.record.tenant, event)?;
        Ok(record.of_grant(&attempt.record.id).with(detail))
    }
}

impl Attempt {
    fn new(record: GrantRecord, claim: &RefreshClaim, because: Because, session: Session) -> Self {
        let credentials = claim.credentials.clone();
        Self { because, credentials, is_kept: false, ..Self::resumed(record, claim.attempt.clone(), session) }
    }

    /// One whose answer is there already, and kept.
    pub(super) fn resumed(record: GrantRecord, name: String, session: Session) -> Self {
        Self {
            record,
            name,
            because: Because::Expiring,
            credentials: String::new(),
            session,
            slot: None,
            is_kept: true,
            is_settled: false,
            tell: None,
            came: None,
        }
    }

    /// Hands the new tokens, which are durable, to whoever waits.
    pub(super) fn tell_session(&self) {
        if let Some(tell) = &self.tell {
            let current = Current { session: self.session.clone(), generation: self.record.generation + 1 };
            // What was told first stands: then too it was durable.
            let _ = tell.set(Ok((Renewed::Here, Some(current.for_calls()))));
        }
    }

    fn settle(
        &self,
        settlement: Settlement,
        error: Option<LastError>,
        audit: Option<AuditRecord>,
        now: jiff::Timestamp,
    ) -> Settle {
        Settle {
            tenant: self.record.tenant.clone(),
            grant: self.record.id.clone(),
            generation: self.record.generation,
            attempt: self.name.clone(),
            settlement,
            error,
            audit,
            now,
        }
    }
}
