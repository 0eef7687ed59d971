//! Connecting and connecting again.

use connector_core::Scope;
use connector_core::account::{FieldValue, Profile};
use connector_core::scope::{Granted, GrantedSource};

use super::bench::{Bench, TENANT, platform};
use super::{Check, Outcome};
use crate::store::{
    ConnectionFilter, ConnectionGrant, ConnectionId, ConnectionState, GrantId, GrantRecord, GrantState, Link, Linked,
    Links, Reading, Refreshed, Settlement, StoreError,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a first link makes a connection", run: |bench| Box::pin(first_link(bench)) },
    Check { name: "connecting again keeps the connection", run: |bench| Box::pin(reconnected(bench)) },
    Check { name: "disconnect and connect keep id and history", run: |bench| Box::pin(back_again(bench)) },
    Check { name: "linking twice changes nothing but what is new", run: |bench| Box::pin(linked_twice(bench)) },
    Check { name: "a grant stays while a connection works by it", run: |bench| Box::pin(partly_moved(bench)) },
    Check { name: "a grant that never got a connection is superseded", run: |bench| Box::pin(abandoned(bench)) },
    Check { name: "a grant without accounts counts as linked", run: |bench| Box::pin(no_accounts(bench)) },
    Check { name: "one account has a connection per app and tenant", run: |bench| Box::pin(apart(bench)) },
    Check { name: "linking keeps what a refresh brought meanwhile", run: |bench| Box::pin(refreshed_meanwhile(bench)) },
    Check { name: "an older grant does not replace a newer one", run: |bench| Box::pin(older_comes_late(bench)) },
    Check {
        name: "clocks that disagree mistake no grant for a late one",
        run: |bench| Box::pin(clocks_disagree(bench)),
    },
    Check { name: "an older grant replaces a newer one that is dead", run: |bench| Box::pin(newer_is_dead(bench)) },
    Check { name: "what was given up since stays given up", run: |bench| Box::pin(given_up_since(bench)) },
    Check { name: "a grant that lost its last live connection ends", run: |bench| Box::pin(left_behind(bench)) },
    Check { name: "what cannot be linked is refused", run: |bench| Box::pin(refused(bench)) },
    Check { name: "connections are found by tenant, platform and state", run: |bench| Box::pin(found(bench)) },
    Check { name: "connections are counted by app and state", run: |bench| Box::pin(counted(bench)) },
    Check { name: "connections are found by their accounts", run: |bench| Box::pin(found_by_account(bench)) },
    Check { name: "a profile is replaced", run: |bench| Box::pin(profile_replaced(bench)) },
];

fn only(links: Links) -> Result<Linked, &'static str> {
    let [linked] = <[Linked; 1]>::try_from(links.linked).map_err(|_| "not one account was linked")?;
    Ok(linked)
}

async fn first_link(bench: Bench) -> Outcome {
    let mut grant = bench.stored_grant().await?;
    let mut account = bench.account("acct-1")?;
    account.reference = Some("person-1".to_owned());
    let inherited = ["publish".parse()?].into();
    let links = bench.store.link_accounts(TENANT, &grant.id, &inherited, vec![account.clone()], bench.now()).await?;
    assert_eq!(links.superseded, []);
    let Linked { connection, link, previous_grant } = only(links)?;
    assert_eq!((link, previous_grant), (Link::New, None));
    assert_eq!((&connection.id, &connection.account_id), (&account.id_if_new, &account.account.id));
    assert_eq!((&connection.profile, &connection.reference), (&account.account.profile, &account.reference));

    let stored = bench.store.connection(TENANT, &connection.id).await?.ok_or("it was not stored")?;
    grant.unlinked = None;
    grant.scopes.ever_granted.extend(inherited);
    assert_eq!((&stored.connection, &stored.grant), (&connection, &grant));
    assert_eq!(stored.state(), ConnectionState::Active);
    assert_eq!(bench.store.connection("other", &connection.id).await?, None);
    let in_use = ConnectionGrant { account_id: connection.account_id.clone(), disconnected_at: None, grant };
    assert_eq!(bench.store.own_connection_grant(TENANT, &connection.id).await?, Some(in_use));
    assert_eq!(bench.store.own_connection_grant("other", &connection.id).await?, None);
    Ok(())
}

