//! What a layer's file may hold. Everything is optional here: what is required is checked when the layers lie over each other.
//!
//! The comments on the keys become the hints an editor shows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{Deserializer, Error as _, IntoDeserializer};
use url::Url;

use super::schema;
use super::source_file::{IdSource, SecretSource};
use crate::app::{AppKind, Pkce};

/// The scope catalogue and the apps, by platform. Layers of this file are laid over each other: a value or a list replaces, a scope
/// definition replaces whole, platforms and apps merge by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "social-platforms.toml")]
pub struct ConfigFile {
    /// What is known of each platform, by its id: lower-case letters, digits and underscores, a letter first.
    #[serde(default)]
    #[schemars(extend("propertyNames" = schema::identifier()))]
    pub platforms: BTreeMap<String, PlatformFile>,
}

/// One platform: the apps registered there, and what its scopes are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformFile {
    /// The apps registered at the platform, by a name of your choice: lower-case letters, digits and underscores, a letter first. The
    /// one that is used unless another is named is called `default`.
    #[serde(default)]
    #[schemars(extend("propertyNames" = schema::identifier()))]
    pub apps: BTreeMap<String, AppFile>,
    /// The scope catalogue, by the platform's spelling. A scope with dots is written in quotes.
    #[serde(default)]
    #[schemars(extend("propertyNames" = schema::scope()))]
    pub scopes: BTreeMap<String, ScopeFile>,
}

/// One app: what the developer portal of the platform knows it by, and what it asks people for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppFile {
    /// What the app is registered as. Decides the rules for the redirect URI, and PKCE.
    #[serde(default, deserialize_with = "word")]
    pub kind: Option<AppKind>,
    /// The id the platform gave the app (some call it key). It is public: the id itself, or where it is.
    pub client_id: Option<IdSource>,
    /// Where the secret is that the platform gave the app. A secret itself is never written here.
    pub client_secret: Option<SecretSource>,
    /// A redirect URI to use instead of the host's own, exactly as it is registered in the portal.
    #[serde(default, deserialize_with = "redirect_uri")]
    #[schemars(schema_with = "schema::redirect_uri")]
    pub redirect_uri: Option<Url>,
    /// How PKCE is done, where this app differs from what the platform asks for.
    #[serde(default, deserialize_with = "word")]
    pub pkce: Option<Pkce>,
    /// The scopes the app asks for, in this order. Each is described in the catalogue.
    #[schemars(inner(pattern(schema::SCOPE)), extend("uniqueItems" = true))]
    pub scopes: Option<Vec<String>>,
    /// The part of `scopes` that the platform has not approved for this app yet: never requested.
    #[schemars(inner(pattern(schema::SCOPE)), extend("uniqueItems" = true))]
    pub pending: Option<Vec<String>>,
    /// The part of `scopes` without which a connection is of no use: one that lacks any of them is shown as `reauth_required`. The scope of
    /// the accounts' ids always is.
    #[schemars(inner(pattern(schema::SCOPE)), extend("uniqueItems" = true))]
    pub required: Option<Vec<String>>,
    /// Whether every access token of the app is always kept fresh, also while nobody needs it. Off by default, because each rotation is
    /// one more chance to lose an answer: without it a token is refreshed when it is needed, and often enough that access is kept.
    pub keep_fresh: Option<bool>,
    /// The tenants whose people may connect under this app, which nobody else sees: for a registration that belongs to one of them. Without
    /// it the app is everybody's.
    #[schemars(inner(length(min = 1)), length(min = 1), extend("uniqueItems" = true))]
    pub tenants: Option<Vec<String>>,
}

/// What a scope is and what it unlocks. A later layer replaces the definition as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeFile {
    /// The product of the developer portal that carries the scope.
    pub product: Option<String>,
    /// What the scope allows, in a few words for people.
    pub description: Option<String>,
    /// Where the fields go that the scope unlocks: by endpoint, then by the platform's name of the field, or by a JSON pointer into the
    /// answer (it begins with `/`). Targets are `metric.<name>`, `profile.<name>` and `custom.<platform>.<field>`.
    #[serde(default)]
    #[schemars(schema_with = "schema::fields")]
    pub fields: BTreeMap<String, BTreeMap<String, String>>,
    /// Other names by which the platform's answers call the scope. It is asked for by its own name.
    #[serde(default)]
    #[schemars(inner(pattern(schema::SCOPE)), extend("uniqueItems" = true))]
    pub aliases: Vec<String>,
    /// Scopes of this catalogue that include this one: whoever has granted one of them has granted this one.
    #[serde(default)]
    #[schemars(inner(pattern(schema::SCOPE)), extend("uniqueItems" = true))]
    pub implied_by: Vec<String>,
    /// What a product can do with the scope, beyond reading its fields.
    #[serde(default)]
    #[schemars(schema_with = "schema::abilities")]
    pub abilities: Vec<String>,
}

/// Reads one of a few words. The configuration library alone would take the number 0 for the first of them.
fn word<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let word: StrDeserializer<'_, D::Error> = text.as_str().into_deserializer();
    T::deserialize(word).map(Some)
}

fn redirect_uri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    read_redirect_uri(&text).map(Some).map_err(D::Error::custom)
}

/// Reads a redirect URI that is sent letter by letter as it is written, because platforms compare it so.
///
/// # Errors
/// A sentence for what is no URL, and for one that is written otherwise than it would be sent: with the way to write it.
pub fn read_redirect_uri(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("this is not a URL ({error}): write a whole one, such as \"https://example.com/callback\"")
    })?;
    // Anything else is refused for what it is, and is not repeated here: it may be something secret in the wrong place.
    let may_be_shown =
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    if may_be_shown && url.as_str() != text {
        return Err(format!(
            "this is sent as `{url}`, and the platform compares every letter: write it as `{url}`, and register it like that"
        ));
    }
    Ok(url)
}
