//! Refreshes.

use std::sync::Arc;

use connector_core::scope::{GrantScopes, Granted, GrantedSource, split_scopes};
use jiff::SignedDuration;
use tokio::task::JoinSet;

use super::bench::{Bench, TENANT, sealed};
use super::{Check, Outcome};
use crate::store::{
    AuditFilter, AuditId, AuditRecord, Begun, DueRefreshes, GrantId, GrantRecord, GrantState, RefreshMark,
    RefreshTerms, Settlement,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a refresh replaces all there was", run: |bench| Box::pin(replaces(bench)) },
    Check { name: "a refresh forgets nothing that was granted", run: |bench| Box::pin(remembers(bench)) },
    Check { name: "of many senders one may send", run: |bench| Box::pin(one_sender(bench)) },
    Check { name: "of many new tokens of a generation one is taken", run: |bench| Box::pin(one_taken(bench)) },
    Check { name: "what has moved is not sent", run: |bench| Box::pin(moved(bench)) },
    Check { name: "a failure of an older attempt changes nothing", run: |bench| Box::pin(older_attempt(bench)) },
    Check { name: "new tokens win over what was concluded", run: |bench| Box::pin(late_success(bench)) },
    Check { name: "new tokens of an ended grant are not taken", run: |bench| Box::pin(ended(bench)) },
    Check { name: "an answer that cannot be read is kept", run: |bench| Box::pin(kept(bench)) },
    Check { name: "one that comes late is kept too", run: |bench| Box::pin(kept_late(bench)) },
    Check { name: "new tokens of a held grant leave it held", run: |bench| Box::pin(held(bench)) },
    Check { name: "a refused request is parked", run: |bench| Box::pin(parked(bench)) },
    Check { name: "a refused app is asked for once a minute and told once", run: |bench| Box::pin(app_refused(bench)) },
    Check { name: "an app that was asked to wait waits", run: |bench| Box::pin(asked_to_wait(bench)) },
    Check { name: "what is due is found", run: |bench| Box::pin(due(bench)) },
];

pub(super) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// No rest, so that a check need not wait.
pub(super) const RESTLESS: RefreshTerms =
    RefreshTerms { quarantine: SignedDuration::ZERO, repeat_within: SignedDuration::ZERO, most_unanswered: Some(2) };
pub(super) const RESTFUL: RefreshTerms = RefreshTerms { quarantine: SignedDuration::from_hours(1), ..RESTLESS };

pub(super) async fn may_send(
    bench: &Bench,
    grant: &GrantRecord,
    attempt: &str,
    terms: RefreshTerms,
) -> Result<GrantRecord> {
    match bench.begin(grant, attempt, terms).await? {
        Begun::Send(record) => Ok(*record),
        other => Err(format!("it may not be sent: {other:?}").into()),
    }
}

async fn replaces(bench: Bench) -> Outcome {
    let mut grant = bench.stored_grant().await?;
    let sent = may_send(&bench, &grant, "a", RESTFUL).await?;
    let mark = RefreshMark { attempt: Some("a".to_owned()), sent_at: bench.store_time(&sent), unanswered: 0 };
    assert_eq!(sent, GrantRecord { refresh_mark: Some(mark), ..grant.clone() });
    assert_eq!(bench.read(&grant).await?, sent, "the attempt is on record");
    let new = bench.refreshed("second");
    assert!(bench.settle(&grant, "a", Settlement::Refreshed(Box::new(new.clone()))).await?);
    (grant.access, grant.access_expires_at) = (Some(new.access), new.access_expires_at);
    (grant.refresh, grant.refresh_expires_at) = (new.refresh, new.refresh_expires_at);
    (grant.generation, grant.updated_at, grant.issued_at) = (2, bench.minutes(1), new.issued_at);
    grant.scopes = GrantScopes { ever_granted: grant.scopes.ever_granted, ..new.scopes };
    grant.last_error = None;
    assert_eq!(bench.read(&grant).await?, grant);
    Ok(())
}

async fn remembers(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mut scopes = grant.scopes.clone();
    let inherited = ["publish".parse()?].into();
    bench.store.link_accounts(TENANT, &grant.id, &inherited, vec![], bench.now()).await?;
    scopes.observe(Granted::Known { scopes: split_scopes("list"), source: GrantedSource::Token });
    let new = crate::store::Refreshed { scopes: scopes.clone(), ..bench.refreshed("second") };
    assert!(bench.settle(&grant, "a", Settlement::Refreshed(Box::new(new))).await?);
    scopes.ever_granted.extend(inherited);
    assert_eq!(bench.read(&grant).await?.scopes, scopes);
    Ok(())
}

