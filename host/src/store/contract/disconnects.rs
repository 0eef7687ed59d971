//! Disconnecting.

use super::bench::{Bench, TENANT, platform};
use super::refreshes::RESTFUL;
use super::{Check, Outcome};
use crate::store::{
    Begun, ConnectionId, ConnectionState, Disconnection, GrantState, LinkIntent, NewRevocation, RevocationOutcome,
    StoreError,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "the last connection ends its grant", run: |bench| Box::pin(last_ends_grant(bench)) },
    Check { name: "one of two connections leaves the grant alone", run: |bench| Box::pin(grant_goes_on(bench)) },
    Check { name: "disconnecting twice is disconnecting once", run: |bench| Box::pin(twice(bench)) },
    Check { name: "a revocation of older tokens is refused", run: |bench| Box::pin(stale_revocation(bench)) },
    Check {
        name: "a revocation that knows less of a refresh is refused",
        run: |bench| Box::pin(sent_meanwhile(bench)),
    },
    Check { name: "a grant that waits does not undo a disconnect", run: |bench| Box::pin(waiting_ends(bench)) },
    Check { name: "a disconnect of one account leaves no grant waiting", run: |bench| Box::pin(waiting_of_one(bench)) },
    Check { name: "a revocation of another grant is refused", run: |bench| Box::pin(stray_revocation(bench)) },
    Check { name: "what does not exist cannot be disconnected", run: |bench| Box::pin(unknown(bench)) },
    Check { name: "connecting again does not wait for a revocation", run: |bench| Box::pin(outlived(bench)) },
];

async fn last_ends_grant(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    let revocation = bench.revocation(&grant)?;
    let at = bench.minutes(5);
    let done = bench.disconnect(TENANT, &connection.id, at, vec![revocation.clone()]).await?;
    assert_eq!(done, Disconnection::GrantEnded);
    let stored = bench.store.connection(TENANT, &connection.id).await?.ok_or("the connection is gone")?;
    assert_eq!(stored.state(), ConnectionState::Disconnecting);
    assert_eq!(stored.connection.disconnected_at, Some(at));
    assert_eq!((stored.grant.access, stored.grant.refresh), (None, None), "the tokens must be gone");
    assert_eq!((stored.grant.generation, stored.grant.state_since), (2, at));
    assert_eq!(bench.store.revocation_of(&grant.id).await?, Some(revocation));
    Ok(())
}

