//! Refreshes: who may send, and what came of it.
//!
//! A refresh token that rotates is worth one request. Before it is sent, an attempt is put on record ([`Refreshes::begin_refresh`]); what
//! came of it ends the attempt ([`Refreshes::settle_refresh`]). Whoever finds an attempt that nobody ended knows that the token may be
//! spent. Everything that keeps two requests apart is in the row of the grant, and no lock is needed besides: the generation, the
//! attempt, and the time it was sent by the store's own clock.

use async_trait::async_trait;
use connector_core::PlatformId;
use connector_core::scope::GrantScopes;
use jiff::{SignedDuration, Timestamp};

use super::{AppHealth, AuditRecord, GrantId, GrantRecord, GrantState, LastError, Result};
use crate::vault::Sealed;

/// What is known of the requests that were sent with a grant's refresh token. A grant without one has a token that was never sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshMark {
    /// The attempt that is under way, or whose process died. `None` once it ended without saying whether the token is spent.
    pub attempt: Option<String>,
    /// When the latest request was sent, by the wall clock.
    pub sent_at: Timestamp,
    /// How many requests with this token ended in doubt, besides the attempt.
    pub unanswered: u32,
}

/// When a refresh token may be sent again of which nobody knows whether it is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshTerms {
    /// So long after the last request nothing is sent: longer than a request may take and a platform may think about it.
    pub quarantine: SignedDuration,
    /// So long after the first request the token may be sent again all the same, because it goes on working for a moment. Shorter than the
    /// quarantine by what a request takes, which the quarantine counts from the first request too.
    pub repeat_within: SignedDuration,
    /// How many requests may end in doubt, while the platform answers others, before nobody goes on asking. `None` where a second use does
    /// no harm.
    pub most_unanswered: Option<u32>,
}

/// Asks to be the one who refreshes a grant.
#[derive(Clone, Debug)]
pub struct RefreshClaim {
    /// Whose grant.
    pub tenant: String,
    /// Which.
    pub grant: GrantId,
    /// The generation whose token is to be sent.
    pub generation: i64,
    /// Names the attempt.
    pub attempt: String,
    /// When a token may be sent again.
    pub terms: RefreshTerms,
    /// Tells the app's credentials from earlier ones, without giving them away.
    pub credentials: String,
}

/// Who may send.
#[derive(Debug)]
pub enum Begun {
    /// The caller, one request: the attempt is on record and survives a power loss.
    Send(Box<GrantRecord>),
    /// Nobody but the one who is at it.
    UnderWay,
    /// Nobody for this long: an earlier request was not answered, and the platform may still be at it.
    Quarantined(SignedDuration),
    /// Nobody before this time: the platform refused this grant's request, not its token.
    Parked(Timestamp),
    /// Nobody now: the platform refuses the app, asks it to wait, or does not answer anybody.
    AppBlocked(Box<AppHealth>),
    /// Nobody: an answer was kept that could not be read, and it may hold the next token.
    AnswerKept(Box<GrantRecord>),
    /// Nobody ever again: too many requests ended in doubt. The caller says so by [`Settlement::Rejected`] under its attempt.
    TooManyInDoubt(Box<GrantRecord>),
    /// Nobody with this generation: the grant is another by now, is not active, or is gone.
    Moved,
}

