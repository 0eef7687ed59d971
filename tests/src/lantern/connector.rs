use std::sync::Arc;

use connector_core::account::Accounts;
use connector_core::metrics::AccountMetrics;
use connector_core::oauth::{ConfiguredOAuth2, OAuthProvider};
use connector_core::{ConfiguredAccounts, ConfiguredMetrics, Connector, Descriptor, Platform, Registration};

use super::LanternEmulator;

/// What this connector is.
pub const DESCRIPTOR: Descriptor = Descriptor { id: "lantern", name: "Lantern", package: env!("CARGO_PKG_NAME") };

inventory::submit! {
    Registration::new(DESCRIPTOR, include_str!("../../lantern/platform.toml"), build).with_emulator(|| Box::new(LanternEmulator))
}

/// Lantern. Its `platform.toml` says all there is to say.
#[derive(Debug)]
pub struct Lantern {
    oauth: ConfiguredOAuth2,
    accounts: ConfiguredAccounts,
    metrics: ConfiguredMetrics,
}

fn build(platform: &Platform) -> Arc<dyn Connector> {
    Arc::new(Lantern {
        oauth: ConfiguredOAuth2::new(Arc::clone(&platform.protocol)),
        accounts: ConfiguredAccounts::new(platform),
        metrics: ConfiguredMetrics::new(platform),
    })
}

impl Connector for Lantern {
    fn oauth(&self) -> &dyn OAuthProvider {
        &self.oauth
    }

    fn accounts(&self) -> &dyn Accounts {
        &self.accounts
    }

    fn account_metrics(&self) -> Option<&dyn AccountMetrics> {
        Some(&self.metrics)
    }
}
