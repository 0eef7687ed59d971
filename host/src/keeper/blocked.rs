//! The apps that nothing more is asked for in a pass: each of their grants would only be told to wait.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use connector_core::{ErrorKind, PlatformId};

use super::Kept;
use crate::error::Error;
use crate::host::Host;
use crate::store::{AppHealth, GrantRecord};

/// What the grants of these apps come to.
#[derive(Default)]
pub(super) struct Blocked(Mutex<HashMap<(PlatformId, String), Kept>>);

impl Blocked {
    /// What a grant comes to, if its app is one of them.
    pub(super) fn get(&self, grant: &GrantRecord) -> Option<Kept> {
        // A kept answer is read without asking anybody.
        let apps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        apps.get(&app(grant)).copied().filter(|_| grant.kept_answer.is_none())
    }

    /// Finds out whether an error is the app's.
    pub(super) async fn learn(&self, host: &Host, grant: &GrantRecord, error: &Error) {
        let Ok(all) = host.store().app_health().await else { return };
        let now = host.context().now();
        let found = all.iter().find(|health| health.platform == grant.platform && health.app == grant.app);
        let Some(health) = found.filter(|health| health.next_try_at.is_some_and(|at| at > now)) else { return };
        if let Some(kept) = outcome(health, error) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(app(grant), kept);
        }
    }
}

fn outcome(health: &AppHealth, error: &Error) -> Option<Kept> {
    match error.kind()? {
        ErrorKind::Config if health.refused_credentials.is_some() => Some(Kept::AppRefused),
        ErrorKind::Unavailable if health.is_down() => Some(Kept::OutOfReach),
        ErrorKind::RateLimited { .. } => Some(Kept::Resting),
        _ => None,
    }
}

fn app(grant: &GrantRecord) -> (PlatformId, String) {
    (grant.platform.clone(), grant.app.clone())
}