/// What a refresh brought. It replaces what the grant had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// The access token, sealed for the next generation.
    pub access: Sealed,
    /// When it expires, if the platform said.
    pub access_expires_at: Option<Timestamp>,
    /// The refresh token, sealed for the next generation. If the answer had none, the old one sealed again.
    pub refresh: Option<Sealed>,
    /// When it expires, if the platform said.
    pub refresh_expires_at: Option<Timestamp>,
    /// From when their lives count: before the request left.
    pub issued_at: Timestamp,
    /// The scopes as they are now known. What was ever granted is added to what the grant has.
    pub scopes: GrantScopes,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Settlement {
    /// New tokens. They are taken over if the generation is still the one they continue, whoever else is at it and whatever was concluded
    /// meanwhile: nobody can have newer ones.
    Refreshed(Box<Refreshed>),
    /// A success that cannot be read. It may hold the only token that works, so it is kept like new tokens are taken over, whoever else
    /// is at it and whatever was concluded: sealed for this generation as [`field::ANSWER`](crate::vault::field::ANSWER), until somebody
    /// can read it.
    Unreadable(Sealed),
    /// The platform was not reached.
    NotSent,
    /// The platform did not process it and asks to wait, for this long if it said so.
    AskedToWait(Option<SignedDuration>),
    /// It may have been processed: the token may be spent.
    InDoubt,
    /// The platform rejected the app. No grant changes.
    AppRefused {
        /// Those of the [`RefreshClaim`].
        credentials: String,
    },
    /// The platform refused the request as such, which would be the same the next time.
    Refused,
    /// The token is dead: the person has to connect again, for this reason.
    Rejected {
        /// A stable word.
        reason: String,
    },
}

/// Ends an attempt.
#[derive(Clone, Debug)]
pub struct Settle {
    /// Whose grant.
    pub tenant: String,
    /// Which.
    pub grant: GrantId,
    /// The generation whose token was sent.
    pub generation: i64,
    /// The attempt.
    pub attempt: String,
    /// What came of it.
    pub settlement: Settlement,
    /// What went wrong, for whoever looks at the grant. A success clears it.
    pub error: Option<LastError>,
    /// What the audit says, if it applies.
    pub audit: Option<AuditRecord>,
    /// When.
    pub now: Timestamp,
}

/// Which grants a refresher should look at.
#[derive(Clone, Debug)]
pub struct DueRefreshes {
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// Apps whose access tokens are always kept fresh.
    pub keep_fresh: Vec<(PlatformId, String)>,
    /// An attempt or a doubt that is older than this, by the clock of the store, wants to be settled.
    pub unsettled_for: SignedDuration,
    /// At most so many.
    pub limit: u32,
}

/// A grant that a refresher should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRefresh {
    /// Whose.
    pub tenant: String,
    /// Which.
    pub grant: GrantId,
    /// Since when.
    pub since: Timestamp,
}

/// Keeps two requests with one refresh token apart, over all tasks, processes and nodes that use the store.
#[async_trait]
pub trait Refreshes {
    /// Puts an attempt on record if its request may leave. When this says [`Begun::Send`], the record is durable.
    ///
    /// Time is measured by the store's own clock, which no jump of a wall clock moves where the system has such a clock.
    async fn begin_refresh(&self, claim: &RefreshClaim) -> Result<Begun>;

    /// Ends an attempt, notes what went wrong, and keeps the app's [`AppHealth`], in one transaction. False means that nothing was
    /// written, because the grant has moved: new tokens need its generation, everything else needs the attempt as well.
    async fn settle_refresh(&self, settle: &Settle) -> Result<bool>;

    /// The grants of any tenant that a refresher should look at, the longest due first: active ones with a doubt to settle,
    /// those whose refresh token has lived three quarters of its life, and those of the apps kept fresh whose access token has.
    async fn due_refreshes(&self, due: &DueRefreshes) -> Result<Vec<DueRefresh>>;

    /// The active grants whose kept answer nobody could read yet.
    async fn kept_answers(&self) -> Result<Vec<DueRefresh>>;

    /// How many active grants have a refresh token of which nobody knows whether it is spent, or whose refresh is under way.
    async fn count_doubts(&self) -> Result<u64>;

    /// The apps that something is wrong with.
    async fn app_health(&self) -> Result<Vec<AppHealth>>;
}

/// How a token stands that was sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be sent, as one request more than so many that ended in doubt.
    Free(u32),
    /// The same while it goes on working for a moment, which another request does not make longer.
    Repeatable(u32),
    /// Somebody is at it.
    UnderWay,
    /// It has to rest for so long.
    Resting(SignedDuration),
    /// So many requests ended in doubt that no more are sent.
    Spent(u32),
}

