//! The one trait a platform implements.

use std::fmt::Debug;

use crate::account::Accounts;
use crate::metrics::AccountMetrics;
use crate::oauth::OAuthProvider;

/// A platform, as the host drives it.
///
/// What every platform has is mandatory. What only some have is one small trait each, behind an accessor whose default, `None`, means
/// that the platform does not offer it. Nothing but accessors is ever added here.
///
/// A connector holds no credentials and no grant: every call gets them.
pub trait Connector: Debug + Send + Sync + 'static {
    /// How a person allows access, and how that access is kept and given up.
    fn oauth(&self) -> &dyn OAuthProvider;

    /// Which accounts a grant reaches.
    fn accounts(&self) -> &dyn Accounts;

    /// Counts of an account.
    fn account_metrics(&self) -> Option<&dyn AccountMetrics> {
        None
    }
}
