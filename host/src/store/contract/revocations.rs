//! Revocations.

use jiff::SignedDuration;
use tokio::task::JoinSet;

use super::bench::{Bench, TENANT, sealed};
use super::{Check, Outcome};
use crate::store::{GrantRecord, GrantState, RevocationOutcome, RevocationRecord, RevocationTokens, StoreError};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a revocation is due when its time has come", run: |bench| Box::pin(due(bench)) },
    Check { name: "a revocation is put off with what went wrong", run: |bench| Box::pin(postponed(bench)) },
    Check { name: "a revocation is due at once by any clock", run: |bench| Box::pin(due_at_once(bench)) },
    Check { name: "who lost a revocation writes nothing to it", run: |bench| Box::pin(fenced(bench)) },
    Check { name: "of many who would revoke one may", run: |bench| Box::pin(claimed(bench)) },
    Check { name: "a grant that is over gets a revocation later", run: |bench| Box::pin(put_later(bench)) },
    Check { name: "a finished revocation leaves no token", run: |bench| Box::pin(finished(bench)) },
    Check { name: "a revocation given up says why", run: |bench| Box::pin(given_up(bench)) },
];

/// Longer than any check takes.
const A_WHILE: SignedDuration = SignedDuration::from_hours(9);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A grant that has ended, and its revocation, first due in ten minutes.
async fn ended(bench: &Bench) -> Result<(GrantRecord, RevocationRecord)> {
    let (grant, connection) = bench.linked_one().await?;
    let mut revocation = bench.revocation(&grant)?;
    revocation.next_try_at = bench.minutes(10);
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![revocation.clone()]).await?;
    Ok((grant, revocation))
}

/// The same, due at once.
async fn ended_now(bench: &Bench) -> Result<(GrantRecord, RevocationRecord)> {
    let (grant, connection) = bench.linked_one().await?;
    let revocation = bench.revocation(&grant)?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![revocation.clone()]).await?;
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
    for attempts in [1, 3] {
        assert!(bench.store.postpone_revocation(&revocation, A_WHILE, &error).await?);
        let stored = bench.stored_revocation(&grant).await?;
        assert!(stored.next_try_at >= revocation.created_at + A_WHILE, "it rests as long as that");
        (revocation.attempts, revocation.last_error) = (attempts, Some(error.clone()));
        revocation.next_try_at = stored.next_try_at;
        assert_eq!(stored, revocation);
        assert_eq!(bench.store.claim_revocation(&stored, A_WHILE).await?, None, "it is not due");
        assert!(bench.store.postpone_revocation(&stored, SignedDuration::ZERO, &error).await?);
        revocation = bench.stored_revocation(&grant).await?;
    }
    assert!(bench.store.claim_revocation(&revocation, A_WHILE).await?.is_some(), "now it is");
    Ok(())
}

async fn claimed(bench: Bench) -> Outcome {
    let (grant, revocation) = ended_now(&bench).await?;
    let mut racers = JoinSet::new();
    for _ in 0..5 {
        let (bench, revocation) = (bench.clone(), revocation.clone());
        racers.spawn(async move { bench.store.claim_revocation(&revocation, A_WHILE).await });
    }
    let mut claims = Vec::new();
    for outcome in racers.join_all().await {
        claims.extend(outcome?);
    }
    let stored = bench.stored_revocation(&grant).await?;
    assert_eq!(claims, std::slice::from_ref(&stored), "one has it, as it is stored");
    assert!(stored.next_try_at >= revocation.created_at + A_WHILE);
    assert_eq!(stored.attempts, 0);
    assert_eq!(bench.store.claim_revocation(&stored, A_WHILE).await?, None, "it is reserved");
    Ok(())
}

/// A machine whose clock is ahead makes one for a time that has not come, and it is due all the same.
async fn due_at_once(bench: Bench) -> Outcome {
    for (made, due, expected) in
        [(900_000_000, 900_000_000, true), (900_000_000, 900_000_001, false), (-900, -900, true)]
    {
        let (grant, connection) = bench.linked_one().await?;
        let mut revocation = bench.revocation(&grant)?;
        (revocation.created_at, revocation.next_try_at) = (bench.minutes(made), bench.minutes(due));
        bench.disconnect(TENANT, &connection.id, bench.now(), vec![revocation.clone()]).await?;
        let claim = bench.store.claim_revocation(&revocation, SignedDuration::ZERO).await?;
        assert_eq!(claim.is_some(), expected, "{made} {due}");
    }
    Ok(())
}

