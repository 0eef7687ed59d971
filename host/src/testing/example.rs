//! A platform that does not exist, and an app there.

use std::path::Path;

use connector_core::app::AppKind;
use connector_core::config::{Config, Layer, Settings};
use connector_core::emulator::{EmulatedApp, EmulatorInfo};
use connector_core::grant::BaseUrls;
use connector_core::{Build, ConfiguredConnector, Context, Descriptor, Registration, Registry};

use super::{Outcome, TENANT};
use crate::Realm;
use crate::store::{GrantId, GrantRecord};

/// A platform that is data alone. Its paths are `/authorize`, `/token`, `/revoke` and `/me`; an answer of `/token` may say whose tokens they
/// are as `person`; `/me` answers with `id`, `name` and `followers`; the error `token_dead` says that an access token has ended, and
/// `scope_missing` that a scope is missing.
///
/// It has one app, for the desktop, which asks for the scope `read`.
#[derive(Clone, Debug)]
pub struct Example {
    /// Its id.
    pub id: &'static str,
    /// Where it is.
    pub origin: String,
    /// What a refresh does to the token it uses, in the word of a platform file.
    pub refresh: &'static str,
    /// Where the access token is in an answer, as a pointer.
    pub access_token: &'static str,
    /// Which token it takes to revoke access, `access` or `refresh`, if it revokes any.
    pub revoke: Option<&'static str>,
    /// Whether the operator wants access tokens that are always fresh.
    pub keep_fresh: bool,
    /// What a second file of the operator says over the first.
    pub over: &'static str,
}

impl Default for Example {
    /// `example` at `https://example.test`, whose refresh tokens are used once, and which revokes nothing.
    fn default() -> Self {
        Self {
            id: "example",
            origin: "https://example.test".to_owned(),
            refresh: "rotating_strict",
            access_token: "/access_token",
            revoke: None,
            keep_fresh: false,
            over: "",
        }
    }
}

impl Example {
    /// The name of its app.
    pub const APP: &'static str = "default";
    /// The id of its app.
    pub const CLIENT_ID: &'static str = "id-1";
    const SECRET: &'static str = "hush";

    /// Its entry in the list of what is linked. The text is leaked: a platform file is part of a program.
    pub fn registration(&self) -> Registration {
        self.registered(ConfiguredConnector::build)
    }

    /// The same with a connector of the test's own.
    pub fn registered(&self, build: Build) -> Registration {
        let descriptor = Descriptor { id: self.id, name: "Example", package: env!("CARGO_PKG_NAME") };
        Registration::new(descriptor, self.platform().leak(), build)
    }

    /// A list of it alone.
    pub fn registry(&self) -> Outcome<Registry> {
        Ok(Registry::new([self.registration()])?)
    }

    /// The settings of an operator who keeps the app's secret in a file, which is written into this directory.
    pub fn settings_in(&self, dir: &Path) -> Outcome<Settings> {
        let secret = dir.join("secret");
        std::fs::write(&secret, Self::SECRET)?;
        self.settings_with(&format!("{{ file = '{}' }}", secret.display()))
    }

    /// The settings of an operator without credentials, for [`Example::realm`].
    pub fn settings(&self) -> Outcome<Settings> {
        self.settings_with("{ env = \"UNUSED\" }")
    }

    fn settings_with(&self, secret: &str) -> Outcome<Settings> {
        let layers = vec![Layer::embedded("test", &self.config(secret))?, Layer::embedded("over", self.over)?];
        Ok(Config::of(layers)?.settings)
    }

    /// A realm that has its credentials in memory: nothing is read from the machine.
    pub fn realm(&self) -> Outcome<Realm> {
        let app = EmulatedApp {
            name: Self::APP.to_owned(),
            kind: AppKind::Desktop,
            client_id: Self::CLIENT_ID.to_owned(),
            client_secret: Self::SECRET.into(),
        };
        let (origin, base_urls) = (self.origin.parse()?, self.base_urls()?);
        let info = EmulatorInfo { origin, base_urls, apps: vec![app], people: Vec::new() };
        Ok(Realm::Emulated([(self.id.parse()?, info)].into()))
    }

    /// A grant that a person has just given its app: without tokens and scopes.
    pub fn grant(&self, cx: &Context) -> Outcome<GrantRecord> {
        let (id, platform) = (GrantId::new(cx)?, self.id.parse()?);
        let grant = GrantRecord::new(id, TENANT, platform, Self::APP, Self::CLIENT_ID, cx.now());
        Ok(GrantRecord { base_urls: self.base_urls()?, ..grant })
    }

    /// The origins that its grants belong to.
    pub fn base_urls(&self) -> Outcome<BaseUrls> {
        Ok([("api".to_owned(), self.origin.parse()?)].into())
    }

    fn platform(&self) -> String {
        let Self { origin, refresh, access_token, .. } = self;
        let revoke = self.revoke.map_or_else(String::new, |token| {
            format!("revoke = {{ at = {{ base = \"api\", path = \"/revoke\" }}, token = \"{token}\" }}")
        });
        format!(
            r#"
verified_on = "2026-11-22"
base_urls = {{ api = "{origin}" }}

[oauth]
authorize = {{ at = {{ base = "api", path = "/authorize" }} }}
refresh = {{ class = "{refresh}" }}
{revoke}

[oauth.token]
at = {{ base = "api", path = "/token" }}
answer = {{ access_token = "{access_token}", subject = "/person" }}

[redirect.desktop]
schemes = ["http"]

[api_errors]
code = ["/error"]
kinds = {{ token_dead = "reauth_required", scope_missing = "missing_scopes" }}

[endpoints.me]
at = {{ base = "api", path = "/me" }}

[accounts]
endpoint = "me"
id = "id"

[account_metrics]
endpoint = "me"
"#
        )
    }

    fn config(&self, secret: &str) -> String {
        let (Self { id, keep_fresh, .. }, app, client_id) = (self, Self::APP, Self::CLIENT_ID);
        format!(
            r#"
[platforms.{id}.apps.{app}]
kind = "desktop"
client_id = "{client_id}"
client_secret = {secret}
scopes = ["read"]
keep_fresh = {keep_fresh}

[platforms.{id}.scopes.read]
product = "API"
description = "Everything"
fields.me = {{ id = "profile.id", name = "profile.display_name", followers = "metric.followers" }}
"#
        )
    }
}
