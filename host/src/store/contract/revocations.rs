//! Revocations.

use super::bench::{Bench, TENANT, sealed};
use super::{Check, Outcome};
use crate::store::{GrantRecord, GrantState, RevocationOutcome, RevocationRecord, RevocationTokens, StoreError};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a revocation is due when its time has come", run: |bench| Box::pin(due(bench)) },
    Check { name: "a revocation is put off with what went wrong", run: |bench| Box::pin(postponed(bench)) },
    Check { name: "a revocation takes refreshed tokens", run: |bench| Box::pin(tokens_updated(bench)) },
    Check { name: "of many who would revoke one may", run: |bench| Box::pin(claimed(bench)) },
    Check { name: "a grant that is over gets a revocation later", run: |bench| Box::pin(put_later(bench)) },
    Check { name: "a finished revocation leaves no token", run: |bench| Box::pin(finished(bench)) },
    Check { name: "a revocation given up says why", run: |bench| Box::pin(given_up(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A grant that has ended, and its revocation, first due in ten minutes.
async fn ended(bench: &Bench) -> Result<(GrantRecord, RevocationRecord)> {
    let (grant, connection) = bench.linked_one().await?;
    let mut revocation = bench.revocation(&grant)?;
    revocation.next_try_at = bench.minutes(10);
    bench.store.disconnect(TENANT, &connection.id, bench.now(), vec![revocation.clone()]).await?;
    Ok((grant, revocation))
}

async fn due(bench: Bench) -> Outcome {
    let (_, revocation) = ended(&bench).await?;
    assert_eq!(bench.store.revocations_due(bench.minutes(9)).await?, []);
    for minutes in [10, 11, 2_000] {
        assert_eq!(bench.store.revocations_due(bench.minutes(minutes)).await?, std::slice::from_ref(&revocation));
    }
    Ok(())
}

async fn postponed(bench: Bench) -> Outcome {
    let (grant, mut revocation) = ended(&bench).await?;
    let error = bench.last_error("the platform is down");
    for attempts in [1, 2] {
        assert!(bench.store.postpone_revocation(&revocation.id, bench.minutes(20), &error).await?);
        revocation.attempts = attempts;
    }
    (revocation.next_try_at, revocation.last_error) = (bench.minutes(20), Some(error));
    assert_eq!(bench.store.revocation_of(&grant.id).await?, Some(revocation));
    assert_eq!(bench.store.revocations_due(bench.minutes(19)).await?, []);
    Ok(())
}

async fn claimed(bench: Bench) -> Outcome {
    let (grant, revocation) = ended(&bench).await?;
    let mut granted = 0;
    for _ in 0..5 {
        granted += usize::from(bench.store.claim_revocation(&revocation, bench.minutes(13)).await?);
    }
    assert_eq!(granted, 1);
    assert_eq!(bench.store.revocations_due(bench.minutes(12)).await?, []);
    let seen = bench.store.revocation_of(&grant.id).await?.ok_or("it is gone")?;
    assert_eq!((seen.next_try_at, seen.attempts), (bench.minutes(13), 0));
    assert!(bench.store.claim_revocation(&seen, bench.minutes(16)).await?);
    Ok(())
}

async fn put_later(bench: Bench) -> Outcome {
    let (live, _) = bench.linked_one().await?;
    let refused = bench.store.put_revocation(&bench.revocation(&live)?).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let (over, first) = ended(&bench).await?;
    assert!(bench.store.finish_revocation(&first.id, RevocationOutcome::Revoked, bench.now()).await?);
    let second = bench.revocation(&over)?;
    bench.store.put_revocation(&second).await?;
    assert_eq!(bench.read(&over).await?.state, GrantState::Disconnecting);
    let again = bench.store.put_revocation(&bench.revocation(&over)?).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let gone = bench.grant()?;
    bench.store.put_revocation(&bench.revocation(&gone)?).await?;
    Ok(())
}

async fn tokens_updated(bench: Bench) -> Outcome {
    let (grant, mut revocation) = ended(&bench).await?;
    revocation.tokens = RevocationTokens {
        access: Some(sealed("fresh")),
        access_expires_at: None,
        refresh: None,
        refresh_expires_at: Some(bench.minutes(1)),
    };
    assert!(bench.store.update_revocation_tokens(&revocation.id, &revocation.tokens, bench.minutes(2)).await?);
    revocation.next_try_at = bench.minutes(2);
    assert_eq!(bench.store.revocation_of(&grant.id).await?, Some(revocation));
    Ok(())
}

async fn finished(bench: Bench) -> Outcome {
    let (grant, revocation) = ended(&bench).await?;
    bench.store.note_grant_error(&grant.id, Some(bench.last_error("earlier"))).await?;
    assert!(bench.store.finish_revocation(&revocation.id, RevocationOutcome::Revoked, bench.minutes(30)).await?);
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.state, stored.state_since), (GrantState::Disconnected, bench.minutes(30)));
    assert_eq!(stored.last_error, None);
    assert_eq!(bench.store.revocation_of(&grant.id).await?, None);
    assert!(!bench.store.has_sealed_rows().await?);

    let (id, error) = (&revocation.id, bench.last_error("late"));
    assert!(!bench.store.finish_revocation(id, RevocationOutcome::Revoked, bench.now()).await?);
    assert!(!bench.store.postpone_revocation(id, bench.now(), &error).await?);
    assert!(!bench.store.update_revocation_tokens(id, &revocation.tokens, bench.now()).await?);
    Ok(())
}

async fn given_up(bench: Bench) -> Outcome {
    let (grant, revocation) = ended(&bench).await?;
    let error = bench.last_error("the platform is down");
    assert!(bench.store.postpone_revocation(&revocation.id, bench.minutes(20), &error).await?);
    assert!(bench.store.finish_revocation(&revocation.id, RevocationOutcome::GivenUp, bench.now()).await?);
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.state, stored.last_error), (GrantState::Disconnected, Some(error)));
    Ok(())
}
