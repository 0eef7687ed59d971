//! After a store has been put back to an earlier state.
//!
//! A refresh token that rotates is worth one request. What was sent since the backup was made is not in the backup. As far as the store that
//! was there can be read, it knows: its newer tokens and how each grant stands are carried over, and what a person ended or erased stays so.
//! Where nobody knows, a token may be spent without a trace. Such a grant is in doubt, as after a request that was never answered: its next
//! use asks the platform once, and either it works or the grant needs its person.

#[cfg(feature = "sqlite")]
mod carry;
#[cfg(feature = "sqlite")]
mod ended;
#[cfg(feature = "sqlite")]
mod file;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod users_tests;

use std::collections::BTreeMap;

use connector_core::oauth::RefreshClass;
use connector_core::{Context, PlatformId, Registry};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::error::Result;
use crate::store::{AuditRecord, GrantRecord, GrantState, Store};

#[cfg(feature = "sqlite")]
pub use self::carry::Carried;
#[cfg(feature = "sqlite")]
pub use self::file::{Restore, Restored, restore, stores_kept_aside};

/// A grant whose refresh token may be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubted {
    /// The grant, as it was found.
    pub grant: GrantRecord,
    /// Why.
    pub doubt: Doubt,
}

/// Why a refresh token may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The store that was there had later tokens, which do not open.
    Rotated,
    /// The store that was there had sent it.
    Sent,
    /// The store that was there no longer had the grant: its account was connected again.
    Replaced,
    /// Nobody knows what happened since.
    Unknown,
}

impl Doubt {
    /// The reason as one stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Sent => "sent",
            Self::Replaced => "replaced",
            Self::Unknown => "unknown",
        }
    }
}

/// Puts every grant in doubt whose refresh token rotates and was there at a time. For a database that was put back to its state of that
/// time by other means than [`restore`](fn@restore).
///
/// # Errors
/// When the store cannot be read or written, or is another instance's.
pub async fn doubt_after_restore(
    cx: &Context,
    registry: &Registry,
    store: &dyn Store,
    since: Timestamp,
) -> Result<Vec<Doubted>> {
    store.check_ours().await?;
    // Some may have been ended since, and nobody knows which.
    store.prune_sessions(Timestamp::MAX, Timestamp::MAX).await?;
    let rotating = Rotating::of(registry);
    let grants = store.every_grant().await?.into_iter().filter(|grant| grant.issued_at <= since);
    let suspects: Vec<_> = grants
        .filter(|grant| rotating.is_at_stake(grant))
        .map(|grant| Doubted { grant, doubt: Doubt::Unknown })
        .collect();
    // Others may be using the store, so the tokens rest first.
    put_in_doubt(cx, store, suspects, SignedDuration::ZERO).await
}

/// Notes each doubt. Those that somebody else has settled meanwhile are not in the result.
async fn put_in_doubt(
    cx: &Context,
    store: &dyn Store,
    suspects: Vec<Doubted>,
    ago: SignedDuration,
) -> Result<Vec<Doubted>> {
    let mut doubted = Vec::new();
    for suspect in suspects {
        let Doubted { grant, doubt } = &suspect;
        let detail = json!({ "generation": grant.generation, "because": "restored", "doubt": doubt.as_str() });
        let record = audit(cx, &grant.tenant, "refresh_in_doubt", &detail)?.of_grant(&grant.id);
        if store.doubt_refresh(&grant.id, ago, &record).await? {
            doubted.push(suspect);
        }
    }
    Ok(doubted)
}

fn audit(cx: &Context, tenant: &str, event: &str, detail: &serde_json::Value) -> Result<AuditRecord> {
    Ok(AuditRecord::new(cx, tenant, event)?.with(detail))
}

/// On which platforms a refresh token is used once.
#[derive(Debug)]
struct Rotating(BTreeMap<PlatformId, bool>);

impl Rotating {
    fn of(registry: &Registry) -> Self {
        let rotates = |class| matches!(class, RefreshClass::RotatingStrict | RefreshClass::RotatingGrace { .. });
        let known = registry.iter().map(|linked| {
            let class = linked.build(std::sync::Arc::default()).oauth().refresh_class();
            (linked.id().clone(), rotates(class))
        });
        Self(known.collect())
    }

    /// Whether the grant could be lost by one request too many, now or once it is adopted. A platform that is not linked is taken for one
    /// where it could.
    fn is_at_stake(&self, grant: &GrantRecord) -> bool {
        let rotates = self.0.get(&grant.platform).copied().unwrap_or(true);
        rotates && matches!(grant.state, GrantState::Active | GrantState::Held { .. }) && grant.refresh.is_some()
    }
}
