//! The audit.

use super::bench::{Bench, TENANT};
use super::{Check, Outcome};
use crate::store::{
    AuditFilter, AuditId, AuditRecord, ConnectionId, GrantId, GrantState, RevocationOutcome, StoreError,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "what happened is found by what it concerned", run: |bench| Box::pin(found(bench)) },
    Check {
        name: "a connection is found with what befell its grants",
        run: |bench| Box::pin(found_with_grants(bench)),
    },
    Check { name: "what changes goes on record with the change", run: |bench| Box::pin(recorded(bench)) },
    Check { name: "what changes nothing leaves no record", run: |bench| Box::pin(not_recorded(bench)) },
];

async fn found(bench: Bench) -> Outcome {
    let (connection, grant) = (ConnectionId::new(&bench.cx)?, GrantId::new(&bench.cx)?);
    let mut records = Vec::new();
    for (minutes, event) in [(1, "connected"), (2, "refreshed"), (3, "disconnected")] {
        records.push(AuditRecord {
            id: AuditId::new(&bench.cx)?,
            at: bench.minutes(minutes),
            tenant: TENANT.to_owned(),
            event: event.to_owned(),
            connection: (minutes != 2).then(|| connection.clone()),
            grant: (minutes == 2).then(|| grant.clone()),
            detail: r#"{"by":"operator"}"#.to_owned(),
        });
    }
    for record in &records {
        bench.store.append_audit(record).await?;
    }
    records.reverse();
    let [third, second, first] = records.as_slice() else { return Err("there should be three records".into()) };
    let any = AuditFilter::default();
    let cases = [
        (any.clone(), vec![third, second, first]),
        (AuditFilter { connection: Some(connection), ..any.clone() }, vec![third, first]),
        (AuditFilter { grant: Some(grant), ..any.clone() }, vec![second]),
        (AuditFilter { event: Some("connected".to_owned()), ..any.clone() }, vec![first]),
        (AuditFilter { since: Some(bench.minutes(2)), ..any.clone() }, vec![third, second]),
        (AuditFilter { limit: Some(1), ..any.clone() }, vec![third]),
    ];
    for (filter, expected) in cases {
        assert_eq!(bench.store.audit(TENANT, &filter).await?.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
    assert_eq!(bench.store.audit("other", &any).await?, []);
    Ok(())
}

async fn found_with_grants(bench: Bench) -> Outcome {
    let (old, connection) = bench.linked_one().await?;
    let new = bench.stored_grant().await?;
    bench.link(&new, vec![bench.account("acct-1")?], bench.now()).await?;
    bench.stored_grant().await?;
    for grant in [&old, &new] {
        bench.store.append_audit(&bench.audit("token_refreshed")?.of_grant(&grant.id)).await?;
    }
    let filter = AuditFilter { connection: Some(connection.id.clone()), ..AuditFilter::default() };
    let found = bench.store.audit(TENANT, &filter).await?;
    let count = |event: &str| found.iter().filter(|record| record.event == event).count();
    let counts = ["access_allowed", "connected", "reconnected", "token_refreshed"].map(count);
    assert_eq!(counts, [2, 1, 1, 2], "{found:?}");
    assert_eq!(found.len(), 6, "another grant is no affair of it");
    Ok(())
}

async fn recorded(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    let lost = GrantState::ReauthRequired { reason: "key_lost".to_owned() };
    assert!(bench.set_state(&grant.id, 1, &lost, bench.now()).await?);
    let revocation = bench.revocation(&grant)?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![revocation.clone()]).await?;
    assert!(bench.finish(&revocation, RevocationOutcome::Revoked, bench.now()).await?);
    let unused = bench.stored_grant().await?;
    let audit = bench.audit("access_given_up")?.of_grant(&unused.id);
    assert!(bench.store.give_up_grant(TENANT, &unused.id, None, &audit).await?);

    let events: Vec<String> = bench.on_record().await?.into_iter().map(|(event, _)| event).collect();
    let expected = [
        "access_allowed",
        "connected",
        "state_changed",
        "disconnected",
        "access_revoked",
        "access_allowed",
        "access_given_up",
    ];
    assert_eq!(events, expected);
    let filter = AuditFilter { event: Some("disconnected".to_owned()), ..AuditFilter::default() };
    let [disconnected] = <[AuditRecord; 1]>::try_from(bench.store.audit(TENANT, &filter).await?)
        .map_err(|found| format!("there should be one record: {found:?}"))?;
    assert_eq!((disconnected.connection, disconnected.grant), (Some(connection.id), Some(grant.id)));
    assert!(disconnected.detail.contains(r#""by":"command""#), "{}", disconnected.detail);
    Ok(())
}

async fn not_recorded(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    let before = bench.on_record().await?;
    let again = bench.put_grant(&grant).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let active = GrantState::Active;
    assert!(!bench.set_state(&grant.id, 7, &active, bench.now()).await?);
    let audit = bench.audit("access_given_up")?;
    assert!(!bench.store.give_up_grant(TENANT, &grant.id, None, &audit).await?, "a connection works by it");
    assert!(!bench.finish(&bench.revocation(&grant)?, RevocationOutcome::Revoked, bench.now()).await?);
    bench.link(&grant, vec![bench.account("acct-1")?], bench.now()).await?;
    assert_eq!(bench.on_record().await?, before);

    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    let before = bench.on_record().await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    assert_eq!(bench.on_record().await?, before, "it was disconnected already");
    Ok(())
}