/// Whoever took too long finds it in the hands of another, and writes nothing.
async fn fenced(bench: Bench) -> Outcome {
    let (grant, revocation) = ended_now(&bench).await?;
    let at_once = SignedDuration::ZERO;
    let first = bench.store.claim_revocation(&revocation, at_once).await?.ok_or("it is due")?;
    let newer = RevocationTokens { access: Some(sealed("newer")), ..revocation.tokens.clone() };
    let update = bench.store.update_revocation_tokens(&first, &newer, bench.minutes(7), A_WHILE).await?;
    let second = update.ok_or("nobody else has it")?;
    assert_eq!((&second.tokens, second.expires_at), (&newer, bench.minutes(7)), "they die at another time");
    assert_eq!(bench.stored_revocation(&grant).await?, second);
    for stale in [&revocation, &first] {
        let error = bench.last_error("late");
        assert!(!bench.finish(stale, RevocationOutcome::GivenUp, bench.now()).await?);
        assert!(!bench.store.postpone_revocation(stale, A_WHILE, &error).await?);
        let update = bench.store.update_revocation_tokens(stale, &revocation.tokens, bench.now(), A_WHILE).await?;
        assert_eq!(update, None);
    }
    assert_eq!(bench.stored_revocation(&grant).await?, second, "nothing has changed");
    assert!(!bench.on_record().await?.iter().any(|(event, _)| event == "access_revoked"));
    assert!(bench.finish(&second, RevocationOutcome::Revoked, bench.now()).await?);
    Ok(())
}

async fn put_later(bench: Bench) -> Outcome {
    let (live, _) = bench.linked_one().await?;
    let refused = bench.store.put_revocation(&bench.revocation(&live)?).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let (over, first) = ended(&bench).await?;
    assert!(bench.finish(&first, RevocationOutcome::Revoked, bench.now()).await?);
    let second = bench.revocation(&over)?;
    bench.store.put_revocation(&second).await?;
    assert_eq!(bench.read(&over).await?.state, GrantState::Disconnecting);
    let again = bench.store.put_revocation(&bench.revocation(&over)?).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let gone = bench.grant()?;
    bench.store.put_revocation(&bench.revocation(&gone)?).await?;
    Ok(())
}

async fn finished(bench: Bench) -> Outcome {
    let (grant, revocation) = ended(&bench).await?;
    bench.store.note_grant_error(&grant.id, Some(bench.last_error("earlier"))).await?;
    assert!(bench.finish(&revocation, RevocationOutcome::Revoked, bench.minutes(30)).await?);
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.state, stored.state_since), (GrantState::Disconnected, bench.minutes(30)));
    assert_eq!(stored.last_error, None);
    assert_eq!(bench.store.revocation_of(&grant.id).await?, None);
    assert!(!bench.store.has_sealed_rows().await?);

    assert!(!bench.finish(&revocation, RevocationOutcome::Revoked, bench.now()).await?);
    assert!(!bench.store.postpone_revocation(&revocation, A_WHILE, &bench.last_error("late")).await?);
    let update = bench.store.update_revocation_tokens(&revocation, &revocation.tokens, bench.now(), A_WHILE).await?;
    assert_eq!(update, None);
    Ok(())
}

async fn given_up(bench: Bench) -> Outcome {
    let (grant, revocation) = ended(&bench).await?;
    let error = bench.last_error("the platform is down");
    assert!(bench.store.postpone_revocation(&revocation, A_WHILE, &error).await?);
    let revocation = bench.stored_revocation(&grant).await?;
    assert!(bench.finish(&revocation, RevocationOutcome::GivenUp, bench.now()).await?);
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.state, stored.last_error), (GrantState::Disconnected, Some(error)));
    Ok(())
}
