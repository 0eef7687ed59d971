//! The store about itself.

use super::bench::{Bench, TENANT, sealed};
use super::{Check, Outcome};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a store has one name", run: |bench| Box::pin(one_name(bench)) },
    Check { name: "a host notes that it works, again and again", run: |bench| Box::pin(alive(bench)) },
    Check { name: "the vault check is kept", run: |bench| Box::pin(vault_check(bench)) },
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
    for check in [sealed("first"), sealed("second")] {
        bench.store.set_vault_check(&check).await?;
        assert_eq!(bench.store.vault_check().await?, Some(check));
    }
    assert!(!bench.store.has_sealed_rows().await?, "the check alone is nothing to lose");
    Ok(())
}

async fn sealed_rows(bench: Bench) -> Outcome {
    assert!(!bench.store.has_sealed_rows().await?);
    bench.store.put_flow(&bench.flow("waiting")?).await?;
    assert!(bench.store.has_sealed_rows().await?);
    bench.store.take_flow("waiting").await?;
    assert!(!bench.store.has_sealed_rows().await?);
    let (grant, connection) = bench.linked_one().await?;
    assert!(bench.store.has_sealed_rows().await?);
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![bench.revocation(&grant)?]).await?;
    assert!(bench.store.has_sealed_rows().await?, "the revocation holds tokens");
    Ok(())
}
