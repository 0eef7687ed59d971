use std::sync::Arc;

use connector_core::account::Accounts;
use connector_core::metrics::AccountMetrics;
use connector_core::oauth::{ConfiguredOAuth2, OAuthProvider};
use connector_core::{ConfiguredAccounts, ConfiguredMetrics, Connector, Descriptor, Platform, Registration};

/// What this connector is.
pub const DESCRIPTOR: Descriptor = Descriptor { id: "tiktok", name: "TikTok", package: env!("CARGO_PKG_NAME") };

const REGISTRATION: Registration = Registration::new(DESCRIPTOR, include_str!("../platform.toml"), build);

#[cfg(not(feature = "emulator"))]
inventory::submit! { REGISTRATION }
#[cfg(feature = "emulator")]
inventory::submit! { REGISTRATION.with_emulator(|| Box::new(crate::emulator::TikTokEmulator)) }

/// TikTok. Its `platform.toml` says all there is to say about OAuth, the profile and the counts.
#[derive(Debug)]
pub struct TikTok {
    oauth: ConfiguredOAuth2,
    accounts: ConfiguredAccounts,
    metrics: ConfiguredMetrics,
}

fn build(platform: &Platform) -> Arc<dyn Connector> {
    Arc::new(TikTok {
        oauth: ConfiguredOAuth2::new(Arc::clone(&platform.protocol)),
        accounts: ConfiguredAccounts::new(platform),
        metrics: ConfiguredMetrics::new(platform),
    })
}

impl Connector for TikTok {
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
