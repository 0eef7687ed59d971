//! A connector that is data alone.

use std::sync::Arc;

use crate::account::Accounts;
use crate::configured::{ConfiguredAccounts, ConfiguredMetrics};
use crate::connector::Connector;
use crate::metrics::AccountMetrics;
use crate::oauth::{ConfiguredOAuth2, OAuthProvider};
use crate::registry::Platform;

/// A platform of which its `platform.toml` says all there is to say.
///
/// A connector that needs code of its own for one part implements [`Connector`] itself and hands the other parts out of this one.
#[derive(Clone, Debug)]
pub struct ConfiguredConnector {
    oauth: ConfiguredOAuth2,
    accounts: ConfiguredAccounts,
    metrics: Option<ConfiguredMetrics>,
}

impl ConfiguredConnector {
    /// The connector of these facts and this catalogue. Without `[account_metrics]` it offers none.
    pub fn new(platform: &Platform) -> Self {
        Self {
            oauth: ConfiguredOAuth2::new(Arc::clone(&platform.protocol)),
            accounts: ConfiguredAccounts::new(platform),
            metrics: platform.protocol.account_metrics.as_ref().map(|_| ConfiguredMetrics::new(platform)),
        }
    }

    /// The same behind a pointer: the `build` of a [`Registration`](crate::Registration).
    pub fn build(platform: &Platform) -> Arc<dyn Connector> {
        Arc::new(Self::new(platform))
    }
}

impl Connector for ConfiguredConnector {
    fn oauth(&self) -> &dyn OAuthProvider {
        &self.oauth
    }

    fn accounts(&self) -> &dyn Accounts {
        &self.accounts
    }

    fn account_metrics(&self) -> Option<&dyn AccountMetrics> {
        self.metrics.as_ref().map(|metrics| metrics as &dyn AccountMetrics)
    }
}
