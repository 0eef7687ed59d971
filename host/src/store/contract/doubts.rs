//! Doubts: what is known of a token whose request was not answered.

use jiff::SignedDuration;

use super::bench::Bench;
use super::refreshes::{RESTFUL, RESTLESS, may_send};
use super::{Check, Outcome};
use crate::store::{Begun, GrantRecord, GrantState, RefreshTerms, Settlement};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a token rests after a doubt", run: |bench| Box::pin(rests(bench)) },
    Check { name: "a token that works for a moment is repeated once in it", run: |bench| Box::pin(repeated(bench)) },
    Check { name: "doubts are counted until they are too many", run: |bench| Box::pin(counted(bench)) },
    Check {
        name: "what was not processed leaves the doubts as they were",
        run: |bench| Box::pin(not_processed(bench)),
    },
    Check { name: "while nobody is answered nothing is concluded", run: |bench| Box::pin(down(bench)) },
];

async fn rests(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    assert_eq!(bench.store.count_doubts().await?, 0);
    may_send(&bench, &grant, "a", RESTFUL).await?;
    assert!(matches!(bench.begin(&grant, "b", RESTFUL).await?, Begun::UnderWay), "somebody is at it");
    assert!(bench.settle(&grant, "a", Settlement::InDoubt).await?);
    match bench.begin(&grant, "b", RESTFUL).await? {
        Begun::Quarantined(left) => assert!(left.is_positive() && left <= RESTFUL.quarantine, "{left}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.store.count_doubts().await?, 1);
    Ok(())
}

async fn repeated(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let graceful = RefreshTerms { repeat_within: SignedDuration::from_mins(30), ..RESTFUL };
    let first = may_send(&bench, &grant, "a", graceful).await?;
    assert!(bench.settle(&grant, "a", Settlement::InDoubt).await?);
    let again = may_send(&bench, &grant, "b", graceful).await?;
    assert!(matches!(bench.begin(&grant, "c", graceful).await?, Begun::UnderWay), "not while somebody is at it");
    let sent_at = |grant: GrantRecord| grant.refresh_mark.map(|mark| mark.sent_at);
    assert_eq!(sent_at(again), sent_at(first), "the moment counts from the first request");
    assert!(bench.settle(&grant, "b", Settlement::InDoubt).await?);
    let begun = bench.begin(&grant, "c", graceful).await?;
    assert!(matches!(begun, Begun::Quarantined(_)), "{begun:?}");
    Ok(())
}

/// Somebody else is answered, so that a doubt is the grant's own.
async fn others_are_answered(bench: &Bench) -> Outcome {
    let other = bench.stored_grant().await?;
    may_send(bench, &other, "x", RESTLESS).await?;
    assert!(bench.settle(&other, "x", Settlement::Refused).await?);
    Ok(())
}

async fn counted(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    for (attempt, unanswered) in [("a", 0), ("b", 1), ("c", 2)] {
        let sent = may_send(&bench, &grant, attempt, RESTLESS).await?;
        assert_eq!(sent.refresh_mark.map(|mark| mark.unanswered), Some(unanswered));
        // The second one is never ended: its process died.
        if attempt != "b" {
            assert!(bench.settle(&grant, attempt, Settlement::InDoubt).await?);
        }
        others_are_answered(&bench).await?;
    }
    let begun = bench.begin(&grant, "d", RESTLESS).await?;
    assert!(matches!(begun, Begun::TooManyInDoubt(_)), "{begun:?}");
    let reason = "refresh_result_lost".to_owned();
    assert!(bench.settle(&grant, "d", Settlement::Rejected { reason: reason.clone() }).await?);
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.state, stored.refresh_mark), (GrantState::ReauthRequired { reason }, None));
    assert_eq!((stored.access, stored.generation), (grant.access.clone(), 1), "a late answer may still come");
    let harmless = RefreshTerms { most_unanswered: None, ..RESTLESS };
    let other = bench.stored_grant().await?;
    for attempt in ["a", "b", "c", "d", "e"] {
        may_send(&bench, &other, attempt, harmless).await?;
    }
    Ok(())
}

async fn not_processed(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let neutral = || [Settlement::NotSent, Settlement::AskedToWait(None)];
    for settlement in neutral() {
        may_send(&bench, &grant, "a", RESTFUL).await?;
        assert!(bench.settle(&grant, "a", settlement).await?);
        assert_eq!(bench.read(&grant).await?.refresh_mark, None, "the token was never sent");
        bench.clear_health(&grant).await?;
    }
    may_send(&bench, &grant, "a", RESTFUL).await?;
    assert!(bench.settle(&grant, "a", Settlement::InDoubt).await?);
    for settlement in neutral() {
        may_send(&bench, &grant, "b", RESTLESS).await?;
        assert!(bench.settle(&grant, "b", settlement).await?);
        let mark = bench.read(&grant).await?.refresh_mark;
        assert_eq!(mark.map(|mark| (mark.attempt, mark.unanswered)), Some((None, 1)));
        bench.clear_health(&grant).await?;
    }
    Ok(())
}

async fn down(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    for attempt in ["a", "b", "c"] {
        may_send(&bench, &grant, attempt, RESTLESS).await?;
        assert!(bench.settle(&grant, attempt, Settlement::InDoubt).await?);
    }
    let [health] = bench.store.app_health().await?.try_into().map_err(|_| "one app is unwell")?;
    assert!(health.is_down() && health.failures == 3, "{health:?}");
    for unlucky in [grant.clone(), bench.stored_grant().await?] {
        let begun = bench.begin(&unlucky, "d", RESTLESS).await?;
        assert!(matches!(begun, Begun::AppBlocked(_)), "nothing is concluded about a grant: {begun:?}");
        assert_eq!(bench.read(&unlucky).await?.state, GrantState::Active);
    }
    bench.clear_health(&grant).await?;
    let sent = may_send(&bench, &grant, "d", RESTLESS).await?;
    assert_eq!(sent.refresh_mark.map(|mark| mark.unanswered), Some(2), "what nobody was answered says nothing of one");
    Ok(())
}
