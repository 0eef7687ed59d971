//! What is written down while a schedule runs: the truth at the platform, and what the hosts did.

use connector_host::store::GrantState;

/// What the platform knows of an account.
#[derive(Debug)]
pub(crate) struct Account {
    /// The number of its current refresh token. Tokens count from 1.
    pub current: u32,
    pub dead: Option<Death>,
    /// When its access tokens end, by number.
    pub access_ends: Vec<i64>,
}

/// Why an account's tokens are dead at the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// A spent refresh token was used again.
    Reused,
    Revoked,
}

/// One request with a refresh token.
#[derive(Clone, Debug)]
pub(crate) struct Send {
    pub account: usize,
    /// The number of the token.
    pub token: u32,
    pub at: i64,
    pub node: usize,
    pub incarnation: u32,
    /// Whether nobody was answered when it left or when it ended in doubt: it asked whether the platform is back.
    pub while_down: bool,
    /// Whether its grant had been given up, so that it serves a revocation.
    pub after_end: bool,
    /// When the platform was done with it.
    pub over_at: Option<i64>,
    pub verdict: Option<Verdict>,
    /// Whether the answer shows what the platform did.
    pub plain: bool,
    /// When a living node had the answer.
    pub delivered: Option<i64>,
}

/// What the platform made of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It gave the next token.
    Rotated,
    /// The token was spent before: the whole family is dead now.
    Alarm,
    /// The account was dead already.
    Dead,
    NotProcessed,
    /// The request never arrived, or failed before it was looked at.
    Unseen,
}

/// An access token that somebody got.
#[derive(Clone, Debug)]
pub(crate) struct Handout {
    pub account: usize,
    pub token: u32,
    pub durable: bool,
}

/// One write to the row of a grant.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub at: i64,
    pub account: usize,
    pub before: Row,
    pub after: Row,
    /// Whether anything at all was changed.
    pub changed: bool,
    /// The generation the writer meant, and what it had to say.
    pub settled: Option<(i64, Said)>,
}

/// What a row says, as far as it matters here.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub generation: i64,
    pub state: GrantState,
    pub holds_tokens: bool,
}

/// What came of an attempt, by its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Success,
    Failure,
}

/// A grant that was declared lost.
#[derive(Clone, Debug)]
pub(crate) struct Reauth {
    pub at: i64,
    pub account: usize,
    pub reason: String,
    /// The refresh token that the row held.
    pub token: u32,
    /// Whether the platform had gone on to another one, or had ended the family because one was used again.
    pub rotated: bool,
    /// Whether the store gave it up because too many requests were not answered.
    pub without_verdict: bool,
}

impl Reauth {
    /// Whether it is said that nobody knows what became of the token.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.reason == "refresh_unanswered"
    }
}

/// Tokens that were stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durable {
    pub at: i64,
    pub generation: i64,
    /// The number of the refresh token.
    pub token: u32,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub accounts: Vec<Account>,
    pub sends: Vec<Send>,
    pub handouts: Vec<Handout>,
    pub writes: Vec<Write>,
    pub reauths: Vec<Reauth>,
    /// What was ever durable, by account.
    pub durable: Vec<Vec<Durable>>,
    /// Which nodes died, and when.
    pub crashes: Vec<(usize, u32, i64)>,
    /// From when until when a node was kept from storing something.
    pub store_faults: Vec<(usize, i64, i64)>,
    /// What was wrong where it was seen.
    pub wrong: Vec<String>,
}

impl Ledger {
    /// The refresh token that a generation of an account holds.
    pub(crate) fn token_of(&self, account: usize, generation: i64) -> Option<u32> {
        self.durable[account].iter().find(|durable| durable.generation == generation).map(|durable| durable.token)
    }
}
