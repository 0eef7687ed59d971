//! What a connector's `platform.toml` says: the protocol facts of one platform, as data.
//!
//! Data may rename, point and list. A thing with an `if` in it is Rust, in the connector.

mod api;
mod check;
mod credentials;
mod oauth;
mod redirect;
mod refresh;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

pub use self::api::{AccountsFacts, ApiErrors, EndpointFacts, FieldsParam, Method, MetricsFacts};
pub use self::credentials::{CredentialDoubt, CredentialFacts, CredentialShape};
pub use self::oauth::{
    AuthorizeFacts, CallbackError, ClientAuth, OAuthErrors, OAuthFacts, ParameterNames, RevokeFacts, RevokedToken,
    TokenBody, TokenFacts, TokenPointers,
};
pub use self::redirect::{PortRule, RedirectFacts, RedirectRule};
pub use self::refresh::{RefreshClass, RefreshFacts};
use crate::config::file_schema;
use crate::grant::BaseUrls;
use crate::{Error, Result};

/// The protocol facts of one platform.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// The day somebody last compared this file with the platform's documentation, as `YYYY-MM-DD`.
    pub verified_on: String,
    /// Where the platform documents it.
    #[serde(default)]
    pub docs_url: Option<String>,
    /// The origins that are called, by name. An emulator or an operator puts others in their place.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub base_urls: BaseUrls,
    /// How access is allowed, kept and given up.
    #[serde(default)]
    pub oauth: OAuthFacts,
    /// What the credentials of an app look like, as far as is known.
    #[serde(default)]
    pub credentials: CredentialFacts,
    /// Which redirect URIs the platform takes, by kind of app.
    #[serde(default)]
    pub redirect: RedirectFacts,
    /// How calls other than OAuth's report errors.
    #[serde(default)]
    pub api_errors: ApiErrors,
    /// The endpoints that are read, by name.
    #[serde(default)]
    pub endpoints: BTreeMap<String, EndpointFacts>,
    /// Where the accounts of a grant are read.
    #[serde(default)]
    pub accounts: Option<AccountsFacts>,
    /// Where the counts of an account are read.
    #[serde(default)]
    pub account_metrics: Option<MetricsFacts>,
    /// What an operator does in the platform's developer portal before the first connection.
    #[serde(default)]
    pub portal: Portal,
}

/// A checklist for the platform's developer portal.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Portal {
    /// Where the portal is.
    #[serde(default)]
    pub url: Option<String>,
    /// What to do there, in order. `{redirect_uri}`, `{scopes}`, `{client_id}` and `{client_secret}` stand for what the configuration says.
    #[serde(default)]
    pub steps: Vec<String>,
}

/// A place on one of the base URLs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// The name of a base URL.
    pub base: String,
    /// The path, exactly as the platform wants it, trailing slash included.
    pub path: String,
}

impl Protocol {
    /// Reads a `platform.toml`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind) with line, key and what is allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let protocol: Self =
            toml::from_str(text).map_err(|error| Error::config(error.to_string().trim_end().to_owned()))?;
        protocol.check()?;
        Ok(protocol)
    }

    /// The JSON schema of the file, for editors.
    pub fn schema() -> Value {
        file_schema::<Self>()
    }

    /// The endpoint of that name.
    ///
    /// # Errors
    /// When the file describes none.
    pub fn endpoint(&self, name: &str) -> Result<&EndpointFacts> {
        self.endpoints
            .get(name)
            .ok_or_else(|| Error::config(format!("the platform file describes no endpoint `{name}`")))
    }
}

impl Location {
    /// The URL under the given base URLs.
    ///
    /// # Errors
    /// When there is no base URL of that name.
    pub fn under(&self, base_urls: &BaseUrls) -> Result<Url> {
        let base = base_urls
            .get(&self.base)
            .ok_or_else(|| Error::config(format!("there is no base URL named `{}`", self.base)))?;
        let mut url = base.clone();
        url.set_path(&self.path);
        Ok(url)
    }
}