async fn grant_goes_on(bench: Bench) -> Outcome {
    let (grant, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    let [first, second] = connections.as_slice() else { return Err("two accounts should be linked".into()) };
    let revocation = bench.revocation(&grant)?;
    let done = bench.disconnect(TENANT, &first.id, bench.now(), vec![revocation.clone()]).await?;
    assert_eq!(done, Disconnection::GrantGoesOn);
    assert_eq!(bench.store.revocation_of(&grant.id).await?, None, "the grant is still in use");
    let stored = bench.store.connection(TENANT, &first.id).await?.ok_or("the connection is gone")?;
    assert_eq!((stored.state(), stored.grant.state), (ConnectionState::Disconnected, GrantState::Active));
    assert_eq!(stored.grant.access, grant.access);
    let done = bench.disconnect(TENANT, &second.id, bench.now(), vec![revocation]).await?;
    assert_eq!(done, Disconnection::GrantEnded);
    Ok(())
}

async fn twice(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    assert_eq!(bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?, Disconnection::GrantEnded);
    let before = bench.store.connection(TENANT, &connection.id).await?;
    assert_eq!(before.as_ref().map(crate::store::Connected::state), Some(ConnectionState::Disconnected));
    let again = bench.disconnect(TENANT, &connection.id, bench.minutes(1), vec![]).await?;
    assert_eq!(again, Disconnection::Already);
    assert_eq!(bench.store.connection(TENANT, &connection.id).await?, before);
    Ok(())
}

async fn stale_revocation(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    let before = bench.store.connection(TENANT, &connection.id).await?;
    let mut revocation = bench.revocation(&grant)?;
    revocation.grant_generation = 0;
    let refused = bench.disconnect(TENANT, &connection.id, bench.minutes(1), vec![revocation]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(bench.store.connection(TENANT, &connection.id).await?, before, "nothing may have changed");
    assert_eq!(bench.store.revocation_of(&grant.id).await?, None);
    Ok(())
}

async fn sent_meanwhile(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    let (seen, unused) = (bench.revocation(&grant)?, bench.stored_grant().await?);
    for grant in [&grant, &unused] {
        assert!(matches!(bench.begin(grant, "a", RESTFUL).await?, Begun::Send(_)));
    }
    let refused = bench.disconnect(TENANT, &connection.id, bench.now(), vec![seen.clone()]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let audit = bench.audit("access_given_up")?;
    let give_up = |new| bench.store.give_up_grant(TENANT, &unused.id, Some(new), &audit);
    let record = bench.revocation(&unused)?;
    let refused = give_up(NewRevocation { record: record.clone(), mark: None }).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");

    let mark = bench.read(&unused).await?.refresh_mark;
    assert!(give_up(NewRevocation { record, mark }).await?);
    let mark = bench.read(&grant).await?.refresh_mark;
    let known = vec![NewRevocation { record: seen, mark }];
    let done = bench.disconnect_with(TENANT, &connection.id, bench.now(), known).await?;
    assert_eq!(done, Disconnection::GrantEnded);
    Ok(())
}

async fn waiting_ends(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    let same_person = bench.stored_grant().await?;
    let mut same_connection = bench.grant()?;
    same_connection.subject = None;
    let reconnects = Some(connection.id.clone());
    same_connection.unlinked = Some(LinkIntent { reconnects, ..LinkIntent::default() });
    let mut dead = bench.grant()?;
    dead.state = GrantState::ReauthRequired { reason: "key_lost".to_owned() };
    let mut others = [bench.grant()?, bench.grant()?, bench.grant()?, bench.grant()?, bench.grant()?];
    others[0].subject = Some("-0008".to_owned());
    others[1].subject = None;
    "other".clone_into(&mut others[2].tenant);
    "second".clone_into(&mut others[3].app);
    others[4].platform = platform("beacon")?;
    for other in others.iter().chain([&same_connection, &dead]) {
        bench.put_grant(other).await?;
    }

    let revocations = [&grant, &same_person, &same_connection].map(|grant| bench.revocation(grant));
    let revocations = revocations.into_iter().collect::<Result<Vec<_>, _>>()?;
    let done = bench.disconnect(TENANT, &connection.id, bench.now(), revocations.clone()).await?;
    assert_eq!(done, Disconnection::GrantEnded);
    for ended in [&same_person, &same_connection, &dead] {
        assert_eq!(bench.store.grant(TENANT, &ended.id).await?, None);
        let late = bench.link(ended, vec![bench.account("acct-1")?], bench.now()).await;
        assert!(matches!(late, Err(StoreError::NotFound { .. })), "{late:?}");
    }
    for revocation in revocations {
        assert_eq!(bench.store.revocation_of(&revocation.grant_id).await?, Some(revocation));
    }
    for other in &others {
        assert_eq!(&bench.read(other).await?, other);
    }
    Ok(())
}

async fn waiting_of_one(bench: Bench) -> Outcome {
    let (grant, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    let first = connections.first().ok_or("nothing was linked")?;
    let waiting = bench.stored_grant().await?;
    let revocation = bench.revocation(&waiting)?;
    let done = bench.disconnect(TENANT, &first.id, bench.now(), vec![revocation.clone()]).await?;
    assert_eq!(done, Disconnection::GrantGoesOn);
    assert_eq!(bench.store.unlinked_grants(TENANT).await?, []);
    assert_eq!(bench.store.revocation_of(&waiting.id).await?, Some(revocation));
    assert_eq!(bench.read(&grant).await?.access, grant.access);
    Ok(())
}

async fn stray_revocation(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    let mut elsewhere = bench.grant()?;
    elsewhere.subject = Some("-0008".to_owned());
    bench.put_grant(&elsewhere).await?;
    let waiting = bench.stored_grant().await?;
    let mut stale = bench.revocation(&waiting)?;
    stale.grant_generation = 0;
    for stray in [bench.revocation(&elsewhere)?, stale] {
        let revocations = vec![bench.revocation(&grant)?, stray];
        let refused = bench.disconnect(TENANT, &connection.id, bench.now(), revocations).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        let stored = bench.store.connection(TENANT, &connection.id).await?.ok_or("the connection is gone")?;
        assert_eq!(stored.state(), ConnectionState::Active, "nothing may have changed");
        assert_eq!(bench.store.unlinked_grants(TENANT).await?.len(), 2);
        assert_eq!(bench.store.revocation_of(&grant.id).await?, None);
    }
    Ok(())
}

async fn unknown(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    for (tenant, id) in [("other", connection.id), (TENANT, ConnectionId::new(&bench.cx)?)] {
        let refused = bench.disconnect(tenant, &id, bench.now(), vec![]).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    Ok(())
}

async fn outlived(bench: Bench) -> Outcome {
    let (old, connection) = bench.linked_one().await?;
    let revocation = bench.revocation(&old)?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![revocation.clone()]).await?;
    let (new, again) = bench.linked_one().await?;
    assert_eq!(again.id, connection.id);
    assert_eq!(bench.store.revocation_of(&old.id).await?, Some(revocation.clone()));
    assert!(bench.finish(&revocation, RevocationOutcome::GivenUp, bench.now()).await?);
    let stored = bench.store.connection(TENANT, &connection.id).await?.ok_or("the connection is gone")?;
    assert_eq!((stored.state(), stored.grant.id), (ConnectionState::Active, new.id));
    Ok(())
}
