//! Whose store it is. The stores that are checked have no name.

use jiff::SignedDuration;

use super::bench::{Bench, TENANT, sealed};
use super::{Check, Outcome};
use crate::store::{
    AuditFilter, AuditId, AuditRecord, Begun, ConnectionFilter, GrantId, GrantState, InstanceName, Purge, RefreshTerms,
    RevocationOutcome, Settlement, StoreError,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a store is nobody's at first, and everybody's", run: |bench| Box::pin(nobodys(bench)) },
    Check { name: "another instance's store is only looked at", run: |bench| Box::pin(only_looked_at(bench)) },
    Check { name: "what was answered is stored whoever the owner is", run: |bench| Box::pin(answered(bench)) },
];

const TERMS: RefreshTerms =
    RefreshTerms { quarantine: SignedDuration::ZERO, repeat_within: SignedDuration::ZERO, most_unanswered: Some(2) };

async fn nobodys(bench: Bench) -> Outcome {
    bench.store.claim_ownership().await?;
    assert_eq!((bench.store.name(), bench.store.owner().await?), (None, None), "no name, no owner");
    bench.store.check_ours().await?;
    for name in ["prod", "berlin-2"] {
        let record = adopt(&bench, name).await?;
        assert_eq!(bench.store.owner().await?.map(|owner| owner.to_string()).as_deref(), Some(name));
        let found = bench.store.audit(TENANT, &AuditFilter { limit: Some(1), ..AuditFilter::default() }).await?;
        assert_eq!(found, [record]);
    }
    Ok(())
}

async fn only_looked_at(bench: Bench) -> Outcome {
    let (ended, connection) = bench.linked_one().await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![bench.revocation(&ended)?]).await?;
    let (grant, live) = (bench.stored_grant().await?, bench.account("acct-2")?);
    let live = bench.link(&grant, vec![live], bench.now()).await?.linked.remove(0).connection;
    let job = bench.store.revocation_of(&ended.id).await?.ok_or("no revocation")?;
    bench.store.put_flow(&bench.flow("waiting")?).await?;
    assert!(bench.store.set_vault_check(None, &sealed("check"), None).await?);
    let before = bench.read(&grant).await?;
    adopt(&bench, "elsewhere").await?;

    not_ours("check_ours", bench.store.check_ours().await);
    not_ours("own_connection_grant", bench.store.own_connection_grant(TENANT, &live.id).await);
    not_ours("own_connection_grant of another tenant", bench.store.own_connection_grant("other", &live.id).await);
    not_ours("own_grant", bench.store.own_grant(TENANT, &grant.id).await);
    let unknown = GrantId::new(&bench.cx)?;
    not_ours("own_grant of none", bench.store.own_grant(TENANT, &unknown).await);
    not_ours("begin_refresh", bench.begin_with(&grant, "a", TERMS, "credentials").await);
    not_ours("claim_revocation", bench.store.claim_revocation(&job, SignedDuration::from_mins(5)).await);
    let (check, other) = (sealed("check"), sealed("other"));
    not_ours("set_vault_check", bench.store.set_vault_check(Some(&check), &other, None).await);
    not_ours("put_flow", bench.store.put_flow(&bench.flow("second")?).await);
    let request = bench.request("key")?;
    not_ours("begin_request", bench.store.begin_request(&request, bench.now()).await);
    not_ours("take_flow", bench.take_flow("waiting").await);
    not_ours("disconnect", bench.disconnect(TENANT, &live.id, bench.now(), vec![]).await);
    not_ours("note_alive", bench.store.note_alive(bench.now()).await);
    let held = GrantState::Held { reason: "exported".to_owned() };
    not_ours("set_grant_state", bench.set_state(&grant.id, 1, &held, bench.now()).await);
    let audit = bench.audit("changed")?;
    not_ours("doubt_refresh", bench.store.doubt_refresh(&grant.id, SignedDuration::ZERO, &audit).await);
    not_ours("carry_over", bench.store.carry_over(&grant, &audit).await);
    not_ours("import_connections", bench.store.import_connections(&[]).await);
    let purge = Purge { tenant: TENANT.to_owned(), connection: connection.id, leave_access: true, audit };
    not_ours("purge_connection", bench.store.purge_connection(&purge).await);

    assert_eq!(bench.read(&grant).await?, before, "nothing has changed");
    assert_eq!(bench.store.revocation_of(&ended.id).await?, Some(job));
    let all = ConnectionFilter { tenant: TENANT.to_owned(), ..ConnectionFilter::default() };
    assert_eq!(bench.store.connections(&all).await?.len(), 2, "everything can be seen");
    assert!(bench.store.has_sealed_rows().await?);
    Ok(())
}

async fn answered(bench: Bench) -> Outcome {
    let (ended, connection) = bench.linked_one().await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![bench.revocation(&ended)?]).await?;
    let job = bench.store.revocation_of(&ended.id).await?.ok_or("no revocation")?;
    let grant = bench.stored_grant().await?;
    assert!(matches!(bench.begin_with(&grant, "a", TERMS, "credentials").await?, Begun::Send(_)));
    adopt(&bench, "elsewhere").await?;

    let new = Settlement::Refreshed(Box::new(bench.refreshed("second")));
    assert!(bench.settle(&grant, "a", new).await?, "the new tokens exist nowhere else");
    assert_eq!(bench.read(&grant).await?.generation, 2);
    assert!(bench.finish(&job, RevocationOutcome::Revoked, bench.now()).await?);
    bench.put_grant(&bench.grant()?).await?;
    Ok(())
}

fn not_ours<T: std::fmt::Debug>(call: &str, outcome: crate::store::Result<T>) {
    match outcome {
        Err(StoreError::NotOurs { owner, ours: None }) => assert_eq!(owner.as_str(), "elsewhere"),
        other => panic!("{call}: {other:?}"),
    }
}

async fn adopt(bench: &Bench, name: &str) -> Result<AuditRecord, Box<dyn std::error::Error + Send + Sync>> {
    let record = AuditRecord {
        id: AuditId::new(&bench.cx)?,
        at: bench.now(),
        tenant: TENANT.to_owned(),
        event: "store_adopted".to_owned(),
        connection: None,
        grant: None,
        detail: "{}".to_owned(),
    };
    bench.store.adopt(&name.parse::<InstanceName>()?, &record).await?;
    Ok(record)
}
