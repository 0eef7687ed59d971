use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::account::PROFILE_FIELDS;
use crate::metrics::{MetricName, is_custom};
use crate::scope::{Relations, Scope};
use crate::{Error, Result};

/// What the scopes of one platform are and what they unlock, as the operator's file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The scopes, by id.
    pub scopes: BTreeMap<Scope, ScopeEntry>,
}

/// One scope of a catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeEntry {
    /// The product of the platform's portal that carries it.
    pub product: String,
    /// What it allows, for people.
    pub description: String,
    /// The fields it unlocks: by endpoint, then by the platform's field name or a JSON pointer into the answer.
    pub fields: BTreeMap<String, BTreeMap<String, Target>>,
    /// Other names by which the platform's answers call it.
    pub aliases: Vec<Scope>,
    /// The scopes of the catalogue that include it.
    pub implied_by: Vec<Scope>,
    /// The abilities it unlocks. Holding any scope that names an ability is enough for it.
    pub abilities: Vec<Ability>,
}

/// Where a field of an answer goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// `metric.<name>`: a count.
    Metric(MetricName),
    /// `profile.<name>`: a field of the profile, by [`PROFILE_FIELDS`].
    Profile(String),
    /// `custom.<platform>.<field>`: a whole number becomes a metric of this name, anything else a profile extra.
    Custom(MetricName),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if is_custom(text) {
            return Ok(Self::Custom(text.parse()?));
        }
        match text.split_once('.') {
            Some(("metric", name)) => Ok(Self::Metric(name.parse()?)),
            Some(("profile", name)) if PROFILE_FIELDS.iter().any(|(field, _)| *field == name) => {
                Ok(Self::Profile(name.to_owned()))
            }
            Some(("profile", name)) => {
                let names = PROFILE_FIELDS.map(|(field, _)| field).join(", ");
                Err(Error::config(format!("`{}` is not a profile field: use one of {names}", name.escape_debug())))
            }
            _ => Err(Error::config(format!(
                "`{}` says nowhere to put the value: write `metric.<name>`, `profile.<name>` or `custom.<platform>.<field>`",
                text.escape_debug()
            ))),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metric(name) => write!(f, "metric.{name}"),
            Self::Profile(name) => write!(f, "profile.{name}"),
            Self::Custom(name) => write!(f, "{name}"),
        }
    }
}

/// Something a product can do with a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ability(String);

/// The abilities there are and what they mean. Reading metrics is unlocked by the fields of a scope, the others are named by it.
pub const ABILITIES: [(&str, &str); 4] = [
    ("account.metrics", "read counts of the account"),
    ("content.list", "list what the account published"),
    ("publish.draft", "send content to the account as a draft"),
    ("publish.direct", "publish content to the account"),
];

impl Ability {
    /// Reading counts of an account.
    pub fn account_metrics() -> Self {
        Self("account.metrics".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Ability {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if ABILITIES.iter().any(|(name, _)| *name == text) {
            return Ok(Self(text.to_owned()));
        }
        let names = ABILITIES.map(|(name, _)| name).join(", ");
        Err(Error::config(format!("`{}` is not an ability: use one of {names}", text.escape_debug())))
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Catalogue {
    /// What the scopes have to do with each other.
    pub fn relations(&self) -> Relations {
        Relations::of(
            self.scopes.iter().map(|(scope, entry)| (scope, entry.aliases.as_slice(), entry.implied_by.as_slice())),
        )
    }

    /// The endpoints of which some scope unlocks a field.
    pub fn endpoints(&self) -> BTreeSet<&str> {
        self.scopes.values().flat_map(|entry| entry.fields.keys()).map(String::as_str).collect()
    }

    /// The fields of one endpoint with the scope that unlocks each, in the order of scopes and fields.
    pub fn fields(&self, endpoint: &str) -> impl Iterator<Item = (&Scope, &str, &Target)> {
        self.scopes.iter().flat_map(move |(scope, entry)| {
            entry.fields.get(endpoint).into_iter().flatten().map(move |(field, target)| (scope, field.as_str(), target))
        })
    }

    /// The scope that unlocks a metric.
    pub fn scope_of(&self, metric: &MetricName) -> Option<&Scope> {
        let names = |target: &Target| matches!(target, Target::Metric(name) | Target::Custom(name) if name == metric);
        self.scopes
            .iter()
            .find(|(_, entry)| entry.fields.values().flat_map(BTreeMap::values).any(names))
            .map(|(scope, _)| scope)
    }

    /// The abilities that some scope unlocks, in the order of [`ABILITIES`].
    pub fn abilities(&self) -> Vec<Ability> {
        ABILITIES
            .iter()
            .map(|(name, _)| Ability((*name).to_owned()))
            .filter(|ability| self.unlocking(ability).next().is_some())
            .collect()
    }

    /// The scopes of which any one unlocks an ability.
    pub fn unlocking(&self, ability: &Ability) -> impl Iterator<Item = &Scope> {
        let counts = *ability == Ability::account_metrics();
        self.scopes
            .iter()
            .filter(move |(_, entry)| entry.abilities.contains(ability) || (counts && entry.has_counts()))
            .map(|(scope, _)| scope)
    }
}

impl ScopeEntry {
    /// Whether any field of the scope is a count.
    fn has_counts(&self) -> bool {
        self.fields
            .values()
            .flat_map(BTreeMap::values)
            .any(|target| matches!(target, Target::Metric(_) | Target::Custom(_)))
    }
}
