use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::refresh::RefreshTable;
use super::{Location, RefreshFacts};
use crate::app::Pkce;

/// How access is allowed, kept and given up.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuthFacts {
    /// What stands between scopes in a request. In answers, commas and white space both count.
    #[serde(default)]
    pub scope_separator: Option<String>,
    /// How the PKCE challenge is written, unless an app says otherwise.
    #[serde(default)]
    pub pkce: Option<Pkce>,
    /// Parameters with other names than the standard's.
    #[serde(default)]
    pub names: ParameterNames,
    /// The authorization endpoint.
    #[serde(default)]
    pub authorize: Option<AuthorizeFacts>,
    /// The token endpoint.
    #[serde(default)]
    pub token: Option<TokenFacts>,
    /// How access is kept.
    #[serde(default)]
    #[schemars(with = "RefreshTable")]
    pub refresh: RefreshFacts,
    /// The revocation endpoint, if there is one.
    #[serde(default)]
    pub revoke: Option<RevokeFacts>,
    /// How these endpoints report errors.
    #[serde(default)]
    pub errors: OAuthErrors,
}

/// The platform's names for the standard's parameters.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ParameterNames {
    /// For `client_id`, in every request.
    pub client_id: String,
    /// For `client_secret`, where it goes in the body.
    pub client_secret: String,
    /// For `scope` in the authorization request.
    pub scope: String,
}

impl Default for ParameterNames {
    fn default() -> Self {
        Self { client_id: "client_id".into(), client_secret: "client_secret".into(), scope: "scope".into() }
    }
}

/// The authorization endpoint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorizeFacts {
    /// Where it is.
    pub at: Location,
    /// Parameters sent always.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
    /// Parameters sent when a person is asked again, so that the platform shows its consent page.
    #[serde(default)]
    pub reauthorize_extra: BTreeMap<String, String>,
    /// The callback parameter that lists the granted scopes, if there is one.
    #[serde(default)]
    pub granted_param: Option<String>,
    /// What the platform's error parameters mean, by `error` or `error/error_type`, the longer one first.
    #[serde(default)]
    pub callback_errors: BTreeMap<String, CallbackError>,
}

/// What a pair of error parameters in a callback means.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallbackError {
    /// What the caller should do: `declined`, `config`, `unavailable`, `rejected`.
    pub kind: String,
    /// What happened and what to do, for a person.
    pub say: String,
    /// Whether the whole request was refused because of one of its scopes, so that a request for fewer may do. Its kind is `config` then.
    #[serde(default)]
    pub scope: bool,
}

/// The token endpoint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenFacts {
    /// Where it is.
    pub at: Location,
    /// How the request body is written.
    #[serde(default)]
    pub body: TokenBody,
    /// How the client authenticates.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Where the answer holds what.
    #[serde(default)]
    pub answer: TokenPointers,
}

/// How the body of a token request is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenBody {
    /// `application/x-www-form-urlencoded`, as the standard says.
    #[default]
    Form,
    /// A JSON object.
    Json,
}

/// How the client authenticates at the token endpoint (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// Id and secret in the body.
    #[default]
    Body,
    /// HTTP Basic.
    Basic,
}

/// JSON pointers (RFC 6901) into the token endpoint's answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenPointers {
    /// The access token.
    pub access_token: String,
    /// Its remaining life in seconds.
    pub expires_in: String,
    /// The refresh token.
    pub refresh_token: String,
    /// Its remaining life in seconds.
    pub refresh_expires_in: String,
    /// The granted scopes: a text or an array.
    pub scope: String,
    /// The raw, stable id of whoever granted.
    pub subject: Option<String>,
}

impl Default for TokenPointers {
    fn default() -> Self {
        Self {
            access_token: "/access_token".into(),
            expires_in: "/expires_in".into(),
            refresh_token: "/refresh_token".into(),
            refresh_expires_in: "/refresh_expires_in".into(),
            scope: "/scope".into(),
            subject: None,
        }
    }
}

/// The revocation endpoint (RFC 7009).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeFacts {
    /// Where it is.
    pub at: Location,
    /// Which token it takes.
    pub token: RevokedToken,
    /// The name of the parameter that carries it.
    #[serde(default = "token_param")]
    pub token_param: String,
    /// Error codes that mean the grant is gone already. With an access token this holds only for one that had not expired.
    #[serde(default)]
    pub gone: Vec<String>,
}

/// Which token a revocation endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevokedToken {
    /// The access token, which must be alive: an expired one leaves the grant alive.
    Access,
    /// The refresh token, else the access token.
    Refresh,
}

fn token_param() -> String {
    "token".to_owned()
}

/// How the OAuth endpoints report errors: where in the body, and what the codes mean beyond the standard's own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OAuthErrors {
    /// The code.
    pub code: String,
    /// The platform's words.
    pub message: String,
    /// The platform's request id; the first pointer that hits.
    pub log_id: Vec<String>,
}

impl Default for OAuthErrors {
    fn default() -> Self {
        Self { code: "/error".into(), message: "/error_description".into(), log_id: Vec::new() }
    }
}
