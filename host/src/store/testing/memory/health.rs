//! The health of apps in memory.

use connector_core::PlatformId;
use jiff::Timestamp;

use super::State;
use crate::store::{AppHealth, GrantRecord, Settle, Settlement};

type Key = (PlatformId, String, String);

impl State {
    pub(super) fn health_of(&self, grant: &GrantRecord) -> Option<AppHealth> {
        self.health.get(&key(grant)).cloned()
    }

    pub(super) fn set_health(&mut self, grant: &GrantRecord, health: AppHealth) {
        self.health.insert(key(grant), health);
    }

    /// Notes what an attempt says about the app. False means that it says what was known, so that nobody has to be told again.
    pub(super) fn note_health(&mut self, grant: &GrantRecord, settle: &Settle, now: Timestamp) -> bool {
        let known = self.health_of(grant).unwrap_or_else(|| fresh(grant, now));
        let mut news = true;
        let after = match &settle.settlement {
            Settlement::NotSent | Settlement::InDoubt => known.failed(now),
            Settlement::AskedToWait(retry_after) => known.asked_to_wait(*retry_after, now),
            Settlement::AppRefused { credentials } => {
                news = !known.refuses(credentials);
                known.refused(credentials.clone(), now)
            }
            // The platform has looked at the request, so it takes the app.
            Settlement::Refreshed(_)
            | Settlement::Unreadable(_)
            | Settlement::Refused
            | Settlement::Rejected { .. } => {
                self.health.remove(&key(grant));
                return true;
            }
        };
        self.set_health(grant, AppHealth { last_error: settle.error.clone(), ..after });
        news
    }
}

fn fresh(grant: &GrantRecord, now: Timestamp) -> AppHealth {
    AppHealth::new(grant.platform.clone(), grant.app.clone(), grant.client_id.clone(), now)
}

fn key(grant: &GrantRecord) -> Key {
    (grant.platform.clone(), grant.app.clone(), grant.client_id.clone())
}