impl RefreshTerms {
    /// How a token stands so long after its last request. A doubt is settled by time alone: nobody can ask the platform.
    pub fn standing(&self, mark: Option<&RefreshMark>, elapsed: SignedDuration) -> Standing {
        let Some(mark) = mark else { return Standing::Free(0) };
        let left = self.quarantine.saturating_sub(elapsed);
        if left.is_positive() && mark.attempt.is_some() {
            return Standing::UnderWay;
        }
        let unanswered = mark.all_unanswered();
        if left.is_positive() {
            let repeatable = elapsed < self.repeat_within && self.most_unanswered.is_none_or(|most| unanswered < most);
            return if repeatable { Standing::Repeatable(unanswered) } else { Standing::Resting(left) };
        }
        match self.most_unanswered {
            Some(most) if unanswered > most => Standing::Spent(unanswered),
            _ => Standing::Free(unanswered),
        }
    }
}

impl Standing {
    /// The mark of an attempt that begins now, after an earlier one.
    pub fn mark(self, before: Option<RefreshMark>, attempt: &str, now: Timestamp) -> RefreshMark {
        let (unanswered, first) = match self {
            Self::Repeatable(unanswered) => (unanswered, before.map(|mark| mark.sent_at)),
            Self::Free(unanswered) | Self::Spent(unanswered) => (unanswered, None),
            Self::UnderWay | Self::Resting(_) => (0, None),
        };
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        RefreshMark { attempt: Some(attempt.to_owned()), sent_at: first.unwrap_or(now), unanswered }
    }
}

impl RefreshMark {
    /// How many requests went unanswered. An attempt that nobody ended did: its process may have sent something before it died.
    fn all_unanswered(&self) -> u32 {
        self.unanswered + u32::from(self.attempt.is_some())
    }

    /// How many there are after one more that ended in doubt. While the platform answers nobody, that says nothing about this token.
    pub fn after_doubt(&self, nobody_is_answered: bool) -> u32 {
        if nobody_is_answered { self.unanswered.max(1) } else { self.unanswered.saturating_add(1) }
    }
}

impl Settle {
    /// Whether what came of the attempt still says something about the grant. Whatever may hold new tokens does, as long as nobody has newer
    /// ones; a failure concerns its own attempt alone.
    pub fn concerns(&self, grant: &GrantRecord) -> bool {
        let same_token = grant.generation == self.generation;
        let own = || grant.refresh_mark.as_ref().and_then(|mark| mark.attempt.as_ref()) == Some(&self.attempt);
        match &self.settlement {
            Settlement::Refreshed(_) => same_token && !grant.state.is_over(),
            Settlement::Unreadable(_) => same_token && !grant.state.is_over() && grant.kept_answer.is_none(),
            _ => same_token && grant.state == GrantState::Active && own(),
        }
    }

    /// The grant as this leaves it, where its state or what was granted is not what it was: somebody may want to be told.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(super) fn leaves(&self, grant: &GrantRecord) -> Option<GrantRecord> {
        let has_ended = matches!(grant.state, GrantState::ReauthRequired { .. });
        let state = match &self.settlement {
            Settlement::Rejected { reason } => GrantState::ReauthRequired { reason: reason.clone() },
            Settlement::Refreshed(_) | Settlement::Unreadable(_) if has_ended => GrantState::Active,
            _ => grant.state.clone(),
        };
        let scopes = match &self.settlement {
            Settlement::Refreshed(refreshed) => &refreshed.scopes,
            _ => &grant.scopes,
        };
        let state_since = if state == grant.state { grant.state_since } else { self.now };
        let same = state == grant.state && scopes.granted == grant.scopes.granted;
        (!same).then(|| GrantRecord { state, state_since, scopes: scopes.clone(), ..grant.clone() })
    }
}
