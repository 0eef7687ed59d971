//! Scopes: what an app asks for, what a person grants, and what the difference means.

#[cfg(test)]
mod random_tests;
mod relations;

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;

pub use self::relations::Relations;
use crate::Error;

/// One scope as the platform spells it. Compared letter by letter (RFC 6749 section 3.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// A set of scopes. Their order carries no meaning; where it does, there is a list.
pub type ScopeSet = BTreeSet<Scope>;

impl Scope {
    /// The scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let legal = |c: char| matches!(c, '\x21' | '\x23'..='\x2b' | '\x2d'..='\x5b' | '\x5d'..='\x7e');
        if text.is_empty() || !text.chars().all(legal) {
            return Err(Error::config(format!(
                "`{}` is not a scope: a scope is printable ASCII without spaces, commas, quotes or backslashes",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Scope {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Reads a list of scopes from an answer: text with commas or spaces between, or an array of such texts. What is no scope is passed over.
pub fn read_scopes(value: &Value) -> Option<ScopeSet> {
    match value {
        Value::String(text) => Some(split_scopes(text)),
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).flat_map(split_scopes).collect()),
        _ => None,
    }
}

/// Splits a list at commas and white space, whichever the platform uses.
pub fn split_scopes(text: &str) -> ScopeSet {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter_map(|part| part.parse().ok()).collect()
}

/// The scopes as a text for people: `a, b`.
pub fn list_scopes<'a>(scopes: impl IntoIterator<Item = &'a Scope>) -> String {
    scopes.into_iter().map(Scope::as_str).collect::<Vec<_>>().join(", ")
}

/// What is known of a grant's scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GrantScopes {
    /// What the last completed flow asked for.
    pub requested: ScopeSet,
    /// What the person allowed, as far as the platform said.
    pub granted: Granted,
    /// Everything that was granted at any time.
    pub ever_granted: ScopeSet,
}

/// What the platform said a grant holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Granted {
    /// The platform did not say, or the grant came from elsewhere.
    #[default]
    Unknown,
    /// The platform said so.
    Known {
        /// The scopes.
        scopes: ScopeSet,
        /// Where it said so.
        source: GrantedSource,
    },
}

/// Where a list of granted scopes was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantedSource {
    /// The answer of the token endpoint.
    Token,
    /// The callback of the authorization endpoint.
    Callback,
}

impl Granted {
    /// The scopes, if the platform said.
    pub fn scopes(&self) -> Option<&ScopeSet> {
        match self {
            Self::Unknown => None,
            Self::Known { scopes, .. } => Some(scopes),
        }
    }
}

impl GrantScopes {
    /// The scopes of a flow that has just completed.
    pub fn of_flow(requested: ScopeSet, granted: Granted) -> Self {
        let ever_granted = granted.scopes().cloned().unwrap_or_default();
        Self { requested, granted, ever_granted }
    }

    /// Takes what a later answer said. An answer that says nothing changes nothing.
    pub fn observe(&mut self, granted: Granted) {
        if let Granted::Known { scopes, .. } = &granted {
            self.ever_granted.extend(scopes.iter().cloned());
            self.granted = granted;
        }
    }
}

/// How one scope stands with one grant, given what the app wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScopeStatus {
    /// The grant holds it.
    Granted,
    /// The app wants it, and the person was never asked: re-authentication will ask.
    NeverAsked,
    /// The person was asked and did not give it. To be respected.
    NotGranted,
    /// The grant held it once and lost it.
    Withdrawn,
    /// The platform does not say what the grant holds.
    Unknown,
    /// In the app's list, but not approved by the platform yet: never requested.
    Pending,
    /// Not in the app's list.
    NotWanted,
}

impl ScopeStatus {
    /// Every status, for documentation and schemas.
    pub const ALL: [Self; 7] = [
        Self::Granted,
        Self::NeverAsked,
        Self::NotGranted,
        Self::Withdrawn,
        Self::Unknown,
        Self::Pending,
        Self::NotWanted,
    ];