async fn one_sender(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mut senders = JoinSet::new();
    for number in 0..50 {
        let (bench, grant) = (bench.clone(), grant.clone());
        senders.spawn(async move { bench.begin(&grant, &number.to_string(), RESTFUL).await });
    }
    let mut allowed = Vec::new();
    while let Some(sender) = senders.join_next().await {
        match sender?? {
            Begun::Send(record) => allowed.push(*record),
            Begun::UnderWay => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(allowed.len(), 1);
    assert_eq!(bench.read(&grant).await?, allowed.remove(0));
    Ok(())
}

async fn one_taken(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mut racers = JoinSet::new();
    for number in 0..50 {
        let (bench, grant, new) = (bench.clone(), grant.clone(), bench.refreshed(&number.to_string()));
        racers.spawn(async move {
            let access = new.access.clone();
            let taken = bench.settle(&grant, &number.to_string(), Settlement::Refreshed(Box::new(new))).await;
            taken.map(|taken| taken.then_some(access))
        });
    }
    let mut winners = Vec::new();
    while let Some(racer) = racers.join_next().await {
        winners.extend(racer??);
    }
    assert_eq!(winners.len(), 1);
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.generation, stored.access), (2, winners.pop()));
    Ok(())
}

async fn moved(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let mut others = vec![grant.clone(), grant.clone(), grant.clone()];
    (others[0].generation, others[1].id) = (2, GrantId::new(&bench.cx)?);
    "other".clone_into(&mut others[2].tenant);
    for state in [
        GrantState::Held { reason: "imported".to_owned() },
        GrantState::ReauthRequired { reason: "key_lost".to_owned() },
    ] {
        let other = GrantRecord { state, ..bench.grant()? };
        bench.put_grant(&other).await?;
        others.push(other);
    }
    for other in others {
        let begun = bench.begin(&other, "a", RESTLESS).await?;
        assert!(matches!(begun, Begun::Moved), "{begun:?}");
    }
    assert_eq!(bench.read(&grant).await?, grant);
    Ok(())
}

async fn older_attempt(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    may_send(&bench, &grant, "a", RESTLESS).await?;
    let sent = may_send(&bench, &grant, "b", RESTLESS).await?;
    let failures = [
        Settlement::NotSent,
        Settlement::InDoubt,
        Settlement::Refused,
        Settlement::AppRefused { credentials: "c".to_owned() },
        Settlement::Rejected { reason: "refresh_token_rejected".to_owned() },
    ];
    for failure in &failures {
        assert!(!bench.settle(&grant, "a", failure.clone()).await?, "{failure:?}");
    }
    assert_eq!(bench.read(&grant).await?, sent);
    assert_eq!(bench.store.app_health().await?, []);
    assert!(bench.settle(&grant, "b", Settlement::Refreshed(Box::new(bench.refreshed("second")))).await?);
    for failure in failures {
        assert!(!bench.settle(&grant, "b", failure).await?, "the generation is another");
    }
    assert_eq!(bench.read(&grant).await?.state, GrantState::Active);
    Ok(())
}

async fn late_success(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    may_send(&bench, &grant, "stopped", RESTLESS).await?;
    may_send(&bench, &grant, "probe", RESTLESS).await?;
    assert!(bench.settle(&grant, "probe", Settlement::Rejected { reason: "refresh_result_lost".to_owned() }).await?);
    assert!(bench.settle(&grant, "stopped", Settlement::Refreshed(Box::new(bench.refreshed("late")))).await?);
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.state, stored.generation, stored.access), (GrantState::Active, 2, Some(sealed("late"))));
    assert_eq!(stored.state_since, bench.minutes(1));
    Ok(())
}

async fn ended(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    may_send(&bench, &grant, "a", RESTLESS).await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    let gone = GrantRecord { id: GrantId::new(&bench.cx)?, ..grant.clone() };
    for grant in [&grant, &gone, &GrantRecord { generation: 2, ..grant.clone() }] {
        assert!(!bench.settle(grant, "a", Settlement::Refreshed(Box::new(bench.refreshed("late")))).await?);
        assert!(!bench.settle(grant, "a", Settlement::InDoubt).await?);
    }
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.access, stored.refresh_mark, stored.state), (None, None, GrantState::Disconnected));
    Ok(())
}

async fn kept(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    may_send(&bench, &grant, "a", RESTLESS).await?;
    assert!(bench.settle(&grant, "a", Settlement::Unreadable(sealed("answer"))).await?);
    let kept = match bench.begin(&grant, "b", RESTLESS).await? {
        Begun::AnswerKept(record) => *record,
        other => panic!("{other:?}"),
    };
    assert_eq!((kept.kept_answer.clone(), kept.state.clone()), (Some(sealed("answer")), GrantState::Active));
    assert_eq!(bench.read(&grant).await?, kept);
    assert_eq!(bench.store.kept_answers().await?.len(), 1);
    assert!(bench.settle(&grant, "", Settlement::Refreshed(Box::new(bench.refreshed("read")))).await?);
    assert_eq!(bench.read(&grant).await?.kept_answer, None);
    assert_eq!(bench.store.kept_answers().await?, []);
    Ok(())
}

