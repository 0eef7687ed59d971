//! What is the same in every schedule: the connector and its configuration.

use connector_core::Registry;
use connector_core::config::Settings;
use connector_host::Realm;
use connector_host::testing::Example;

/// What hosts are made of.
#[derive(Debug)]
pub(crate) struct Template {
    pub example: Example,
    pub revokes_any_token: Registry,
    pub revokes_live_tokens: Registry,
    pub settings: Settings,
    pub realm: Realm,
}

impl Template {
    pub(crate) fn new() -> Self {
        let example = Example { keep_fresh: true, ..Example::default() };
        let registry = |token| Example { revoke: Some(token), ..example.clone() }.registry().unwrap();
        Self {
            revokes_any_token: registry("refresh"),
            revokes_live_tokens: registry("access"),
            settings: example.settings().unwrap(),
            realm: example.realm().unwrap(),
            example,
        }
    }
}
