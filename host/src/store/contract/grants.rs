//! Grants.

use std::sync::Arc;

use connector_core::scope::{GrantScopes, Granted, GrantedSource, split_scopes};
use tokio::task::JoinSet;

use super::bench::{Bench, TENANT, platform, sealed};
use super::{Check, Outcome};
use crate::store::{
    ConnectionId, GrantId, GrantRecord, GrantState, LinkIntent, RefreshMark, Refreshed, RevocationOutcome, StoreError,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a grant comes back as it was put", run: |bench| Box::pin(comes_back(bench)) },
    Check { name: "a tenant sees its own grants alone", run: |bench| Box::pin(own_alone(bench)) },
    Check { name: "grants whose accounts were not linked are found", run: |bench| Box::pin(unlinked(bench)) },
    Check { name: "a grant is given up unless it is used", run: |bench| Box::pin(given_up(bench)) },
    Check { name: "a refresh replaces all there was", run: |bench| Box::pin(refresh_replaces(bench)) },
    Check { name: "a refresh forgets nothing that was granted", run: |bench| Box::pin(refresh_remembers(bench)) },
    Check { name: "of many refreshes of a generation one is taken", run: |bench| Box::pin(one_refresh(bench)) },
    Check { name: "a refresh of what has moved writes nothing", run: |bench| Box::pin(late_refresh(bench)) },
    Check { name: "of many senders one sets the mark", run: |bench| Box::pin(one_sender(bench)) },
    Check { name: "a mark is replaced by whoever knows it", run: |bench| Box::pin(marks_compare(bench)) },
    Check { name: "a state is set for its generation alone", run: |bench| Box::pin(states_compare(bench)) },
    Check { name: "an access that another grant stands for is known", run: |bench| Box::pin(shared(bench)) },
    Check { name: "what went wrong last is noted and cleared", run: |bench| Box::pin(errors_noted(bench)) },
];