async fn kept_late(bench: Bench) -> Outcome {
    let keep = || Settlement::Unreadable(sealed("answer"));
    let rejected = || Settlement::Rejected { reason: "refresh_result_lost".to_owned() };
    let grant = bench.stored_grant().await?;
    may_send(&bench, &grant, "stopped", RESTLESS).await?;
    may_send(&bench, &grant, "probe", RESTLESS).await?;
    assert!(bench.settle(&grant, "stopped", keep()).await?);
    assert!(!bench.settle(&grant, "probe", rejected()).await?, "what was kept may hold the newer token");
    assert!(!bench.settle(&grant, "again", keep()).await?, "one is kept");
    assert!(matches!(bench.begin(&grant, "b", RESTLESS).await?, Begun::AnswerKept(_)));

    let concluded = bench.stored_grant().await?;
    may_send(&bench, &concluded, "stopped", RESTLESS).await?;
    may_send(&bench, &concluded, "probe", RESTLESS).await?;
    assert!(bench.settle(&concluded, "probe", rejected()).await?);
    assert!(bench.settle(&concluded, "stopped", keep()).await?);
    let stored = bench.read(&concluded).await?;
    assert_eq!((stored.state, stored.kept_answer), (GrantState::Active, Some(sealed("answer"))));
    assert_eq!(stored.state_since, bench.minutes(1));
    assert_eq!(bench.store.kept_answers().await?.len(), 2);
    Ok(())
}

async fn held(bench: Bench) -> Outcome {
    let state = GrantState::Held { reason: "imported".to_owned() };
    let grant = GrantRecord { state: state.clone(), ..bench.grant()? };
    bench.put_grant(&grant).await?;
    assert!(bench.settle(&grant, "a", Settlement::Refreshed(Box::new(bench.refreshed("late")))).await?);
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.state, stored.generation, stored.access), (state, 2, Some(sealed("late"))));
    Ok(())
}

async fn parked(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    may_send(&bench, &grant, "a", RESTLESS).await?;
    assert!(bench.settle_audited(&grant, "a", Settlement::Refused).await?);
    let begun = bench.begin(&grant, "b", RESTLESS).await?;
    assert!(matches!(begun, Begun::Parked(_)), "{begun:?}");
    let stored = bench.read(&grant).await?;
    assert_eq!((stored.refresh_mark, stored.state), (None, GrantState::Active));
    assert!(stored.last_error.is_some());
    Ok(())
}

async fn app_refused(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    let refused = || Settlement::AppRefused { credentials: "credentials".to_owned() };
    may_send(&bench, &grant, "a", RESTLESS).await?;
    assert!(bench.settle_audited(&grant, "a", refused()).await?);
    for other in [grant.clone(), bench.stored_grant().await?] {
        let begun = bench.begin(&other, "b", RESTLESS).await?;
        assert!(matches!(&begun, Begun::AppBlocked(health) if health.refuses("credentials")), "{begun:?}");
        assert_eq!(bench.read(&other).await?.state, GrantState::Active);
    }
    let corrected = bench.begin_with(&grant, "c", RESTLESS, "corrected").await?;
    assert!(matches!(corrected, Begun::Send(_)), "{corrected:?}");
    assert!(bench.settle_audited(&grant, "c", refused()).await?);
    let filter = AuditFilter { grant: Some(grant.id.clone()), ..AuditFilter::default() };
    let on_record = bench.store.audit(TENANT, &filter).await?;
    let settled = on_record.iter().filter(|record| record.event != "access_allowed").count();
    assert_eq!(settled, 1, "the second time is no news");
    assert!(matches!(bench.begin_with(&grant, "d", RESTLESS, "corrected").await?, Begun::Send(_)));
    assert!(bench.settle(&grant, "d", Settlement::Refreshed(Box::new(bench.refreshed("second")))).await?);
    assert_eq!(bench.store.app_health().await?, []);
    Ok(())
}

