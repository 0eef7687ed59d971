//! How the emulator behaves where TikTok's behaviour is not settled, and what a test may want otherwise.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The switches. `POST /admin/switches` merges JSON into them; `null` puts one back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Switches {
    /// The HTTP status of refusals by the OAuth endpoints: 200, or 400.
    pub(super) oauth_error_status: OAuthErrorStatus,
    /// Where the browser ends when a request is refused before consent.
    pub(super) pre_consent_errors: PreConsentErrors,
    /// Whether any loopback or https redirect URI will do, or only what the portal would accept.
    pub(super) redirect_rules: RedirectRules,
    /// With strict rules: what a desktop app has registered. The port may be `*`. None registered: any that keeps the rules.
    pub(super) desktop_redirect_uris: Vec<String>,
    /// With strict rules: what a web app has registered. None registered: any that keeps the rules.
    pub(super) web_redirect_uris: Vec<String>,
    /// Whether web apps need PKCE too.
    pub(super) web_pkce: WebPkce,
    /// How long a code can be exchanged.
    pub(super) code_lifetime_seconds: u32,
    /// How long an access token works.
    pub(super) access_lifetime_seconds: u32,
    /// How long a refresh token works.
    pub(super) refresh_lifetime_seconds: u32,
    /// Whether a refresh replaces the refresh token or keeps it.
    pub(super) refresh_rotation: RefreshRotation,
    /// How long a replaced refresh token still works.
    pub(super) refresh_grace_seconds: u32,
    /// How long a token request takes before it has its effect.
    pub(super) token_latency_milliseconds: u32,
    /// Whether a refresh prolongs the life of the refresh token.
    pub(super) refresh_expiry: RefreshExpiry,
    /// What a revocation that worked answers.
    pub(super) revoke_body: RevokeBody,
    /// What a field without its scope answers.
    pub(super) missing_scope: MissingScope,
    /// What a field that does not exist does.
    pub(super) unknown_fields: UnknownFields,
    /// Calls of user info in a minute for one token.
    pub(super) user_info_per_minute: u32,
    /// The `Retry-After` of a 429.
    pub(super) retry_after_seconds: Option<u32>,
    /// Fields that TikTok does not have, by name.
    pub(super) extra_fields: BTreeMap<String, ExtraField>,
    /// Scopes that TikTok does not have, held by every app that holds all of TikTok's.
    pub(super) extra_scopes: BTreeSet<String>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            oauth_error_status: OAuthErrorStatus::Ok,
            pre_consent_errors: PreConsentErrors::Page,
            redirect_rules: RedirectRules::Lenient,
            desktop_redirect_uris: vec!["http://127.0.0.1:*/oauth/callback/tiktok/default".to_owned()],
            web_redirect_uris: Vec::new(),
            web_pkce: WebPkce::Ignored,
            code_lifetime_seconds: 60,
            access_lifetime_seconds: 7200,
            refresh_lifetime_seconds: 15_552_000,
            refresh_rotation: RefreshRotation::Strict,
            refresh_grace_seconds: 0,
            token_latency_milliseconds: 0,
            refresh_expiry: RefreshExpiry::Restart,
            revoke_body: RevokeBody::Object,
            missing_scope: MissingScope::ScopeNotAuthorized,
            unknown_fields: UnknownFields::Refuse,
            user_info_per_minute: 600,
            retry_after_seconds: None,
            extra_fields: BTreeMap::new(),
            extra_scopes: BTreeSet::new(),
        }
    }
}

impl Switches {
    /// The switches with the patch merged in (RFC 7396).
    ///
    /// # Errors
    /// A sentence that names what is allowed.
    pub(super) fn merged(&self, patch: &Value) -> Result<Self, String> {
        let mut merged = serde_json::to_value(self).map_err(|error| error.to_string())?;
        merge(&mut merged, patch);
        serde_json::from_value(merged).map_err(|error| format!("the switches cannot be set: {error}"))
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let (Some(target), Value::Object(patch)) = (target.as_object_mut(), patch) else {
        patch.clone_into(target);
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else if value.is_object() {
            merge(target.entry(key.clone()).or_insert_with(|| Value::Object(Map::new())), value);
        } else {
            target.insert(key.clone(), value.clone());
        }
    }
}

/// A field that TikTok does not have.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtraField {
    /// The scope it needs.
    pub(super) scope: String,
    /// Its value, for everybody.
    pub(super) value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub(super) enum OAuthErrorStatus {
    Ok,
    BadRequest,
}

impl TryFrom<u16> for OAuthErrorStatus {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            200 => Ok(Self::Ok),
            400 => Ok(Self::BadRequest),
            _ => Err("`oauth_error_status` is 200 or 400"),
        }
    }
}

impl From<OAuthErrorStatus> for u16 {
    fn from(status: OAuthErrorStatus) -> Self {
        match status {
            OAuthErrorStatus::Ok => 200,
            OAuthErrorStatus::BadRequest => 400,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PreConsentErrors {
    /// On a page of TikTok's, with the reason in its URL.
    Page,
    /// Back at the app.
    Redirect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RedirectRules {
    Lenient,
    Strict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WebPkce {
    Ignored,
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefreshRotation {
    /// A new refresh token; the old one is dead.
    Strict,
    /// The same refresh token.
    Keep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefreshExpiry {
    /// A full lifetime with every refresh.
    Restart,
    /// One lifetime from the consent on.
    CountDown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RevokeBody {
    /// `{}`.
    Object,
    /// No bytes.
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MissingScope {
    /// 401.
    ScopeNotAuthorized,
    /// 400.
    ScopePermissionMissed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum UnknownFields {
    Refuse,
    Ignore,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_null_puts_it_back() {
        let patch =
            json!({"oauth_error_status": 400, "extra_fields": {"score": {"scope": "user.info.score", "value": 5}}});
        let changed = Switches::default().merged(&patch).unwrap();
        assert_eq!(changed.oauth_error_status, OAuthErrorStatus::BadRequest);
        assert_eq!(changed.extra_fields["score"].value, json!(5));
        assert_eq!(changed.code_lifetime_seconds, 60);
        let back = changed.merged(&json!({"oauth_error_status": null, "extra_fields": {"score": null}})).unwrap();
        assert_eq!(back.oauth_error_status, OAuthErrorStatus::Ok);
        assert!(back.extra_fields.is_empty());
    }

    #[test]
    fn an_unknown_switch_is_refused_with_the_known_ones() {
        let error = Switches::default().merged(&json!({"rotation": "strict"})).unwrap_err();
        assert!(error.contains("rotation") && error.contains("refresh_rotation"), "{error}");
        assert!(Switches::default().merged(&json!({"oauth_error_status": 500})).unwrap_err().contains("200 or 400"));
    }
}