async fn comes_back(bench: Bench) -> Outcome {
    let full = bench.grant()?;
    let mut bare = bench.grant()?;
    (bare.subject, bare.access, bare.refresh, bare.last_error) = (None, None, None, None);
    (bare.access_expires_at, bare.refresh_expires_at) = (None, None);
    bare.scopes = GrantScopes::default();
    bare.state = GrantState::ReauthRequired { reason: "key_lost".to_owned() };
    bare.unlinked = None;
    let mut marked = bench.grant()?;
    let reconnects = Some(ConnectionId::new(&bench.cx)?);
    marked.unlinked = Some(LinkIntent { reference: None, reconnects, other_account_allowed: true });
    marked.refresh_mark = Some(RefreshMark { attempt: "a".to_owned(), sent_at: bench.now(), unanswered: 2 });
    for grant in [full, bare, marked] {
        bench.store.put_grant(&grant).await?;
        assert_eq!(bench.read(&grant).await?, grant);
        let again = bench.store.put_grant(&grant).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    Ok(())
}

async fn own_alone(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    assert_eq!(bench.store.grant("other", &grant.id).await?, None);
    assert_eq!(bench.store.grant(TENANT, &GrantId::new(&bench.cx)?).await?, None);
    Ok(())
}

async fn unlinked(bench: Bench) -> Outcome {
    let mut older = bench.grant()?;
    older.created_at = bench.minutes(-1);
    let newer = bench.stored_grant().await?;
    bench.store.put_grant(&older).await?;
    let mut others = [bench.grant()?, bench.grant()?, bench.grant()?];
    others[0].unlinked = None;
    others[1].state = GrantState::ReauthRequired { reason: "key_lost".to_owned() };
    "other".clone_into(&mut others[2].tenant);
    for other in &others {
        bench.store.put_grant(other).await?;
    }
    assert_eq!(bench.store.unlinked_grants(TENANT).await?, [older, newer]);
    Ok(())
}

async fn given_up(bench: Bench) -> Outcome {
    let (used, _) = bench.linked_one().await?;
    let unused = bench.stored_grant().await?;
    let give_up = |tenant, grant: &GrantRecord, revocation| {
        let (store, id) = (Arc::clone(&bench.store), grant.id.clone());
        async move { store.give_up_grant(tenant, &id, revocation).await }
    };
    assert!(!give_up(TENANT, &used, Some(bench.revocation(&used)?)).await?, "a connection works by it");
    assert!(!give_up("other", &unused, None).await?, "it is another tenant's");
    let mut stale = bench.revocation(&unused)?;
    stale.grant_generation = 0;
    for revocation in [stale, bench.revocation(&used)?] {
        let refused = give_up(TENANT, &unused, Some(revocation)).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    for grant in [&used, &unused] {
        bench.read(grant).await?;
        assert_eq!(bench.store.revocation_of(&grant.id).await?, None);
    }

    let revocation = bench.revocation(&unused)?;
    assert!(give_up(TENANT, &unused, Some(revocation.clone())).await?);
    assert_eq!(bench.store.grant(TENANT, &unused.id).await?, None);
    assert_eq!(bench.store.revocation_of(&unused.id).await?, Some(revocation.clone()));
    assert!(bench.store.finish_revocation(&revocation.id, RevocationOutcome::Revoked, bench.now()).await?);
    let unused = bench.stored_grant().await?;
    assert!(give_up(TENANT, &unused, None).await?);
    assert_eq!(bench.store.revocation_of(&unused.id).await?, None);
    Ok(())
}

fn refreshed(bench: &Bench, name: &str) -> Refreshed {
    Refreshed {
        access: sealed(name),
        access_expires_at: None,
        refresh: Some(sealed(name)),
        refresh_expires_at: Some(bench.minutes(9)),
        scopes: GrantScopes::default(),
        at: bench.minutes(1),
    }
}

async fn refresh_replaces(bench: Bench) -> Outcome {
    let mut grant = bench.grant()?;
    grant.refresh_mark = Some(RefreshMark { attempt: "a".to_owned(), sent_at: bench.now(), unanswered: 0 });
    bench.store.put_grant(&grant).await?;
    let new = refreshed(&bench, "second");
    assert!(bench.store.commit_refresh(&grant.id, 1, &new).await?);
    (grant.access, grant.access_expires_at) = (Some(new.access), new.access_expires_at);
    (grant.refresh, grant.refresh_expires_at) = (new.refresh, new.refresh_expires_at);
    (grant.generation, grant.updated_at) = (2, new.at);
    grant.scopes = GrantScopes { ever_granted: grant.scopes.ever_granted, ..new.scopes };
    (grant.refresh_mark, grant.last_error) = (None, None);
    assert_eq!(bench.read(&grant).await?, grant);
    Ok(())
}

async fn refresh_remembers(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mut scopes = grant.scopes.clone();
    let inherited = ["publish".parse()?].into();
    bench.store.link_accounts(TENANT, &grant.id, &inherited, vec![], bench.now()).await?;
    scopes.observe(Granted::Known { scopes: split_scopes("list"), source: GrantedSource::Token });
    let new = Refreshed { scopes: scopes.clone(), ..refreshed(&bench, "second") };
    assert!(bench.store.commit_refresh(&grant.id, 1, &new).await?);
    scopes.ever_granted.extend(inherited);
    assert_eq!(bench.read(&grant).await?.scopes, scopes);
    Ok(())
}

async fn one_refresh(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mut racers = JoinSet::new();
    for number in 0..50 {
        let (store, id, new) = (Arc::clone(&bench.store), grant.id.clone(), refreshed(&bench, &number.to_string()));
        racers.spawn(async move { store.commit_refresh(&id, 1, &new).await.map(|won| won.then_some(new.access)) });
    }
    let mut winners = Vec::new();
    while let Some(racer) = racers.join_next().await {
        winners.extend(racer??);
    }
    assert_eq!(winners.len(), 1);
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.generation, stored.access), (2, winners.pop()));
    Ok(())
}

async fn late_refresh(bench: Bench) -> Outcome {
    let new = refreshed(&bench, "late");
    let active = bench.stored_grant().await?;
    assert!(!bench.store.commit_refresh(&active.id, 0, &new).await?, "the generation is another");
    assert!(!bench.store.commit_refresh(&active.id, 2, &new).await?, "the generation is another");
    let mut dead = bench.grant()?;
    dead.state = GrantState::ReauthRequired { reason: "refresh_token_rejected".to_owned() };
    bench.store.put_grant(&dead).await?;
    assert!(!bench.store.commit_refresh(&dead.id, 1, &new).await?, "the grant is not active");
    for grant in [active, dead] {
        assert_eq!(bench.read(&grant).await?, grant);
    }
    assert!(!bench.store.commit_refresh(&GrantId::new(&bench.cx)?, 1, &new).await?, "there is no such grant");
    Ok(())
}

