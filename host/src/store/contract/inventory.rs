//! The store as a whole.

use std::collections::BTreeMap;

use connector_core::scope::GrantScopes;
use jiff::SignedDuration;

use super::bench::{Bench, TENANT, sealed};
use super::{Check, Outcome};
use crate::store::{Begun, GrantId, GrantRecord, GrantState, Reading, RefreshMark, RefreshTerms};

/// What of a grant decides which connections hold alike, as text.
type Shape = (String, String, String);

pub(super) const CHECKS: &[Check] = &[
    Check { name: "what is in a store is counted", run: |bench| Box::pin(counted(bench)) },
    Check { name: "all tenants are seen", run: |bench| Box::pin(all_tenants(bench)) },
    Check { name: "what live connections hold is read a page at a time", run: |bench| Box::pin(held(bench)) },
    Check { name: "a token may be put in doubt", run: |bench| Box::pin(doubted(bench)) },
    Check { name: "a grant goes on from a later state of it", run: |bench| Box::pin(carried(bench)) },
];

async fn counted(bench: Bench) -> Outcome {
    let empty = bench.store.stock().await?;
    assert!(empty.grants.is_empty() && !empty.kind.is_empty() && empty.schema_step > 0, "{empty:?}");
    assert_eq!((empty.connections, empty.disconnected, empty.samples), (0, 0, 0));
    let (_, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    let (ended, other) = (bench.stored_grant().await?, bench.account("acct-3")?);
    let other = bench.link(&ended, vec![other], bench.now()).await?.linked.remove(0).connection;
    bench.disconnect(TENANT, &other.id, bench.now(), vec![]).await?;
    let values = [("followers".parse()?, 7), ("posts".parse()?, 3)].into();
    let reading = Reading { observed_at: bench.now(), values, missing: BTreeMap::new(), log_id: None };
    bench.store.append_samples(&connections[0].id, &reading).await?;
    let stock = bench.store.stock().await?;
    assert_eq!(stock.grants, [("active".to_owned(), 1), ("disconnected".to_owned(), 1)].into());
    assert_eq!((stock.connections, stock.disconnected, stock.samples), (2, 1, 2));
    Ok(())
}

async fn all_tenants(bench: Bench) -> Outcome {
    let (first, connections) = bench.linked(&["acct-1"]).await?;
    let mut second = bench.grant()?;
    "other".clone_into(&mut second.tenant);
    bench.put_grant(&second).await?;
    let grants: Vec<_> = bench.store.every_grant().await?.into_iter().map(|grant| grant.id).collect();
    assert_eq!(grants, [first.id, second.id]);
    assert_eq!(bench.store.every_connection().await?, connections);
    Ok(())
}

/// How many connections hold what, so many grants a page.
async fn held_by(
    bench: &Bench,
    tenant: Option<&str>,
    grants: u32,
) -> Result<BTreeMap<Shape, u64>, Box<dyn std::error::Error + Send + Sync>> {
    let (mut all, mut after) = (BTreeMap::new(), None);
    loop {
        let page = bench.store.held_scopes(tenant, after.as_ref(), grants).await?;
        assert!(page.held.len() <= grants as usize && page.held.iter().all(|held| held.connections > 0), "{page:?}");
        for held in page.held {
            let shape = (held.platform.to_string(), held.app, format!("{:?}", held.scopes));
            *all.entry(shape).or_insert(0) += held.connections;
        }
        assert!(page.last.is_none() || page.last > after, "every page goes on");
        if page.last.is_none() {
            return Ok(all);
        }
        after = page.last;
    }
}

fn shape(grant: &GrantRecord) -> Shape {
    (grant.platform.to_string(), grant.app.clone(), format!("{:?}", grant.scopes))
}

async fn held(bench: Bench) -> Outcome {
    assert!(held_by(&bench, None, 3).await?.is_empty(), "an empty store holds nothing");
    bench.stored_grant().await?;
    let (two, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    let (one, _) = bench.linked(&["acct-3"]).await?;
    let needy = GrantState::ReauthRequired { reason: "user_revoked".to_owned() };
    assert!(bench.set_state(&one.id, one.generation, &needy, bench.now()).await?);
    let (_, over) = bench.linked(&["acct-4"]).await?;
    bench.disconnect(TENANT, &over[0].id, bench.now(), vec![]).await?;
    let mut other = GrantRecord { tenant: "other".to_owned(), app: "second".to_owned(), ..bench.grant()? };
    other.scopes = GrantScopes::default();
    bench.put_grant(&other).await?;
    bench.link(&other, vec![bench.account("acct-1")?], bench.now()).await?;

    let (alike, other) = (shape(&bench.read(&two).await?), shape(&bench.read(&other).await?));
    assert_eq!(alike, shape(&bench.read(&one).await?));
    let expected = BTreeMap::from([(alike.clone(), 3), (other.clone(), 1)]);
    for grants in [1, 2, 100] {
        assert_eq!(held_by(&bench, None, grants).await?, expected, "{grants} grants a page");
        for (tenant, expected) in
            [(TENANT, &[(alike.clone(), 3)][..]), ("other", &[(other.clone(), 1)]), ("nobody", &[])]
        {
            let expected = expected.iter().cloned().collect();
            assert_eq!(held_by(&bench, Some(tenant), grants).await?, expected, "{tenant}, {grants} grants a page");
        }
    }
    bench.disconnect(TENANT, &connections[0].id, bench.now(), vec![]).await?;
    assert_eq!(held_by(&bench, None, 2).await?, BTreeMap::from([(alike, 2), (other, 1)]), "one of two is disconnected");
    Ok(())
}

async fn doubted(bench: Bench) -> Outcome {
    let quarantine = SignedDuration::from_mins(30);
    let terms = RefreshTerms { quarantine, repeat_within: SignedDuration::ZERO, most_unanswered: Some(2) };
    let grant = bench.stored_grant().await?;
    let audit = || bench.audit("refresh_in_doubt");
    assert!(bench.store.doubt_refresh(&grant.id, SignedDuration::ZERO, &audit()?).await?);
    let begun = bench.begin_with(&grant, "a", terms, "credentials").await?;
    assert!(matches!(begun, Begun::Quarantined(_)), "it rests as after a request: {begun:?}");
    assert!(bench.store.doubt_refresh(&grant.id, SignedDuration::from_hours(1), &audit()?).await?);
    let Begun::Send(sent) = bench.begin_with(&grant, "b", terms, "credentials").await? else {
        return Err("it has rested and may be sent".into());
    };
    assert_eq!(sent.refresh_mark.map(|mark| mark.unanswered), Some(1), "a rejection says that the answer is lost");
    let (ended, connection) = bench.linked_one().await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    assert!(!bench.store.doubt_refresh(&ended.id, SignedDuration::ZERO, &audit()?).await?, "it has no token");
    let held = GrantRecord { state: GrantState::Held { reason: "imported".to_owned() }, ..bench.grant()? };
    bench.put_grant(&held).await?;
    assert!(bench.store.doubt_refresh(&held.id, SignedDuration::ZERO, &audit()?).await?, "it may be adopted");
    let recorded = bench.on_record().await?.into_iter().filter(|(event, _)| event == "refresh_in_doubt").count();
    assert_eq!(recorded, 3, "a doubt is recorded with the change, and nothing that did not happen is");
    Ok(())
}

async fn carried(bench: Bench) -> Outcome {
    let (grant, _) = bench.linked_one().await?;
    let carry = async |grant: &GrantRecord| bench.store.carry_over(grant, &bench.audit("grant_carried_over")?).await;
    let mark = RefreshMark { attempt: None, sent_at: bench.now(), unanswered: 1 };
    let later = GrantRecord {
        access: Some(sealed("access 5")),
        refresh: Some(sealed("refresh 5")),
        generation: 5,
        refresh_mark: Some(mark),
        kept_answer: Some(sealed("answer 5")),
        state: GrantState::ReauthRequired { reason: "refresh_token_rejected".to_owned() },
        state_since: bench.minutes(2),
        updated_at: bench.minutes(2),
        parked_until: Some(bench.minutes(3)),
        last_error: Some(bench.last_error("it was rejected")),
        issued_at: bench.minutes(1),
        ..grant.clone()
    };
    let theirs = GrantRecord { tenant: "other".to_owned(), subject: Some("somebody".to_owned()), ..later.clone() };
    assert!(carry(&theirs).await?);
    let stored = GrantRecord { unlinked: bench.read(&grant).await?.unlinked, ..later.clone() };
    assert_eq!(bench.read(&grant).await?, stored, "whose it is stays");
    let over = GrantRecord { state: GrantState::Disconnected, ..later.clone() };
    let unknown = GrantRecord { id: GrantId::new(&bench.cx)?, ..later.clone() };
    for refused in [&grant, &over, &unknown] {
        assert!(!carry(refused).await?, "{refused:?}");
    }
    assert_eq!(bench.read(&grant).await?, stored, "an older generation changes nothing");
    assert_eq!(bench.on_record().await?.iter().filter(|(event, _)| event == "grant_carried_over").count(), 1);

    let (ended, connection) = bench.linked_one().await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    assert!(!carry(&GrantRecord { generation: 9, ..ended.clone() }).await?, "what was given up stays given up");
    assert_eq!(bench.read(&ended).await?.access, None);
    Ok(())
}
