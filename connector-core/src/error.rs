//! One error, with a kind named by what the caller should do about it.

use std::error::Error as StdError;
use std::fmt;

use jiff::Timestamp;

use crate::scope::ScopeSet;

/// What every fallible call of a connector returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in one sentence for a person, with what support needs.
///
/// `Display` is one line and carries no token, code, secret or URL with a query. The platform's own code and its `log_id` are kept
/// apart, so that they reach the log, the store and the support ticket unchanged.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    code: Option<String>,
    log_id: Option<String>,
    refuses_a_scope: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What the caller should do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something an operator set is wrong: fix the configuration, the app's registration or the machine.
    Config,
    /// The platform or this connector has no such thing: do not ask again.
    Unsupported,
    /// The person said no: respect it.
    Declined,
    /// What came back from the browser does not belong to a flow in progress: start connecting again.
    InvalidCallback,
    /// The grant no longer works: the person has to connect again.
    ReauthRequired {
        /// A stable word for the reason, such as `refresh_token_rejected`.
        reason: String,
    },
    /// The call needs scopes that the grant does not hold.
    MissingScopes {
        /// What is missing. Empty when the platform did not say which.
        scopes: ScopeSet,
    },
    /// Too many calls: wait.
    RateLimited {
        /// When the platform allows the next call, if it said so.
        retry_at: Option<Timestamp>,
    },
    /// A longer quota is used up: try again tomorrow.
    QuotaExhausted,
    /// The platform restricts this account: the person has to act there.
    AccountRestricted,
    /// The platform refused the request for good: repeating it changes nothing.
    Rejected,
    /// The platform cannot be reached or is failing: try again later.
    Unavailable,
    /// The platform answered something this connector does not understand: report it.
    Protocol,
}

impl ErrorKind {
    /// The kind as one stable word, for data and exit codes.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Unsupported => "unsupported",
            Self::Declined => "declined",
            Self::InvalidCallback => "invalid_callback",
            Self::ReauthRequired { .. } => "reauth_required",
            Self::MissingScopes { .. } => "missing_scopes",
            Self::RateLimited { .. } => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::AccountRestricted => "account_restricted",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Protocol => "protocol",
        }
    }

    /// The words a data file may use for a kind.
    pub(crate) const WORDS: [&str; 11] = [
        "config",
        "unsupported",
        "declined",
        "invalid_callback",
        "missing_scopes",
        "rate_limited",
        "quota_exhausted",
        "account_restricted",
        "rejected",
        "unavailable",
        "protocol",
    ];

    /// The kind a data file names by its word; words that need more than a name get it empty.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "config" => Self::Config,
            "unsupported" => Self::Unsupported,
            "declined" => Self::Declined,
            "invalid_callback" => Self::InvalidCallback,
            "missing_scopes" => Self::MissingScopes { scopes: ScopeSet::new() },
            "rate_limited" => Self::RateLimited { retry_at: None },
            "quota_exhausted" => Self::QuotaExhausted,
            "account_restricted" => Self::AccountRestricted,
            "rejected" => Self::Rejected,
            "unavailable" => Self::Unavailable,
            "protocol" => Self::Protocol,
            _ => return None,
        })
    }
}

impl Error {
    /// An error of this kind with a sentence for a person.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            code: None,
            log_id: None,
            refuses_a_scope: false,
            source: None,
        }))
    }

    /// Shorthand for [`ErrorKind::Config`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// Shorthand for [`ErrorKind::InvalidCallback`].
    pub fn invalid_callback(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidCallback, message)
    }

    /// Shorthand for [`ErrorKind::Protocol`].
    pub fn protocol(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Protocol, message)
    }

    /// Shorthand for [`ErrorKind::ReauthRequired`].
    pub fn reauth_required(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ReauthRequired { reason: reason.into() }, message)
    }

    /// Keeps the platform's own code.
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Keeps the platform's request id, which its support asks for.
    pub fn with_log_id(mut self, log_id: Option<String>) -> Self {
        self.0.log_id = log_id;
        self
    }

    /// Says that the platform refused a request to ask a person because of a scope in it: another request may do.
    pub fn about_a_scope(mut self) -> Self {
        self.0.refuses_a_scope = true;
        self
    }

    /// Keeps what caused it. The source must not show secrets either.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error of another kind.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The same error, as a grant that needs its person for this reason.
    pub fn for_reason(self, reason: impl Into<String>) -> Self {
        self.with_kind(ErrorKind::ReauthRequired { reason: reason.into() })
    }

    /// Puts what was being done in front of the sentence.
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// What the caller should do.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The sentence without code and `log_id`.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The platform's own code, such as `scope_not_authorized`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// Whether the platform refused to ask a person because of one of the scopes, so that a request for fewer may do.
    pub fn refuses_a_scope(&self) -> bool {
        self.0.refuses_a_scope
    }

    /// The platform's request id.
    pub fn log_id(&self) -> Option<&str> {
        self.0.log_id.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match (self.code(), self.log_id()) {
            (Some(code), Some(log_id)) => write!(f, " ({code}, log_id {log_id})"),
            (Some(code), None) => write!(f, " ({code})"),
            (None, Some(log_id)) => write!(f, " (log_id {log_id})"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("code", &self.0.code)
            .field("log_id", &self.0.log_id)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_with_code_and_log_id() {
        let error = Error::new(ErrorKind::Rejected, "the platform refused the fields")
            .with_code("invalid_params")
            .with_log_id(Some("2026".into()));
        assert_eq!(error.to_string(), "the platform refused the fields (invalid_params, log_id 2026)");
    }

    #[test]
    fn every_word_a_data_file_may_use_reads_back_as_itself() {
        for word in ErrorKind::WORDS {
            assert_eq!(ErrorKind::from_word(word).map(|kind| kind.as_str()), Some(word));
        }
        assert_eq!(ErrorKind::from_word("oops"), None);
    }
}