async fn reconnected(bench: Bench) -> Outcome {
    let (old, before) = bench.linked_one().await?;
    let new = bench.stored_grant().await?;
    let links = bench.link(&new, vec![bench.account("acct-1")?], bench.minutes(1)).await?;
    assert_eq!(links.superseded, std::slice::from_ref(&old.id));
    let Linked { connection, link, previous_grant } = only(links)?;
    assert_eq!((link, previous_grant), (Link::Reconnected, Some(old.id.clone())));
    assert_eq!((&connection.id, connection.created_at), (&before.id, before.created_at));
    assert_eq!((connection.grant_id, connection.updated_at), (new.id, bench.minutes(1)));
    assert_eq!(bench.store.grant(TENANT, &old.id).await?, None, "its tokens must be gone");
    Ok(())
}

async fn back_again(bench: Bench) -> Outcome {
    let (_, before) = bench.linked_one().await?;
    let values = [("followers".parse()?, 7)].into();
    let reading = Reading { observed_at: bench.now(), values, missing: [].into(), log_id: None };
    bench.store.append_samples(&before.id, &reading).await?;
    bench.disconnect(TENANT, &before.id, bench.now(), vec![]).await?;
    let (grant, after) = bench.linked_one().await?;
    assert_eq!((&after.id, &after.disconnected_at), (&before.id, &None));
    let stored = bench.store.connection(TENANT, &before.id).await?.ok_or("the connection is gone")?;
    assert_eq!((stored.state(), stored.grant.id), (ConnectionState::Active, grant.id));
    assert_eq!(bench.store.latest_reading(&before.id).await?, Some(reading));
    Ok(())
}

async fn linked_twice(bench: Bench) -> Outcome {
    let (grant, before) = bench.linked_one().await?;
    let mut account = bench.account("acct-1")?;
    account.reference = Some("person-1".to_owned());
    account.account.profile = [("handle".to_owned(), FieldValue::Text("@renamed".to_owned()))].into_iter().collect();
    let linked = only(bench.link(&grant, vec![account], bench.now()).await?)?;
    assert_eq!((linked.link, &linked.connection.id, &linked.previous_grant), (Link::Kept, &before.id, &None));
    assert_eq!(linked.connection.profile.text("handle"), Some("@renamed"));
    assert_eq!(linked.connection.profile.get("verified"), Some(&FieldValue::Flag(true)), "what was not told stays");

    let linked = only(bench.link(&grant, vec![bench.account("acct-1")?], bench.now()).await?)?;
    assert_eq!(linked.connection.reference.as_deref(), Some("person-1"), "no reference given, none taken away");
    let stored = bench.store.connection(TENANT, &before.id).await?.ok_or("the connection is gone")?;
    assert_eq!(stored.connection, linked.connection);
    Ok(())
}

