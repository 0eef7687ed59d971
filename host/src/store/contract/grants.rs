//! Grants.

use std::error::Error;
use std::sync::Arc;

use connector_core::scope::{GrantScopes, Granted, split_scopes};

use super::bench::{Bench, TENANT, platform, sealed};
use super::{Check, Outcome};
use crate::store::{
    ConnectionId, GrantId, GrantRecord, GrantState, LinkIntent, NewRevocation, RefreshMark, RevocationOutcome,
    RevocationRecord, StateChange, StoreError,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a grant comes back as it was put", run: |bench| Box::pin(comes_back(bench)) },
    Check { name: "a tenant sees its own grants alone", run: |bench| Box::pin(own_alone(bench)) },
    Check { name: "grants whose accounts were not linked are found", run: |bench| Box::pin(unlinked(bench)) },
    Check { name: "grants are found by what they need their person for", run: |bench| Box::pin(needing(bench)) },
    Check { name: "a grant is given up unless it is used", run: |bench| Box::pin(given_up(bench)) },
    Check { name: "a state is changed by whoever saw it", run: |bench| Box::pin(state_seen(bench)) },
    Check { name: "a state is set for its generation alone", run: |bench| Box::pin(states_compare(bench)) },
    Check { name: "a grant whose token may be spent is not held", run: |bench| Box::pin(doubt_is_not_held(bench)) },
    Check { name: "an access that another grant stands for is known", run: |bench| Box::pin(shared(bench)) },
    Check {
        name: "of a grant without a subject its accounts say whose it is",
        run: |bench| Box::pin(shared_without_subject(bench)),
    },
    Check { name: "what the latest flow of an app asked for is found", run: |bench| Box::pin(last_requested(bench)) },
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
    marked.refresh_mark = Some(RefreshMark { attempt: Some("a".to_owned()), sent_at: bench.now(), unanswered: 2 });
    let mut doubtful = bench.grant()?;
    doubtful.refresh_mark = Some(RefreshMark { attempt: None, sent_at: bench.now(), unanswered: 1 });
    (doubtful.parked_until, doubtful.kept_answer) = (Some(bench.minutes(3)), Some(sealed("answer")));
    doubtful.state = GrantState::Held { reason: "imported".to_owned() };
    for grant in [full, bare, marked, doubtful] {
        bench.put_grant(&grant).await?;
        assert_eq!(bench.read(&grant).await?, grant);
        let again = bench.put_grant(&grant).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    Ok(())
}

async fn last_requested(bench: Bench) -> Outcome {
    let flow = |app: &str, client: &str, asked: &str, minutes| -> Result<GrantRecord, Box<dyn Error + Send + Sync>> {
        let mut grant = bench.grant()?;
        (grant.app, grant.client_id, grant.created_at) = (app.to_owned(), client.to_owned(), bench.minutes(minutes));
        grant.scopes = GrantScopes::of_flow(split_scopes(asked), Granted::Unknown);
        Ok(grant)
    };
    let place = bench.grant()?.platform;
    let last = async |app, client| bench.store.last_requested(&place, app, client).await;
    assert_eq!(last("a", "c").await?, None);
    for (app, client, asked, minutes) in [
        ("a", "c", "old", 1),
        ("a", "c", "latest one", 2),
        ("a", "c", "", 3),
        ("a", "d", "sandbox", 4),
        ("b", "c", "b", 5),
    ] {
        bench.put_grant(&flow(app, client, asked, minutes)?).await?;
    }
    assert_eq!(last("a", "c").await?, Some(split_scopes("latest one")), "one that was imported says nothing");
    assert_eq!(last("a", "d").await?, Some(split_scopes("sandbox")), "another registration holds other scopes");
    assert_eq!(last("a", "e").await?, None);
    let elsewhere = platform("elsewhere")?;
    assert_eq!(bench.store.last_requested(&elsewhere, "a", "c").await?, None);
    Ok(())
}

async fn own_alone(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    assert_eq!(bench.store.own_grant(TENANT, &grant.id).await?, bench.store.grant(TENANT, &grant.id).await?);
    assert_eq!(bench.store.own_grant("other", &grant.id).await?, None);
    assert_eq!(bench.store.grant("other", &grant.id).await?, None);
    assert_eq!(bench.store.grant(TENANT, &GrantId::new(&bench.cx)?).await?, None);
    Ok(())
}

async fn unlinked(bench: Bench) -> Outcome {
    let mut older = bench.grant()?;
    older.created_at = bench.minutes(-1);
    bench.put_grant(&older).await?;
    let newer = bench.stored_grant().await?;
    let mut others = [bench.grant()?, bench.grant()?, bench.grant()?];
    others[0].unlinked = None;
    others[1].state = GrantState::ReauthRequired { reason: "key_lost".to_owned() };
    "other".clone_into(&mut others[2].tenant);
    for other in &others {
        bench.put_grant(other).await?;
    }
    assert_eq!(bench.store.unlinked_grants(TENANT).await?, [older.clone(), newer.clone()]);
    let [_, dead, _] = others;
    assert_eq!(bench.store.waiting_grants(TENANT).await?, [older, newer, dead]);
    Ok(())
}

async fn needing(bench: Bench) -> Outcome {
    let state = |reason: &str| GrantState::ReauthRequired { reason: reason.to_owned() };
    let mut found = [bench.grant()?, bench.grant()?];
    "other".clone_into(&mut found[1].tenant);
    let mut others = [bench.grant()?, bench.grant()?, bench.grant()?];
    (others[1].state, others[2].state) = (state("user_revoked"), state("key_lost"));
    (others[2].access, others[2].refresh) = (None, None);
    for grant in &mut found {
        grant.state = state("key_lost");
    }
    for grant in found.iter().chain(&others) {
        bench.put_grant(grant).await?;
    }
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(bench.store.grants_needing("key_lost").await?, found);
    Ok(())
}

async fn given_up(bench: Bench) -> Outcome {
    let (used, _) = bench.linked_one().await?;
    let unused = bench.stored_grant().await?;
    let give_up = |tenant, grant: &GrantRecord, revocation: Option<RevocationRecord>| {
        let revocation = revocation.map(|record| NewRevocation { record, mark: None });
        let (store, id, audit) = (Arc::clone(&bench.store), grant.id.clone(), bench.audit("access_given_up"));
        async move { store.give_up_grant(tenant, &id, revocation, &audit?).await }
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
    assert!(bench.finish(&revocation, RevocationOutcome::Revoked, bench.now()).await?);
    let unused = bench.stored_grant().await?;
    assert!(give_up(TENANT, &unused, None).await?);
    assert_eq!(bench.store.revocation_of(&unused.id).await?, None);
    Ok(())
}

/// Generations count token sets. A grant that its platform has rejected is of the same one.
async fn state_seen(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let held = GrantState::Held { reason: "imported".to_owned() };
    let dead = |reason: &str| GrantState::ReauthRequired { reason: reason.to_owned() };
    assert!(bench.set_state(&grant.id, 1, &dead("refresh_token_rejected"), bench.now()).await?);
    let stored = bench.read(&grant).await?;
    for (seen, state) in [
        (held.clone(), GrantState::Active),
        (GrantState::Active, held),
        (dead("key_lost"), GrantState::Active),
        (GrantState::Active, dead("key_lost")),
    ] {
        let audit = bench.audit("state_changed")?.of_grant(&grant.id);
        let change =
            StateChange { grant: grant.id.clone(), generation: 1, seen, state, since: bench.minutes(1), audit };
        assert!(!bench.store.set_grant_state(&change).await?, "{change:?}");
    }
    assert_eq!(bench.read(&grant).await?, stored);
    assert_eq!(bench.on_record().await?.len(), 2, "what did not happen is not on record");
    Ok(())
}

async fn states_compare(bench: Bench) -> Outcome {
    let mut grant = bench.stored_grant().await?;
    let lost = GrantState::ReauthRequired { reason: "refresh_result_lost".to_owned() };
    let since = bench.minutes(3);
    assert!(!bench.set_state(&grant.id, 0, &lost, since).await?);
    assert_eq!(bench.read(&grant).await?, grant);
    for state in [lost, GrantState::Active] {
        assert!(bench.set_state(&grant.id, 1, &state, since).await?);
        (grant.state, grant.state_since, grant.updated_at) = (state, since, since);
        assert_eq!(bench.read(&grant).await?, grant);
    }
    for over in [GrantState::Disconnecting, GrantState::Disconnected] {
        let refused = bench.set_state(&grant.id, 1, &over, since).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    Ok(())
}

async fn doubt_is_not_held(bench: Bench) -> Outcome {
    let mut grant = bench.grant()?;
    grant.refresh_mark = Some(RefreshMark { attempt: None, sent_at: bench.now(), unanswered: 1 });
    bench.put_grant(&grant).await?;
    let held = GrantState::Held { reason: "exported".to_owned() };
    assert!(!bench.set_state(&grant.id, 1, &held, bench.now()).await?, "its tokens may be of no use to anybody");
    assert_eq!(bench.read(&grant).await?, grant);
    let sure = bench.stored_grant().await?;
    assert!(bench.set_state(&sure.id, 1, &held, bench.now()).await?);
    assert_eq!(bench.read(&sure).await?.state, held);
    Ok(())
}

async fn shared(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mut others = [bench.grant()?, bench.grant()?, bench.grant()?];
    others[0].platform = platform("beacon")?;
    "client-2".clone_into(&mut others[1].client_id);
    others[2].subject = Some("-0008".to_owned());
    for other in &others {
        bench.put_grant(other).await?;
    }
    let is_shared = || bench.store.is_shared(&grant.id, &grant.platform, "client-1", Some("-0007"));
    assert!(!is_shared().await?, "it is another person's, registration's or platform's");
    let mut same = bench.grant()?;
    "other".clone_into(&mut same.tenant);
    bench.put_grant(&same).await?;
    assert!(is_shared().await?, "another tenant's grant stands for the same access");
    let dead = GrantState::ReauthRequired { reason: "key_lost".to_owned() };
    assert!(bench.set_state(&same.id, 1, &dead, bench.now()).await?);
    assert!(!is_shared().await?, "it never got a connection, and never will");
    let links = bench.link(&same, vec![bench.account("acct-1")?], bench.now()).await?;
    assert!(is_shared().await?, "its person may come back to the connection");
    let connection = &links.linked.first().ok_or("nothing was linked")?.connection;
    bench.disconnect("other", &connection.id, bench.now(), vec![]).await?;
    assert!(!is_shared().await?, "what has ended shares nothing");
    let mut nameless = bench.grant()?;
    nameless.subject = None;
    bench.put_grant(&nameless).await?;
    bench.link(&nameless, vec![bench.account("acct-1")?], bench.now()).await?;
    assert!(!is_shared().await?, "nobody knows whose it is");
    bench.link(&nameless, vec![bench.account("-0007")?], bench.now()).await?;
    assert!(is_shared().await?, "its account is the person's");
    Ok(())
}

async fn shared_without_subject(bench: Bench) -> Outcome {
    let nameless = GrantRecord { subject: None, ..bench.grant()? };
    bench.put_grant(&nameless).await?;
    let is_shared = async |grant: &GrantRecord, subject: Option<&str>| {
        bench.store.is_shared(&grant.id, &grant.platform, "client-1", subject).await
    };
    assert!(!is_shared(&nameless, None).await?, "there is no other grant");
    let named = bench.stored_grant().await?;
    let linked = bench.link(&named, vec![bench.account("acct-1")?], bench.now()).await?.linked;
    assert!(is_shared(&nameless, None).await?, "nobody knows whose it is, so it may be the other's");
    assert!(is_shared(&nameless, Some("acct-1")).await?, "the other works by this account");
    assert!(!is_shared(&nameless, Some("acct-2")).await?);

    let accounts = [bench.account("acct-2")?, bench.account("acct-3")?];
    let own = bench.link(&nameless, accounts.to_vec(), bench.now()).await?.linked;
    assert!(!is_shared(&nameless, None).await?, "its accounts say whose it is");
    for connection in own.iter().map(|linked| &linked.connection) {
        bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    }
    assert!(!is_shared(&nameless, None).await?, "they still do");
    let elsewhere = GrantRecord { tenant: "other".to_owned(), subject: None, ..bench.grant()? };
    bench.put_grant(&elsewhere).await?;
    bench.link(&elsewhere, vec![bench.account("acct-3")?], bench.now()).await?;
    assert!(is_shared(&nameless, None).await?, "each of them counts");
    assert!(is_shared(&nameless, Some("acct-2")).await?, "also beside the one that was named");

    bench.disconnect(TENANT, &linked[0].connection.id, bench.now(), vec![]).await?;
    let gone = bench.grant()?;
    assert!(is_shared(&gone, None).await?, "of a grant that is gone nothing is known");
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
