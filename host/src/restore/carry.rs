//! What the store that was there knows of the grants of a backup.

use std::cmp::Ordering;
use std::collections::HashMap;

use connector_core::Context;
use serde_json::json;

use super::{Doubt, Doubted, Rotating, audit};
use crate::error::Result;
use crate::store::{GrantId, GrantRecord, GrantState, Store};
use crate::tokens::Place;
use crate::vault::{KEY_LOST, Vault, field};

/// Every grant of a store by its id.
pub(super) type Grants = HashMap<GrantId, GrantRecord>;

/// A grant that goes on from where it was in the store that was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The grant, as it is now.
    pub grant: GrantRecord,
    /// Whether its tokens are newer than those of the backup.
    pub newer_tokens: bool,
}

/// A grant of a backup, and what is known of it since.
struct Judged {
    before: GrantRecord,
    /// As it is to stand now.
    now: GrantRecord,
    doubt: Option<Doubt>,
}

/// Brings the grants of a restored store to where they were in the one that was there, if that is known. Gives those it changed, and those
/// whose refresh tokens may be spent all the same.
pub(super) async fn carry_over(
    cx: &Context,
    restored: &dyn Store,
    before: Option<&Grants>,
    vault: &Vault,
    rotating: &Rotating,
) -> Result<(Vec<Carried>, Vec<Doubted>)> {
    let live = restored.every_grant().await?.into_iter().filter(|grant| !grant.state.is_over());
    let judged: Vec<Judged> = live.map(|grant| judge(grant, before, vault)).collect();
    // A store that is behind its backup in one grant cannot tell of any other what happened after the backup was made.
    let nobody_knows = judged.iter().any(|judged| judged.doubt == Some(Doubt::Unknown));
    let (mut carried, mut doubted) = (Vec::new(), Vec::new());
    for Judged { before, now, doubt } in judged {
        let doubt = doubt.or(nobody_knows.then_some(Doubt::Unknown));
        if let Some(doubt) = doubt.filter(|_| rotating.is_at_stake(&now)) {
            doubted.push(Doubted { grant: now.clone(), doubt });
        }
        if now == before {
            continue;
        }
        let detail = json!({ "because": "restored", "generation": now.generation, "state": now.state.as_str() });
        let record = audit(cx, &now.tenant, "grant_carried_over", &detail)?.of_grant(&now.id);
        if restored.carry_over(&now, &record).await? {
            carried.push(Carried { newer_tokens: now.generation > before.generation, grant: now });
        }
    }
    Ok((carried, doubted))
}

fn judge(grant: GrantRecord, before: Option<&Grants>, vault: &Vault) -> Judged {
    let (now, doubt) = match before {
        None => (grant.clone(), Some(Doubt::Unknown)),
        Some(before) => match before.get(&grant.id).filter(|later| !later.state.is_over()) {
            None => (grant.clone(), Some(Doubt::Replaced)),
            Some(later) => since(&grant, later, vault),
        },
    };
    Judged { before: grant, now, doubt }
}

/// How a grant is to stand that the store that was there has as well, and why its token may be spent.
fn since(grant: &GrantRecord, later: &GrantRecord, vault: &Vault) -> (GrantRecord, Option<Doubt>) {
    let sent = later.refresh_mark != grant.refresh_mark || later.kept_answer != grant.kept_answer;
    match later.generation.cmp(&grant.generation) {
        Ordering::Less => (grant.clone(), Some(Doubt::Unknown)),
        Ordering::Equal => {
            let kept_answer = later.kept_answer.clone().filter(|_| opens(later, vault));
            let now = in_latest_state(grant, later);
            let kept_answer = now.kept_answer.clone().or(kept_answer);
            (GrantRecord { kept_answer, ..now }, sent.then_some(Doubt::Sent))
        }
        Ordering::Greater if opens(later, vault) => {
            let unlinked = grant.unlinked.clone();
            (GrantRecord { unlinked, ..later.clone() }, later.refresh_mark.is_some().then_some(Doubt::Sent))
        }
        Ordering::Greater => (in_latest_state(grant, later), Some(Doubt::Rotated)),
    }
}

/// The grant in the state it was in last. That somebody else has its tokens, or that its person is needed, is never forgotten, whatever the
/// clocks say; but keys that were missing are there again.
fn in_latest_state(grant: &GrantRecord, later: &GrantRecord) -> GrantRecord {
    let older = later.state == GrantState::Active && later.state_since < grant.state_since;
    let key_lost = later.state == GrantState::ReauthRequired { reason: KEY_LOST.to_owned() };
    if older || key_lost || later.state == grant.state {
        return grant.clone();
    }
    GrantRecord {
        state: later.state.clone(),
        state_since: later.state_since,
        last_error: later.last_error.clone(),
        updated_at: later.updated_at,
        ..grant.clone()
    }
}

/// Whether all that a grant has sealed opens with these keys.
fn opens(grant: &GrantRecord, vault: &Vault) -> bool {
    let place = Place::of_grant(&grant.tenant, &grant.id, grant.generation);
    let sealed =
        [(field::ACCESS, &grant.access), (field::REFRESH, &grant.refresh), (field::ANSWER, &grant.kept_answer)];
    let mut sealed = sealed.into_iter().filter_map(|(name, sealed)| Some((name, sealed.as_ref()?)));
    sealed.all(|(name, sealed)| vault.open(&place.field(name), sealed).is_ok())
}
