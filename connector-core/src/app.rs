//! One developer registration at a platform, ready for use.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::grant::BaseUrls;
use crate::scope::Wanted;
use crate::{Error, Secret};

/// One developer registration at a platform. Handed to every call: a connector holds no credentials.
#[derive(Clone, Debug)]
pub struct App {
    /// The operator's name for it, `default` unless said.
    pub name: String,
    /// The id the platform gave. Public.
    pub client_id: String,
    /// The secret the platform gave, if it gave one.
    pub client_secret: Option<Secret>,
    /// What it is registered as. Decides redirect rules and PKCE.
    pub kind: AppKind,
    /// The registered redirect URI, where the operator fixed one.
    pub redirect_uri: Option<Url>,
    /// How PKCE is done, where the operator overrides what the platform file says.
    pub pkce: Option<Pkce>,
    /// What it asks for.
    pub wanted: Wanted,
    /// The origins it talks to: the platform's own, or an emulator's.
    pub base_urls: BaseUrls,
}

impl App {
    /// Tells the app's credentials from others without giving them away: 16 hex digits.
    pub fn credentials_digest(&self) -> String {
        let secret = self.client_secret.as_ref().map_or("", Secret::expose);
        let mut digest = Secret::from(format!("{}\n{secret}", self.client_id)).digest();
        digest.truncate(16);
        digest
    }
}

/// What an app is registered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, schemars::JsonSchema, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// A program on a person's machine, with a redirect URI on loopback.
    Desktop,
    /// A web server, with an https redirect URI.
    Web,
}

/// How the PKCE challenge is written (RFC 7636). The method is S256 always; platforms differ in how they spell its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// No PKCE.
    Off,
    /// The SHA-256 as base64url without padding, as the standard says.
    Base64url,
    /// The SHA-256 as lower-case hex.
    Hex,
}

impl Pkce {
    /// How it is done as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Base64url => "base64url",
            Self::Hex => "hex",
        }
    }
}

impl AppKind {
    /// The kind as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Web => "web",
        }
    }
}

impl fmt::Display for AppKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The id of a platform: `[a-z][a-z0-9_]*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlatformId(String);

impl PlatformId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PlatformId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if is_identifier(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::config(format!(
                "`{}` is not a platform id: lower-case letters, digits and underscores, a letter first",
                text.escape_debug()
            )))
        }
    }
}

impl fmt::Display for PlatformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for PlatformId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Whether a text is `[a-z][a-z0-9_]*`, as platform ids, app names and metric names are.
pub(crate) fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