async fn partly_moved(bench: Bench) -> Outcome {
    let (old, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    let new = bench.stored_grant().await?;
    let links = bench.link(&new, vec![bench.account("acct-1")?], bench.now()).await?;
    assert_eq!(links.superseded, []);
    let second = connections.last().ok_or("nothing was linked")?;
    let stored = bench.store.connection(TENANT, &second.id).await?.ok_or("the connection is gone")?;
    assert_eq!((stored.state(), stored.grant.id), (ConnectionState::Active, old.id.clone()));
    let links = bench.link(&new, vec![bench.account("acct-2")?], bench.now()).await?;
    assert_eq!(links.superseded, [old.id]);
    Ok(())
}

async fn abandoned(bench: Bench) -> Outcome {
    let mut abandoned = bench.grant()?;
    abandoned.created_at = bench.minutes(-5);
    let mut others = [abandoned.clone(), abandoned.clone(), abandoned.clone()];
    for other in &mut others {
        other.id = GrantId::new(&bench.cx)?;
    }
    others[0].subject = Some("-0008".to_owned());
    "other".clone_into(&mut others[1].tenant);
    others[2].created_at = bench.minutes(5);
    bench.put_grant(&abandoned).await?;
    for other in &others[..2] {
        bench.put_grant(other).await?;
    }
    let grant = bench.stored_grant().await?;
    bench.put_grant(&others[2]).await?;
    let links = bench.link(&grant, vec![bench.account("acct-1")?], bench.now()).await?;
    assert_eq!(links.superseded, [abandoned.id]);
    for other in &others {
        bench.read(other).await?;
    }
    Ok(())
}

async fn no_accounts(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    assert_eq!(bench.link(&grant, vec![], bench.now()).await?, Links::default());
    assert_eq!(bench.store.unlinked_grants(TENANT).await?, []);
    Ok(())
}

async fn apart(bench: Bench) -> Outcome {
    let (_, first) = bench.linked_one().await?;
    let mut grants = [bench.grant()?, bench.grant()?, bench.grant()?];
    "other".clone_into(&mut grants[0].tenant);
    "second".clone_into(&mut grants[1].app);
    grants[2].platform = platform("beacon")?;
    for grant in &grants {
        bench.put_grant(grant).await?;
        let account = bench.account("acct-1")?;
        let linked = only(bench.link(grant, vec![account], bench.now()).await?)?;
        assert_eq!(linked.link, Link::New);
        assert_ne!(linked.connection.id, first.id);
    }
    Ok(())
}

async fn refreshed_meanwhile(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let (inherited, later) = ("publish".parse::<Scope>()?, "list".parse::<Scope>()?);
    let mut scopes = grant.scopes.clone();
    scopes.observe(Granted::Known { scopes: [later.clone()].into(), source: GrantedSource::Token });
    let new = Refreshed { scopes: scopes.clone(), ..bench.refreshed("access 2") };
    assert!(bench.settle(&grant, "a", Settlement::Refreshed(Box::new(new))).await?);
    let account = vec![bench.account("acct-1")?];
    let inherit = [inherited.clone()].into();
    bench.store.link_accounts(TENANT, &grant.id, &inherit, account, bench.now()).await?;
    scopes.ever_granted.insert(inherited);
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.scopes, stored.generation), (scopes, 2));
    Ok(())
}

/// A stored grant whose accounts are still to be linked, made so many minutes from now.
async fn waiting(bench: &Bench, minutes: i64) -> Result<GrantRecord, Box<dyn std::error::Error + Send + Sync>> {
    let mut grant = bench.grant()?;
    grant.created_at = bench.minutes(minutes);
    bench.put_grant(&grant).await?;
    Ok(grant)
}

/// The same, of nobody knows whom: no grant takes its place.
async fn nameless(bench: &Bench, minutes: i64) -> Result<GrantRecord, Box<dyn std::error::Error + Send + Sync>> {
    let grant = GrantRecord { subject: None, created_at: bench.minutes(minutes), ..bench.grant()? };
    bench.put_grant(&grant).await?;
    Ok(grant)
}

/// Whichever machine's clock is ahead: what is allowed after something else is not taken for late, and what is late is not taken for new.
async fn clocks_disagree(bench: Bench) -> Outcome {
    let account = || Ok::<_, Box<dyn std::error::Error + Send + Sync>>(vec![bench.account("acct-1")?]);
    let (_, connection) = bench.linked_one().await?;
    bench.disconnect(TENANT, &connection.id, bench.minutes(60), vec![]).await?;
    let again = waiting(&bench, 0).await?;
    let linked = only(bench.link(&again, account()?, bench.now()).await?)?;
    assert_eq!(linked.connection.grant_id, again.id, "it was allowed after the disconnect");

    let ahead = waiting(&bench, 120).await?;
    assert_eq!(only(bench.link(&ahead, account()?, bench.minutes(120)).await?)?.connection.grant_id, ahead.id);
    let next = waiting(&bench, 1).await?;
    let linked = only(bench.link(&next, account()?, bench.minutes(1)).await?)?;
    assert_eq!(linked.connection.grant_id, next.id, "it was allowed after the other");

    let late = nameless(&bench, 240).await?;
    bench.disconnect(TENANT, &connection.id, bench.minutes(2), vec![]).await?;
    let links = bench.link(&late, account()?, bench.minutes(3)).await?;
    assert_eq!(links, Links { linked: vec![], superseded: vec![late.id] }, "it was allowed before the disconnect");
    Ok(())
}