async fn one_sender(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mut senders = JoinSet::new();
    for number in 0..50 {
        let (store, id, now) = (Arc::clone(&bench.store), grant.id.clone(), bench.now());
        let mark = RefreshMark { attempt: number.to_string(), sent_at: now, unanswered: 0 };
        senders.spawn(async move { store.swap_refresh_mark(&id, 1, None, Some(mark)).await });
    }
    let mut allowed = 0;
    while let Some(sender) = senders.join_next().await {
        allowed += usize::from(sender??);
    }
    assert_eq!(allowed, 1);
    assert!(bench.read(&grant).await?.refresh_mark.is_some());
    Ok(())
}

async fn marks_compare(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mark =
        |attempt: &str, unanswered| RefreshMark { attempt: attempt.to_owned(), sent_at: bench.now(), unanswered };
    let (sent, probed) = (mark("a", 0), mark("a", 1));
    let swap = |generation, from, to| bench.store.swap_refresh_mark(&grant.id, generation, from, to);
    assert!(!swap(0, None, Some(sent.clone())).await?, "the generation is another");
    assert!(swap(1, None, Some(sent.clone())).await?);
    assert!(!swap(1, None, Some(mark("b", 0))).await?, "it is marked");
    assert!(!swap(1, Some(mark("b", 0)), None).await?, "the mark is another's");
    assert!(swap(1, Some(sent.clone()), Some(probed.clone())).await?);
    assert!(!swap(1, Some(sent), None).await?, "it was probed since");
    assert_eq!(bench.read(&grant).await?.refresh_mark, Some(probed.clone()));
    assert!(swap(1, Some(probed), None).await?);
    assert_eq!(bench.read(&grant).await?, grant);
    Ok(())
}

async fn states_compare(bench: Bench) -> Outcome {
    let mut grant = bench.stored_grant().await?;
    let lost = GrantState::ReauthRequired { reason: "refresh_result_lost".to_owned() };
    let since = bench.minutes(3);
    assert!(!bench.store.set_grant_state(&grant.id, 0, &lost, since).await?);
    assert_eq!(bench.read(&grant).await?, grant);
    for state in [lost, GrantState::Active] {
        assert!(bench.store.set_grant_state(&grant.id, 1, &state, since).await?);
        (grant.state, grant.state_since, grant.updated_at) = (state, since, since);
        assert_eq!(bench.read(&grant).await?, grant);
    }
    for over in [GrantState::Disconnecting, GrantState::Disconnected] {
        let refused = bench.store.set_grant_state(&grant.id, 1, &over, since).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    Ok(())
}

async fn shared(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mut others = [bench.grant()?, bench.grant()?, bench.grant()?];
    others[0].platform = platform("beacon")?;
    "client-2".clone_into(&mut others[1].client_id);
    others[2].subject = Some("-0008".to_owned());
    for other in &others {
        bench.store.put_grant(other).await?;
    }
    let is_shared = || bench.store.is_shared(&grant.id, &grant.platform, "client-1", "-0007");
    assert!(!is_shared().await?, "it is another person's, registration's or platform's");
    let mut same = bench.grant()?;
    "other".clone_into(&mut same.tenant);
    bench.store.put_grant(&same).await?;
    assert!(is_shared().await?, "another tenant's grant stands for the same access");
    let dead = GrantState::ReauthRequired { reason: "key_lost".to_owned() };
    assert!(bench.store.set_grant_state(&same.id, 1, &dead, bench.now()).await?);
    assert!(!is_shared().await?, "it never got a connection, and never will");
    let links = bench.link(&same, vec![bench.account("acct-1")?], bench.now()).await?;
    assert!(is_shared().await?, "its person may come back to the connection");
    let connection = &links.linked.first().ok_or("nothing was linked")?.connection;
    bench.store.disconnect("other", &connection.id, bench.now(), vec![]).await?;
    assert!(!is_shared().await?, "what has ended shares nothing");
    Ok(())
}

async fn errors_noted(bench: Bench) -> Outcome {
    let mut grant = bench.stored_grant().await?;
    for error in [Some(bench.last_error("worse")), None] {
        bench.store.note_grant_error(&grant.id, error.clone()).await?;
        grant.last_error = error;
        assert_eq!(bench.read(&grant).await?, grant);
    }
    Ok(())
}