async fn asked_to_wait(bench: Bench) -> Outcome {
    let grant = bench.stored_grant().await?;
    for wait in
        [Some(SignedDuration::from_mins(5)), None, Some(SignedDuration::from_hours(9_999)), Some(SignedDuration::MIN)]
    {
        may_send(&bench, &grant, "a", RESTLESS).await?;
        assert!(bench.settle_audited(&grant, "a", Settlement::AskedToWait(wait)).await?);
        let begun = bench.begin(&grant, "b", RESTLESS).await?;
        let Begun::AppBlocked(health) = begun else { panic!("{begun:?}") };
        let until = health.next_try_at.ok_or("no time is said")?;
        let wait = until.duration_since(health.since);
        assert!(wait.is_positive() && wait <= SignedDuration::from_hours(1), "{wait}");
        assert!(matches!(bench.begin_with(&grant, "b", RESTLESS, "other").await?, Begun::AppBlocked(_)));
        let other = bench.grant()?;
        let other = GrantRecord { app: "second".to_owned(), ..other };
        bench.put_grant(&other).await?;
        may_send(&bench, &other, "x", RESTLESS).await?;
        // A refused request is an answer all the same.
        bench.clear_health(&grant).await?;
    }
    Ok(())
}

async fn due(bench: Bench) -> Outcome {
    let platform = bench.grant()?.platform;
    let unsettled = |minutes, keep_fresh: bool, hours| {
        let app = (platform.clone(), "default".to_owned());
        let due = DueRefreshes {
            now: bench.minutes(minutes),
            keep_fresh: keep_fresh.then_some(app).into_iter().collect(),
            unsettled_for: SignedDuration::from_hours(hours),
            limit: 10,
        };
        let store = Arc::clone(&bench.store);
        async move {
            store.due_refreshes(&due).await.map(|found| found.into_iter().map(|due| due.grant).collect::<Vec<_>>())
        }
    };
    let look = |minutes, keep_fresh| unsettled(minutes, keep_fresh, 1);
    let nobody = Vec::<GrantId>::new();
    let grant = GrantRecord { refresh_expires_at: Some(bench.minutes(4_000)), ..bench.grant()? };
    bench.put_grant(&grant).await?;
    for state in [
        GrantState::Held { reason: "imported".to_owned() },
        GrantState::ReauthRequired { reason: "key_lost".to_owned() },
    ] {
        bench
            .put_grant(&GrantRecord { state, ..GrantRecord { id: GrantId::new(&bench.cx)?, ..grant.clone() } })
            .await?;
    }
    let mine = vec![grant.id.clone()];
    assert_eq!(look(89, true).await?, nobody);
    assert_eq!(look(90, true).await?, mine, "three quarters of two hours");
    assert_eq!(look(2_999, false).await?, nobody);
    assert_eq!(look(3_000, false).await?, mine, "three quarters of the refresh token's life");

    may_send(&bench, &grant, "a", RESTFUL).await?;
    // The clock of the store says how long ago that was.
    let sent_at = bench.read(&grant).await?.refresh_mark.ok_or("no mark")?.sent_at;
    let minutes = sent_at.duration_since(bench.now()).as_mins();
    assert_eq!(unsettled(minutes, false, 1).await?, nobody);
    assert_eq!(unsettled(minutes, false, -1).await?, mine, "nobody ended the attempt");
    assert!(bench.settle(&grant, "a", Settlement::Unreadable(sealed("answer"))).await?);
    assert_eq!(unsettled(minutes, false, -1).await?, nobody, "there is nothing to ask");
    Ok(())
}

impl Bench {
    pub(super) async fn begin(
        &self,
        grant: &GrantRecord,
        attempt: &str,
        terms: RefreshTerms,
    ) -> crate::store::Result<Begun> {
        self.begin_with(grant, attempt, terms, "credentials").await
    }

    /// What the store noted of an attempt, which its own clock timed.
    fn store_time(&self, sent: &GrantRecord) -> jiff::Timestamp {
        sent.refresh_mark.as_ref().map_or(self.now(), |mark| mark.sent_at)
    }

    /// The platform looks at a request of the app again.
    pub(super) async fn clear_health(&self, grant: &GrantRecord) -> Outcome {
        let other = self.stored_grant().await?;
        let new = Settlement::Refreshed(Box::new(self.refreshed("x")));
        assert_eq!((&other.platform, &other.app), (&grant.platform, &grant.app));
        assert!(self.settle(&other, "x", new).await?);
        Ok(())
    }

    /// Ends an attempt with a record of it.
    async fn settle_audited(
        &self,
        grant: &GrantRecord,
        attempt: &str,
        settlement: Settlement,
    ) -> crate::store::Result<bool> {
        let now = self.minutes(1);
        let audit = AuditRecord {
            id: AuditId::new(&self.cx).map_err(crate::store::StoreError::database)?,
            at: now,
            tenant: grant.tenant.clone(),
            event: "settled".to_owned(),
            connection: None,
            grant: Some(grant.id.clone()),
            detail: "{}".to_owned(),
        };
        self.settle_with(grant, attempt, settlement, Some(audit), now).await
    }
}
