//! What a key may be allowed to do.

use std::fmt;
use std::str::FromStr;

/// One thing that an API key may be allowed to do. Its word is stable: it is stored, and written in commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Right {
    /// See connections, their state and what they lack.
    ConnectionsRead,
    /// Connect accounts, ask their people again, give them up.
    ConnectionsWrite,
    /// Get access tokens.
    TokensRead,
    /// Get the counts of connected accounts.
    MetricsRead,
    /// See the configuration: platforms, apps and scopes.
    ConfigRead,
    /// See what happened.
    AuditRead,
    /// See events, and who is told of them.
    EventsRead,
    /// Say who is told of events, and send them again.
    EventsWrite,
}

impl Right {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::ConnectionsRead,
        Self::ConnectionsWrite,
        Self::TokensRead,
        Self::MetricsRead,
        Self::ConfigRead,
        Self::AuditRead,
        Self::EventsRead,
        Self::EventsWrite,
    ];

    /// The right as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionsRead => "connections:read",
            Self::ConnectionsWrite => "connections:write",
            Self::TokensRead => "tokens:read",
            Self::MetricsRead => "metrics:read",
            Self::ConfigRead => "config:read",
            Self::AuditRead => "audit:read",
            Self::EventsRead => "events:read",
            Self::EventsWrite => "events:write",
        }
    }

    /// The words of these, with a separator between them.
    pub(crate) fn list(rights: impl IntoIterator<Item = Self>, separator: &str) -> String {
        rights.into_iter().map(Self::as_str).collect::<Vec<_>>().join(separator)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Right {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|right| right.as_str() == text).ok_or_else(|| {
            format!("there is no right `{}`; there are {}", text.escape_debug(), Self::list(Self::ALL, ", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_read_as_it_is_written() {
        for right in Right::ALL {
            assert_eq!(right.to_string().parse(), Ok(right));
        }
        let all = std::collections::BTreeSet::from(Right::ALL);
        assert_eq!(all.len(), Right::ALL.len(), "no right is there twice");
    }

    #[test]
    fn an_unknown_right_is_told_all_there_are() {
        for text in ["", "tokens", "Tokens:Read", "tokens:read ", "tokens:write", "all\n"] {
            let error = text.parse::<Right>().unwrap_err();
            assert!(Right::ALL.iter().all(|right| error.contains(right.as_str())), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
