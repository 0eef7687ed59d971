//! The audit.

use super::bench::{Bench, TENANT};
use super::{Check, Outcome};
use crate::store::{AuditFilter, AuditId, AuditRecord, ConnectionId, GrantId};

pub(super) const CHECKS: &[Check] =
    &[Check { name: "what happened is found by what it concerned", run: |bench| Box::pin(found(bench)) }];

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
