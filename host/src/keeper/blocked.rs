//! The apps that nothing more is asked for in a pass: each of their grants would only be told the same.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use connector_core::grant::BaseUrls;
use connector_core::{ErrorKind, PlatformId};

use super::Kept;
use crate::error::Error;
use crate::host::Host;
use crate::store::{AppHealth, GrantRecord};

/// What the grants of these apps come to.
#[derive(Default)]
pub(super) struct Blocked(Mutex<BTreeMap<Registration, Kept>>);

/// Where a grant was made: platform, app, client id, addresses. Under another configuration the app is asked for again.
type Registration = (u64, PlatformId, String, String, BaseUrls);

impl Blocked {
    /// What a grant comes to, if its app is one of them.
    pub(super) fn get(&self, host: &Host, grant: &GrantRecord) -> Option<Kept> {
        // A kept answer is read without asking anybody.
        let apps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        apps.get(&registration(host, grant)).copied().filter(|_| grant.kept_answer.is_none())
    }

    /// Nothing more is asked for the app of this grant. False if that was known.
    pub(super) fn add(&self, host: &Host, grant: &GrantRecord, kept: Kept) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(registration(host, grant), kept).is_none()
    }

    /// Finds out whether an error is the app's.
    pub(super) async fn learn(&self, host: &Host, grant: &GrantRecord, error: &Error) {
        let Ok(all) = host.store().app_health().await else { return };
        let now = host.context().now();
        let of_grant = |health: &&AppHealth| {
            (&health.platform, &health.app, &health.client_id) == (&grant.platform, &grant.app, &grant.client_id)
        };
        let found = all.iter().find(of_grant);
        let Some(health) = found.filter(|health| health.next_try_at.is_some_and(|at| at > now)) else { return };
        if let Some(kept) = outcome(health, error) {
            self.add(host, grant, kept);
        }
    }
}

fn outcome(health: &AppHealth, error: &Error) -> Option<Kept> {
    match error.kind()? {
        _ if error.is_not_ours() || error.is_about_keys() => None,
        ErrorKind::Config if health.refused_credentials.is_some() => Some(Kept::AppRefused),
        ErrorKind::Unavailable if health.is_down() => Some(Kept::OutOfReach),
        ErrorKind::RateLimited { .. } => Some(Kept::Resting),
        _ => None,
    }
}

fn registration(host: &Host, grant: &GrantRecord) -> Registration {
    (host.revision(), grant.platform.clone(), grant.app.clone(), grant.client_id.clone(), grant.base_urls.clone())
}