async fn older_comes_late(bench: Bench) -> Outcome {
    let [older, second] = [nameless(&bench, -5).await?, nameless(&bench, -5).await?];
    let (newer, connection) = bench.linked_one().await?;
    let links = bench.link(&older, vec![bench.account("acct-1")?], bench.minutes(1)).await?;
    assert_eq!(links, Links { linked: vec![], superseded: vec![older.id.clone()] });
    assert_eq!(bench.store.grant(TENANT, &older.id).await?, None);
    let stored = bench.store.connection(TENANT, &connection.id).await?.ok_or("the connection is gone")?;
    assert_eq!((&stored.connection, &stored.grant.id), (&connection, &newer.id));

    let accounts = vec![bench.account("acct-1")?, bench.account("acct-2")?];
    let links = bench.link(&second, accounts, bench.minutes(1)).await?;
    assert_eq!(links.superseded, []);
    let linked = only(links)?;
    assert_eq!((linked.link, linked.connection.account_id.as_str()), (Link::New, "acct-2"));
    assert_eq!(linked.connection.grant_id, second.id);
    let stored = bench.store.connection(TENANT, &connection.id).await?.ok_or("the connection is gone")?;
    assert_eq!(stored.connection, connection);
    Ok(())
}

async fn newer_is_dead(bench: Bench) -> Outcome {
    let (newer, connection) = bench.linked_one().await?;
    let dead = GrantState::ReauthRequired { reason: "refresh_token_rejected".to_owned() };
    assert!(bench.set_state(&newer.id, 1, &dead, bench.now()).await?);
    let older = waiting(&bench, -5).await?;
    let links = bench.link(&older, vec![bench.account("acct-1")?], bench.now()).await?;
    assert_eq!(links.superseded, [newer.id]);
    let linked = only(links)?;
    assert_eq!((linked.connection.id, linked.connection.grant_id), (connection.id, older.id));
    Ok(())
}

async fn given_up_since(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    let mut grant = bench.grant()?;
    grant.subject = None;
    bench.put_grant(&grant).await?;
    bench.disconnect(TENANT, &connection.id, bench.minutes(1), vec![]).await?;
    let links = bench.link(&grant, vec![bench.account("acct-1")?], bench.minutes(2)).await?;
    assert_eq!(links, Links { linked: vec![], superseded: vec![grant.id] });
    let stored = bench.store.connection(TENANT, &connection.id).await?.ok_or("the connection is gone")?;
    assert_eq!(stored.state(), ConnectionState::Disconnected);

    let again = waiting(&bench, 3).await?;
    let linked = only(bench.link(&again, vec![bench.account("acct-1")?], bench.minutes(3)).await?)?;
    assert_eq!((linked.connection.id, linked.connection.disconnected_at), (connection.id, None));
    Ok(())
}