    /// The status as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::NeverAsked => "never_asked",
            Self::NotGranted => "not_granted",
            Self::Withdrawn => "withdrawn",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::NotWanted => "not_wanted",
        }
    }

    /// Whether a call that needs this scope may leave the host. Where the platform does not say, the only way to know is to ask.
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Granted | Self::Unknown)
    }

    /// Whether the grant is known not to hold it, although the app asks for it.
    pub fn is_lack(self) -> bool {
        matches!(self, Self::NeverAsked | Self::NotGranted | Self::Withdrawn)
    }
}

/// Why a person is needed whose grant lacks a scope that the configuration requires: one stable word.
pub const REQUIRED_SCOPE_MISSING: &str = "required_scope_missing";

/// What an app wants of a platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The app's list, in the operator's order.
    pub scopes: Vec<Scope>,
    /// The part of it that the platform has not approved yet.
    pub pending: ScopeSet,
    /// The part of it without which a connection is of no use.
    pub required: ScopeSet,
    /// What the platform's scopes have to do with each other.
    pub relations: Arc<Relations>,
}

impl Wanted {
    /// What is asked for: the list without the pending ones, in order.
    pub fn requested(&self) -> Vec<Scope> {
        self.scopes.iter().filter(|scope| !self.pending.contains(*scope)).cloned().collect()
    }

    /// How a scope stands with a grant.
    pub fn status(&self, scope: &Scope, grant: &GrantScopes) -> ScopeStatus {
        if !self.scopes.contains(scope) {
            return ScopeStatus::NotWanted;
        }
        if self.pending.contains(scope) {
            return ScopeStatus::Pending;
        }
        let is_in = |given| self.relations.hold(given, scope);
        match grant.granted.scopes() {
            None => ScopeStatus::Unknown,
            Some(granted) if is_in(granted) => ScopeStatus::Granted,
            Some(_) if !is_in(&grant.requested) => ScopeStatus::NeverAsked,
            Some(_) if is_in(&grant.ever_granted) => ScopeStatus::Withdrawn,
            Some(_) => ScopeStatus::NotGranted,
        }
    }

    /// The required scopes that a grant is known not to hold, in order. Where the platform does not say, nothing is known to be missing.
    ///
    /// It follows from the configuration and the grant alone, so a change of either is all it takes to end it.
    pub fn lacking(&self, grant: &GrantScopes) -> Vec<Scope> {
        let lacks = |scope: &&Scope| self.required.contains(*scope) && self.status(scope, grant).is_lack();
        self.scopes.iter().filter(lacks).cloned().collect()
    }

    /// Makes sure that a grant is not known to lack a required scope.
    ///
    /// # Errors
    /// [`ErrorKind::ReauthRequired`](crate::ErrorKind) for the reason [`REQUIRED_SCOPE_MISSING`], naming the scopes.
    pub fn check_required(&self, grant: &GrantScopes) -> Result<(), Error> {
        let lacking = self.lacking(grant);
        if lacking.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the configuration requires {}, which this person has not allowed: reconnect the account",
            list_scopes(&lacking)
        );
        Err(Error::reauth_required(REQUIRED_SCOPE_MISSING, message))
    }

    /// What the app wants against what the grant holds.
    pub fn drift(&self, grant: &GrantScopes) -> Drift {
        let statuses = self.scopes.iter().map(|scope| (scope.clone(), self.status(scope, grant))).collect();
        let extra = grant
            .granted
            .scopes()
            .into_iter()
            .flatten()
            .filter(|scope| !self.scopes.contains(self.relations.name(scope)))
            .cloned()
            .collect();
        Drift { statuses, extra, lacking: self.lacking(grant) }
    }
}

/// What an app wants against what a grant holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Each scope of the app's list, in order, with its status.
    pub statuses: Vec<(Scope, ScopeStatus)>,
    /// What was granted beyond the list. It breaks nothing.
    pub extra: ScopeSet,
    /// The required scopes that the grant is known not to hold, in order.
    pub lacking: Vec<Scope>,
}

impl Drift {
    /// The scopes with this status, in order.
    pub fn with(&self, status: ScopeStatus) -> impl Iterator<Item = &Scope> {
        self.statuses.iter().filter(move |(_, held)| *held == status).map(|(scope, _)| scope)
    }

