//! Codes, grants and tokens: how they come to be and how they end.

use std::collections::BTreeSet;

use connector_core::Secret;
use serde::{Deserialize, Serialize};

use super::state::State;
use super::switches::{RefreshExpiry, RefreshRotation};

/// What a person allowed an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) app: String,
    pub(super) person: String,
    pub(super) scopes: Vec<String>,
    pub(super) created_at: i64,
    pub(super) ended_at: Option<i64>,
    /// How often it was refreshed.
    pub(super) refreshes: u64,
    /// How often a refresh token came that had been replaced.
    pub(super) reuses: u64,
}

/// A code on its way from the browser to the token endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) app: String,
    pub(super) person: String,
    pub(super) scopes: Vec<String>,
    pub(super) redirect_uri: String,
    /// The PKCE challenge, where the app needs one.
    pub(super) challenge: Option<String>,
    pub(super) expires_at: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AccessToken {
    pub(super) grant: u64,
    pub(super) expires_at: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RefreshToken {
    pub(super) grant: u64,
    pub(super) expires_at: i64,
    /// When a refresh put another in its place.
    pub(super) replaced_at: Option<i64>,
}

/// A fresh pair of tokens, in the clear on their way out.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) access: Secret,
    pub(super) refresh: Secret,
}

/// What became of a refresh token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refreshable {
    Yes(u64),
    /// It was replaced before.
    Reused(u64),
    Unknown,
}

impl State {
    /// Opens a grant for what a code stands for. Tokens of earlier grants go on.
    pub(super) fn open_grant(&mut self, code: Code, now: i64) -> u64 {
        let id = self.next_grant;
        self.next_grant += 1;
        let Code { app, person, scopes, .. } = code;
        self.grants.insert(id, Grant { app, person, scopes, created_at: now, ended_at: None, refreshes: 0, reuses: 0 });
        id
    }

    /// Makes the tokens usable.
    pub(super) fn store_pair(&mut self, grant: u64, pair: &Pair, now: i64) {
        self.store_access(grant, &pair.access, now);
        let expires_at = now + i64::from(self.switches.refresh_lifetime_seconds);
        self.refresh_tokens.insert(pair.refresh.digest(), RefreshToken { grant, expires_at, replaced_at: None });
    }

    fn store_access(&mut self, grant: u64, access: &Secret, now: i64) {
        let expires_at = now + i64::from(self.switches.access_lifetime_seconds);
        self.access_tokens.insert(access.digest(), AccessToken { grant, expires_at });
    }

    /// Whether a refresh token can be used.
    pub(super) fn refreshable(&self, token: &Secret, now: i64) -> Refreshable {
        match self.refresh_tokens.get(&token.digest()) {
            Some(row) if row.expires_at <= now => Refreshable::Unknown,
            Some(RefreshToken { grant, replaced_at: Some(at), .. })
                if now - at >= i64::from(self.switches.refresh_grace_seconds) =>
            {
                Refreshable::Reused(*grant)
            }
            Some(row) => Refreshable::Yes(row.grant),
            None => Refreshable::Unknown,
        }
    }

    /// Puts a new pair in the place of a refresh token and gives what is to be answered: with rotation off, the same refresh token.
    pub(super) fn rotate(&mut self, sent: &Secret, grant: u64, fresh: Pair, now: i64) -> Pair {
        let restarted = now + i64::from(self.switches.refresh_lifetime_seconds);
        let sent_until = self.refresh_tokens.get(&sent.digest()).map_or(restarted, |row| row.expires_at);
        let expires_at = match self.switches.refresh_expiry {
            RefreshExpiry::Restart => restarted,
            RefreshExpiry::CountDown => sent_until,
        };
        let refresh = match self.switches.refresh_rotation {
            RefreshRotation::Keep => sent.clone(),
            RefreshRotation::Strict => fresh.refresh,
        };
        self.store_access(grant, &fresh.access, now);
        if let Some(row) = self.refresh_tokens.get_mut(&sent.digest()) {
            row.replaced_at.get_or_insert(now);
        }
        self.refresh_tokens.insert(refresh.digest(), RefreshToken { grant, expires_at, replaced_at: None });
        Pair { access: fresh.access, refresh }
    }

    /// The grant a live access token belongs to.
    pub(super) fn grant_of(&self, access: &str, now: i64) -> Option<(u64, &Grant)> {
        let row = self.access_tokens.get(&Secret::from(access).digest()).filter(|row| row.expires_at > now)?;
        Some((row.grant, self.grants.get(&row.grant)?))
    }

    /// Whether a grant that can still be refreshed covers all these scopes.
    pub(super) fn covers(&self, app: &str, person: &str, scopes: &[String], now: i64) -> bool {
        self.refresh_tokens.values().filter(|row| row.replaced_at.is_none() && row.expires_at > now).any(|row| {
            self.grants.get(&row.grant).is_some_and(|grant| {
                grant.app == app && grant.person == person && scopes.iter().all(|scope| grant.scopes.contains(scope))
            })
        })
    }

    /// Ends everything the person allowed the app: it leaves their list of connected apps. Gives the number of grants that ended.
    pub(super) fn end_grants(&mut self, app: Option<&str>, person: &str, now: i64) -> usize {
        let ours = |grant: &Grant| {
            grant.ended_at.is_none() && grant.person == person && app.is_none_or(|app| grant.app == app)
        };
        let ended: BTreeSet<u64> = self.grants.iter().filter(|(_, grant)| ours(grant)).map(|(id, _)| *id).collect();
        for id in &ended {
            if let Some(grant) = self.grants.get_mut(id) {
                grant.ended_at = Some(now);
            }
        }
        self.access_tokens.retain(|_, row| !ended.contains(&row.grant));
        self.refresh_tokens.retain(|_, row| !ended.contains(&row.grant));
        ended.len()
    }

    /// Takes scopes out of what a person allowed. Gives the number of grants that changed.
    pub(super) fn withdraw(&mut self, app: Option<&str>, person: &str, scopes: &[String]) -> usize {
        let mut changed = 0;
        for grant in self.grants.values_mut() {
            let held = grant.scopes.len();
            if grant.person == person && app.is_none_or(|app| grant.app == app) {
                grant.scopes.retain(|scope| !scopes.contains(scope));
            }
            changed += usize::from(grant.scopes.len() != held);
        }
        changed
    }
}
