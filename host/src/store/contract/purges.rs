//! Erasing an account.

use super::bench::{Bench, TENANT};
use super::{Check, Outcome, connect_links};
use crate::store::{AuditRecord, ConnectionId, Purge, Purged, Reading, RevocationOutcome, StoreError};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a purge leaves nothing but a record", run: |bench| Box::pin(leaves_nothing(bench)) },
    Check { name: "a purge leaves other accounts alone", run: |bench| Box::pin(leaves_others(bench)) },
    Check { name: "a purge waits for the access to be revoked", run: |bench| Box::pin(waits(bench)) },
    Check { name: "what is live or unknown is not purged", run: |bench| Box::pin(refused(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn purge(bench: &Bench, id: &ConnectionId, leave_access: bool) -> Result<Purge> {
    let audit = AuditRecord::new(&bench.cx, TENANT, "purged")?.of_connection(id);
    Ok(Purge { tenant: TENANT.to_owned(), connection: id.clone(), leave_access, audit })
}

async fn read_once(bench: &Bench, id: &ConnectionId) -> Result<Reading> {
    let values = [("followers".parse()?, 7)].into();
    let reading = Reading { observed_at: bench.now(), values, missing: [].into(), log_id: None };
    bench.store.append_samples(id, &reading).await?;
    Ok(reading)
}

async fn leaves_nothing(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    read_once(&bench, &connection.id).await?;
    let mut flow = bench.flow("renews")?;
    flow.reconnects = Some(connection.id.clone());
    bench.store.put_flow(&flow).await?;
    let links = connect_links::naming(&bench, &connection.id).await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    assert_eq!(bench.store.purge_connection(&purge(&bench, &connection.id, false)?).await?, Purged::Done);

    assert_eq!(bench.store.connection(TENANT, &connection.id).await?, None);
    assert_eq!(bench.store.grant(TENANT, &grant.id).await?, None);
    assert_eq!(bench.store.latest_reading(&connection.id).await?, None);
    assert!(bench.store.last_values(&connection.id).await?.is_empty());
    assert_eq!(bench.take_flow("renews").await?, None);
    for link in links {
        assert_eq!(bench.store.connect_link(TENANT, &link).await?, None);
    }
    let on_record = bench.on_record().await?;
    let events: Vec<&str> = on_record.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(
        events,
        ["access_allowed", "connected", "connect_link_created", "connect_link_created", "disconnected", "purged"]
    );
    bench.store.shred().await?;
    let records = bench.store.purge_records().await?;
    assert_eq!(records.iter().map(|record| record.connection.as_ref()).collect::<Vec<_>>(), [Some(&connection.id)]);

    let (_, again) = bench.linked_one().await?;
    assert_ne!(again.id, connection.id, "the account is a stranger");
    assert_eq!(bench.store.latest_reading(&again.id).await?, None, "with no history");
    Ok(())
}

async fn leaves_others(bench: Bench) -> Outcome {
    let (grant, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    let [first, second] = connections.as_slice() else { return Err("two accounts should be linked".into()) };
    let readings = [read_once(&bench, &first.id).await?, read_once(&bench, &second.id).await?];
    bench.disconnect(TENANT, &first.id, bench.now(), vec![]).await?;
    assert_eq!(bench.store.purge_connection(&purge(&bench, &first.id, false)?).await?, Purged::Done);
    let stored = bench.store.connection(TENANT, &second.id).await?.ok_or("the connection is gone")?;
    assert_eq!((&stored.connection, stored.grant.access), (second, grant.access));
    assert_eq!(bench.store.latest_reading(&second.id).await?.as_ref(), readings.last());
    Ok(())
}

async fn waits(bench: Bench) -> Outcome {
    for leave_access in [false, true] {
        let (grant, connection) = bench.linked_one().await?;
        let revocation = bench.revocation(&grant)?;
        bench.disconnect(TENANT, &connection.id, bench.now(), vec![revocation.clone()]).await?;
        let done = bench.store.purge_connection(&purge(&bench, &connection.id, leave_access)?).await?;
        if leave_access {
            assert_eq!(done, Purged::Done);
            assert_eq!(bench.store.revocation_of(&grant.id).await?, None, "its tokens must be gone");
            continue;
        }
        assert_eq!(done, Purged::AccessLeft);
        assert!(bench.store.connection(TENANT, &connection.id).await?.is_some(), "nothing may have changed");
        assert!(bench.finish(&revocation, RevocationOutcome::Revoked, bench.now()).await?);
        assert_eq!(bench.store.purge_connection(&purge(&bench, &connection.id, false)?).await?, Purged::Done);
    }
    Ok(())
}

async fn refused(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    let live = bench.store.purge_connection(&purge(&bench, &connection.id, true)?).await;
    assert!(matches!(live, Err(StoreError::Conflict(_))), "{live:?}");
    let unknown = bench.store.purge_connection(&purge(&bench, &ConnectionId::new(&bench.cx)?, true)?).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
    let mut theirs = purge(&bench, &connection.id, true)?;
    "other".clone_into(&mut theirs.tenant);
    let theirs = bench.store.purge_connection(&theirs).await;
    assert!(matches!(theirs, Err(StoreError::NotFound { .. })), "{theirs:?}");
    assert!(bench.store.connection(TENANT, &connection.id).await?.is_some());
    Ok(())
}