async fn left_behind(bench: Bench) -> Outcome {
    let (old, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    let second = connections.last().ok_or("nothing was linked")?;
    bench.disconnect(TENANT, &second.id, bench.now(), vec![]).await?;
    let new = bench.stored_grant().await?;
    let links = bench.link(&new, vec![bench.account("acct-1")?], bench.now()).await?;
    assert_eq!(links.superseded, std::slice::from_ref(&old.id));
    let stored = bench.store.connection(TENANT, &second.id).await?.ok_or("the connection is gone")?;
    assert_eq!((stored.state(), &stored.grant.id), (ConnectionState::Disconnected, &old.id));
    assert_eq!((stored.grant.state, stored.grant.access), (GrantState::Disconnected, None));
    Ok(())
}

async fn refused(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    let unknown = GrantId::new(&bench.cx)?;
    for (tenant, id) in [(TENANT, &unknown), ("other", &grant.id)] {
        let refused =
            bench.store.link_accounts(tenant, id, &[].into(), vec![bench.account("acct-2")?], bench.now()).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    let over = bench.link(&grant, vec![bench.account("acct-1")?], bench.now()).await;
    assert!(matches!(over, Err(StoreError::Conflict(_))), "{over:?}");
    Ok(())
}

async fn counted(bench: Bench) -> Outcome {
    assert_eq!(bench.store.count_by_state().await?, []);
    let (_, both) = bench.linked(&["acct-1", "acct-2"]).await?;
    let mut other = GrantRecord { tenant: "other".to_owned(), app: "second".to_owned(), ..bench.grant()? };
    other.platform = platform("beacon")?;
    bench.put_grant(&other).await?;
    bench.link(&other, vec![bench.account("acct-1")?], bench.now()).await?;
    let counts = async || -> Result<Vec<_>, StoreError> {
        let counts = bench.store.count_by_state().await?;
        Ok(counts.into_iter().map(|row| (row.platform.to_string(), row.app, row.state, row.count)).collect())
    };
    let row = |id: &str, app: &str, state, count| (id.to_owned(), app.to_owned(), state, count);
    let beacon = |state| row("beacon", "second", state, 1);
    assert_eq!(
        counts().await?,
        [beacon(ConnectionState::Active), row("lantern", "default", ConnectionState::Active, 2)]
    );

    let needs = GrantState::ReauthRequired { reason: "user_revoked".to_owned() };
    bench.set_state(&other.id, other.generation, &needs, bench.now()).await?;
    bench.disconnect(TENANT, &both[0].id, bench.now(), Vec::new()).await?;
    let lantern = |state, count| row("lantern", "default", state, count);
    assert_eq!(
        counts().await?,
        [
            beacon(ConnectionState::ReauthRequired),
            lantern(ConnectionState::Active, 1),
            lantern(ConnectionState::Disconnected, 1)
        ]
    );
    Ok(())
}

async fn found(bench: Bench) -> Outcome {
    let (_, one) = bench.linked_one().await?;
    let mut grant = bench.grant()?;
    (grant.platform, grant.state) = (platform("beacon")?, GrantState::ReauthRequired { reason: "key_lost".to_owned() });
    bench.put_grant(&grant).await?;
    let two = only(bench.link(&grant, vec![bench.account("x")?], bench.minutes(1)).await?)?;
    let two = two.connection;

    let all = ConnectionFilter { tenant: TENANT.to_owned(), ..ConnectionFilter::default() };
    let cases = [
        (all.clone(), vec![&one, &two]),
        (ConnectionFilter { platform: Some(platform("lantern")?), ..all.clone() }, vec![&one]),
        (ConnectionFilter { platform: Some(platform("beacon")?), ..all }, vec![&two]),
        (ConnectionFilter { tenant: "other".to_owned(), ..ConnectionFilter::default() }, vec![]),
    ];
    for (filter, expected) in cases {
        let found = bench.store.connections(&filter).await?;
        assert_eq!(found.iter().map(|found| &found.connection).collect::<Vec<_>>(), expected, "{filter:?}");
        assert!(found.iter().all(|found| found.connection.grant_id == found.grant.id));
    }
    Ok(())
}

async fn found_by_account(bench: Bench) -> Outcome {
    let (grant, connections) = bench.linked(&["acct-1", "acct-2", "acct-3"]).await?;
    let other = GrantRecord { app: "second".to_owned(), ..bench.grant()? };
    bench.put_grant(&other).await?;
    bench.link(&other, vec![bench.account("acct-1")?], bench.now()).await?;
    bench.disconnect(TENANT, &connections[0].id, bench.now(), vec![]).await?;
    let ids = async |tenant: &str, id: &str, app: &str, accounts: &[&str]| {
        let found = bench.store.connections_of(tenant, &platform(id)?, app, accounts).await?;
        assert!(found.iter().all(|found| found.connection.grant_id == found.grant.id));
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(
            found.into_iter().map(|found| found.connection.id).collect::<Vec<_>>(),
        )
    };
    let (tenant, app) = (grant.tenant.as_str(), grant.app.as_str());
    let expected = [&connections[2].id, &connections[0].id].map(Clone::clone);
    assert_eq!(ids(tenant, "lantern", app, &["acct-3", "acct-1", "nobody"]).await?, expected);
    for (tenant, id, app, accounts) in [
        (tenant, "lantern", app, &[][..]),
        ("other", "lantern", app, &["acct-1"]),
        (tenant, "beacon", app, &["acct-1"]),
        (tenant, "lantern", "third", &["acct-1"]),
    ] {
        assert_eq!(ids(tenant, id, app, accounts).await?, [], "{tenant} {id} {app} {accounts:?}");
    }
    Ok(())
}

async fn profile_replaced(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    let profile: Profile = [("bio".to_owned(), FieldValue::Text(String::new()))].into_iter().collect();
    bench.store.update_profile(&connection.id, &profile, bench.minutes(2)).await?;
    let stored = bench.store.connection(TENANT, &connection.id).await?.ok_or("the connection is gone")?.connection;
    assert_eq!((stored.profile, stored.updated_at), (profile.clone(), bench.minutes(2)));
    let missing = bench.store.update_profile(&ConnectionId::new(&bench.cx)?, &profile, bench.now()).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
    Ok(())
}
