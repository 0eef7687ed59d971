//! Who a grant reaches.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::app::App;
use crate::grant::Grant;
use crate::{Context, Result};

/// A grant under the app it was made with: what a call to the platform needs. A host leaves the refresh token out of it: no call needs one.
#[derive(Clone, Debug)]
pub struct Session {
    /// The app.
    pub app: App,
    /// The grant.
    pub grant: Grant,
}

/// Which accounts a grant reaches.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Reads the accounts, each with as much of its profile as the grant's scopes allow.
    ///
    /// # Errors
    /// As the platform answers. An error is never an empty list.
    async fn accounts(&self, cx: &Context, session: &Session) -> Result<Vec<Account>>;
}

/// One account at a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The platform's raw, stable id. Never parsed, trimmed or derived from a display field.
    pub id: String,
    /// What the platform said about it.
    pub profile: Profile,
}

/// What a platform says about an account, by the names of [`PROFILE_FIELDS`], plus extras named `custom.<platform>.<field>`.
///
/// A field that was not asked for, or not answered, is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile(BTreeMap<String, FieldValue>);

/// One value of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A text, which may be empty: an empty bio is an answer.
    Text(String),
    /// A yes or no.
    Flag(bool),
    /// A whole number.
    Integer(i64),
}

/// The names of profile fields and what they mean.
pub const PROFILE_FIELDS: [(&str, &str); 15] = [
    ("id", "the platform's stable id of the account"),
    ("developer_scoped_id", "an id that is the same across one developer's apps"),
    ("handle", "the @name"),
    ("display_name", "the name shown to people"),
    ("bio", "the text about themselves"),
    ("url", "a link to the profile, which may change from call to call"),
    ("avatar_url", "a picture; the link may expire within hours"),
    ("avatar_small_url", "a small picture; the link may expire within hours"),
    ("avatar_large_url", "a large picture; the link may expire within hours"),
    ("verified", "whether the platform vouches for the account"),
    ("kind", "person, creator, business, page, channel and the like"),
    ("protected", "whether only followers see what it posts"),
    ("created_at", "when the account was made"),
    ("website", "the site it links to"),
    ("country", "where it is"),
];

impl Profile {
    /// Sets one field.
    pub fn set(&mut self, name: impl Into<String>, value: FieldValue) {
        self.0.insert(name.into(), value);
    }

    /// One field.
    pub fn get(&self, name: &str) -> Option<&FieldValue> {
        self.0.get(name)
    }

    /// One text field.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(FieldValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// All fields, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FieldValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes what a later answer says over what is known; what it does not mention stays.
    pub fn update(&mut self, newer: Self) {
        self.0.extend(newer.0);
    }

    /// The best name for people: the display name, else the handle.
    pub fn label(&self) -> Option<&str> {
        ["display_name", "handle"].iter().filter_map(|name| self.text(name)).find(|text| !text.is_empty())
    }
}

impl FromIterator<(String, FieldValue)> for Profile {
    fn from_iter<I: IntoIterator<Item = (String, FieldValue)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}
