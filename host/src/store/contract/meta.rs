//! The store about itself.

use tokio::task::JoinSet;

use super::bench::{Bench, TENANT, sealed};
use super::{Check, Outcome};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a store has one name", run: |bench| Box::pin(one_name(bench)) },
    Check { name: "a host notes that it works, again and again", run: |bench| Box::pin(alive(bench)) },
    Check { name: "the vault check is kept", run: |bench| Box::pin(vault_check(bench)) },
    Check { name: "of many who make the first key one does", run: |bench| Box::pin(first_key(bench)) },
    Check { name: "a flow, a grant and a revocation are sealed rows", run: |bench| Box::pin(sealed_rows(bench)) },
];

async fn one_name(bench: Bench) -> Outcome {
    let name = bench.store.instance_id().await?;
    assert!(!name.as_str().is_empty());
    assert_eq!(bench.store.instance_id().await?, name);
    Ok(())
}

async fn alive(bench: Bench) -> Outcome {
    for minutes in [0, 1, 0] {
        bench.store.note_alive(bench.minutes(minutes)).await?;
    }
    assert!(!bench.store.has_sealed_rows().await?);
    Ok(())
}

async fn vault_check(bench: Bench) -> Outcome {
    assert_eq!(bench.store.vault_check().await?, None);
    let mut seen = None;
    for (number, check) in [sealed("first"), sealed("second")].into_iter().enumerate() {
        let record = bench.audit(["key_1", "key_2"][number])?;
        assert!(bench.store.set_vault_check(seen.as_ref(), &check, Some(&record)).await?);
        assert_eq!(bench.store.vault_check().await?, Some(check.clone()));
        for stale in [seen, Some(sealed("never"))] {
            let record = bench.audit("too_late")?;
            assert!(!bench.store.set_vault_check(stale.as_ref(), &sealed("third"), Some(&record)).await?);
        }
        assert_eq!(bench.store.vault_check().await?, Some(check.clone()), "who saw another one changes nothing");
        seen = Some(check);
    }
    let events: Vec<_> = bench.on_record().await?.into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["key_1", "key_2"]);
    assert!(!bench.store.has_sealed_rows().await?, "the check alone is nothing to lose");
    Ok(())
}

async fn first_key(bench: Bench) -> Outcome {
    let mut racers = JoinSet::new();
    for number in 0..8 {
        let bench = bench.clone();
        racers.spawn(async move {
            let check = sealed(&format!("check {number}"));
            bench.store.set_vault_check(None, &check, None).await.map(|set| set.then_some(check))
        });
    }
    let mut set = Vec::new();
    for outcome in racers.join_all().await {
        set.extend(outcome?);
    }
    assert_eq!(set.len(), 1, "{set:?}");
    assert_eq!(bench.store.vault_check().await?, set.pop(), "the others have not written over it");
    Ok(())
}

async fn sealed_rows(bench: Bench) -> Outcome {
    assert!(!bench.store.has_sealed_rows().await?);
    bench.store.put_flow(&bench.flow("waiting")?).await?;
    assert!(bench.store.has_sealed_rows().await?);
    bench.take_flow("waiting").await?;
    assert!(!bench.store.has_sealed_rows().await?);
    let (grant, connection) = bench.linked_one().await?;
    assert!(bench.store.has_sealed_rows().await?);
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![bench.revocation(&grant)?]).await?;
    assert!(bench.store.has_sealed_rows().await?, "the revocation holds tokens");
    Ok(())
}
