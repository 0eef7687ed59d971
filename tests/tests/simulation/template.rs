//! What is the same in every schedule: the connector and its configuration.

use connector_core::app::AppKind;
use connector_core::config::{Config, Layer, Settings};
use connector_core::emulator::{EmulatedApp, EmulatorInfo};
use connector_core::grant::BaseUrls;
use connector_core::{ConfiguredConnector, Descriptor, Registration, Registry, Secret};
use connector_host::Realm;

pub(crate) const TENANT: &str = "default";
pub(crate) const APP: &str = "default";
pub(crate) const PLATFORM: &str = "example";
pub(crate) const CLIENT_ID: &str = "id-1";

macro_rules! platform {
    ($revoked:literal) => {
        concat!(
            r#"
verified_on = "2026-11-22"
base_urls = { api = "https://example.test" }

[oauth]
authorize = { at = { base = "api", path = "/authorize" } }
token = { at = { base = "api", path = "/token" }, answer = { subject = "/person" } }
refresh = { class = "rotating_strict" }
revoke = { at = { base = "api", path = "/revoke" }, token = ""#,
            $revoked,
            r#"" }

[redirect.desktop]
schemes = ["http"]

[endpoints.me]
at = { base = "api", path = "/me" }

[accounts]
endpoint = "me"
id = "id"

[account_metrics]
endpoint = "me"
"#
        )
    };
}

const CONFIG: &str = r#"
[platforms.example.apps.default]
kind = "desktop"
client_id = { env = "UNUSED" }
client_secret = { env = "UNUSED" }
scopes = ["read"]
keep_fresh = true

[platforms.example.scopes.read]
product = "API"
description = "Everything"
fields.me = { id = "profile.id", followers = "metric.followers" }
"#;

const DESCRIPTOR: Descriptor = Descriptor { id: PLATFORM, name: "Example", package: env!("CARGO_PKG_NAME") };

/// What hosts are made of.
#[derive(Debug)]
pub(crate) struct Template {
    pub revokes_any_token: Registry,
    pub revokes_live_tokens: Registry,
    pub settings: Settings,
    pub realm: Realm,
    pub base_urls: BaseUrls,
}

impl Template {
    pub(crate) fn new() -> Self {
        let config = Config::of(vec![Layer::embedded("simulation", CONFIG).unwrap()]).unwrap();
        let registry =
            |platform| Registry::new([Registration::new(DESCRIPTOR, platform, ConfiguredConnector::build)]).unwrap();
        let base_urls: BaseUrls = [("api".to_owned(), "https://example.test".parse().unwrap())].into();
        Self {
            revokes_any_token: registry(platform!("refresh")),
            revokes_live_tokens: registry(platform!("access")),
            settings: config.settings,
            realm: realm(&base_urls),
            base_urls,
        }
    }
}

/// A realm that has its credentials in memory: nothing is read from the machine.
fn realm(base_urls: &BaseUrls) -> Realm {
    let app = EmulatedApp {
        name: APP.to_owned(),
        kind: AppKind::Desktop,
        client_id: CLIENT_ID.to_owned(),
        client_secret: Secret::from("hush"),
    };
    let info = EmulatorInfo {
        origin: "https://example.test".parse().unwrap(),
        base_urls: base_urls.clone(),
        apps: vec![app],
        people: Vec::new(),
    };
    Realm::Emulated([(PLATFORM.parse().unwrap(), info)].into())
}