    /// Whether asking the person again would bring something they were never asked for.
    pub fn reauthentication_helps(&self) -> bool {
        self.with(ScopeStatus::NeverAsked).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn set(text: &str) -> ScopeSet {
        split_scopes(text)
    }

    fn known(text: &str) -> Granted {
        Granted::Known { scopes: set(text), source: GrantedSource::Token }
    }

    #[test]
    fn a_list_is_read_with_commas_spaces_arrays_and_repetitions() {
        let expected = set("a.b c.d");
        for value in [
            serde_json::json!("a.b,c.d"),
            serde_json::json!("c.d a.b"),
            serde_json::json!(" a.b ,, c.d,a.b"),
            serde_json::json!(["a.b", "c.d"]),
        ] {
            assert_eq!(read_scopes(&value), Some(expected.clone()), "{value}");
        }
        assert_eq!(read_scopes(&serde_json::json!(null)), None);
    }

    #[test]
    fn a_scope_is_a_token_of_the_standard() {
        assert!("https://www.example/auth/read".parse::<Scope>().is_ok());
        for text in ["", "a b", "a,b", "a\"b", "é"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_status_has_its_cause() {
        let wanted = Wanted {
            scopes: ["basic", "stats", "list", "publish", "upload"].map(|s| s.parse().unwrap()).to_vec(),
            pending: set("upload"),
            ..Wanted::default()
        };
        let mut grant = GrantScopes::of_flow(set("basic stats list"), known("basic stats extra"));
        let words = |grant: &GrantScopes| {
            wanted.drift(grant).statuses.iter().map(|(_, status)| status.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(words(&grant), ["granted", "granted", "not_granted", "never_asked", "pending"]);
        assert_eq!(wanted.drift(&grant).extra, set("extra"));
        assert_eq!(wanted.status(&"extra".parse().unwrap(), &grant), ScopeStatus::NotWanted);

        grant.observe(known("basic"));
        assert_eq!(words(&grant), ["granted", "withdrawn", "not_granted", "never_asked", "pending"]);
        grant.observe(Granted::Unknown);
        assert_eq!(words(&grant)[1], "withdrawn", "an answer that says nothing changes nothing");
        assert_eq!(words(&GrantScopes::default())[0], "unknown");
    }

    #[test]
    fn a_required_scope_is_missing_once_that_is_known() {
        let wanted = Wanted {
            scopes: ["stats", "basic", "list", "upload"].map(|s| s.parse().unwrap()).to_vec(),
            pending: set("upload"),
            required: set("basic stats upload elsewhere"),
            ..Wanted::default()
        };
        let lacking = |grant: &GrantScopes| list_scopes(&wanted.lacking(grant));
        let of = |requested, granted| GrantScopes::of_flow(set(requested), known(granted));
        for (grant, missing) in [
            (of("basic stats", "basic stats"), ""),
            (of("basic stats", "basic"), "stats"),
            (of("basic", "basic"), "stats"),
            (of("basic stats list", ""), "stats, basic"),
            (GrantScopes::of_flow(set("basic stats"), Granted::Unknown), ""),
        ] {
            assert_eq!(lacking(&grant), missing, "{grant:?}");
            assert_eq!(list_scopes(&wanted.drift(&grant).lacking), missing);
        }
        let error = wanted.check_required(&of("basic", "basic")).unwrap_err();
        let reason = ErrorKind::ReauthRequired { reason: REQUIRED_SCOPE_MISSING.to_owned() };
        assert_eq!((error.kind(), error.message().contains("requires stats, which")), (&reason, true));
        assert!(wanted.check_required(&of("basic stats", "stats basic")).is_ok());

        let mut withdrawn = of("basic stats", "basic stats");
        withdrawn.observe(known("stats"));
        assert_eq!(lacking(&withdrawn), "basic");
        let relaxed = Wanted { required: set("stats"), ..wanted.clone() };
        assert_eq!(relaxed.lacking(&withdrawn), [], "the configuration alone decides what is required");
    }

    #[test]
    fn pending_scopes_are_never_requested() {
        let scopes = vec!["b".parse().unwrap(), "a".parse().unwrap()];
        let wanted = Wanted { scopes, pending: set("a"), ..Wanted::default() };
        assert_eq!(wanted.requested(), ["b".parse().unwrap()]);
    }
}
