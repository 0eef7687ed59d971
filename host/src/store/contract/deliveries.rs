//! Receivers, and each event's way to them.

use jiff::SignedDuration;
use tokio::task::JoinSet;

use super::bench::{Bench, TENANT, sealed};
use super::{Check, Outcome};
use crate::store::{
    Attempted, Delivery, DeliveryOutcome, EventKind, ReceiverId, ReceiverRecord, Resend, SEALED_TABLES, StoreError,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "receivers are kept as they were given", run: |bench| Box::pin(kept(bench)) },
    Check { name: "a receiver gets new secrets from whoever saw the last", run: |bench| Box::pin(rotated(bench)) },
    Check { name: "the secrets of receivers are sealed anew", run: |bench| Box::pin(resealed(bench)) },
    Check { name: "an event goes to whoever wants it", run: |bench| Box::pin(wanted(bench)) },
    Check { name: "events of a connection are due in their order", run: |bench| Box::pin(in_order(bench)) },
    Check { name: "of many who take a delivery one has it", run: |bench| Box::pin(raced(bench)) },
    Check { name: "who comes late ends no attempt of others", run: |bench| Box::pin(fenced(bench)) },
    Check { name: "dead events are listed and sent again", run: |bench| Box::pin(dead(bench)) },
    Check { name: "a copy delivers nothing", run: |bench| Box::pin(copy(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const LEASE: SignedDuration = SignedDuration::from_mins(1);

impl Bench {
    /// A receiver that wants these kinds, or all where there are none.
    pub(super) async fn receiver(&self, kinds: &[EventKind]) -> Result<ReceiverRecord> {
        let receiver = ReceiverRecord {
            id: ReceiverId::new(&self.cx)?,
            tenant: TENANT.to_owned(),
            url: "https://receiver.example/events".to_owned(),
            kinds: kinds.iter().copied().collect(),
            secret: sealed("secret"),
            previous_secret: None,
            previous_until: None,
            created_at: self.now(),
            disabled_at: None,
            disabled_reason: None,
        };
        self.store.put_receiver(&receiver, &self.audit("receiver_added")?).await?;
        Ok(receiver)
    }

    pub(super) async fn claim(&self, due: &Delivery) -> crate::store::Result<Option<Delivery>> {
        self.store.claim_delivery(due, LEASE).await
    }

    async fn due(&self, receiver: &ReceiverRecord) -> Result<Vec<Delivery>> {
        Ok(self.store.deliveries_due(&receiver.id, 100).await?)
    }

    /// Takes the one that is due.
    async fn take(&self, receiver: &ReceiverRecord) -> Result<Delivery> {
        let due = self.due(receiver).await?.into_iter().next().ok_or("nothing is due")?;
        Ok(self.claim(&due).await?.ok_or("somebody else has it")?)
    }
}

async fn kept(bench: Bench) -> Outcome {
    let all = bench.receiver(&[]).await?;
    let some = bench.receiver(&[EventKind::MetricsRecorded, EventKind::ConnectionCreated]).await?;
    assert_eq!(bench.store.receivers(TENANT).await?, [all.clone(), some.clone()]);
    assert_eq!(bench.store.receivers("other").await?, []);
    assert_eq!(bench.store.every_receiver().await?.len(), 2);
    assert!(bench.store.has_sealed_rows().await?);
    let audit = bench.audit("receiver_disabled")?;
    assert!(bench.store.disable_receiver(&some.id, "gone", bench.minutes(1), &audit).await?);
    assert!(!bench.store.disable_receiver(&some.id, "again", bench.now(), &bench.audit("x")?).await?);
    let disabled =
        ReceiverRecord { disabled_at: Some(bench.minutes(1)), disabled_reason: Some("gone".to_owned()), ..some };
    assert!(!bench.store.remove_receiver("other", &all.id, &bench.audit("x")?).await?);
    assert!(bench.store.remove_receiver(TENANT, &all.id, &bench.audit("receiver_removed")?).await?);
    assert!(!bench.store.remove_receiver(TENANT, &all.id, &bench.audit("x")?).await?);
    assert_eq!(bench.store.receivers(TENANT).await?, [disabled]);
    let events: Vec<_> = bench.on_record().await?.into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["receiver_added", "receiver_added", "receiver_disabled", "receiver_removed"]);
    Ok(())
}

async fn rotated(bench: Bench) -> Outcome {
    let old = bench.receiver(&[]).await?;
    let new = ReceiverRecord {
        secret: sealed("new"),
        previous_secret: Some(sealed("old")),
        previous_until: Some(bench.minutes(60)),
        ..old.clone()
    };
    assert!(bench.store.rotate_receiver(&old.secret, &new, &bench.audit("rotated")?).await?);
    assert!(!bench.store.rotate_receiver(&old.secret, &new, &bench.audit("rotated")?).await?, "it has another");
    assert_eq!(bench.store.receivers(TENANT).await?, [new]);
    Ok(())
}

async fn resealed(bench: Bench) -> Outcome {
    let receiver = bench.receiver(&[]).await?;
    let rows = bench.store.sealed_otherwise("00000001".parse()?, None, 10).await?;
    let [row] = rows.as_slice() else { return Err("one row should be found".into()) };
    assert_eq!(SEALED_TABLES[row.row.table].name, "event_receivers");
    assert_eq!((row.tenant.as_str(), row.row.id.as_str(), row.generation), (TENANT, receiver.id.as_str(), 0));
    assert_eq!(row.values, [Some(sealed("secret")), None]);
    let new = crate::store::Resealed { old: row.clone(), new: vec![Some(sealed("anew")), None] };
    assert_eq!(bench.store.reseal(std::slice::from_ref(&new)).await?, 1);
    assert_eq!(bench.store.reseal(&[new]).await?, 0);
    assert_eq!(bench.store.receivers(TENANT).await?, [ReceiverRecord { secret: sealed("anew"), ..receiver }]);
    Ok(())
}

async fn wanted(bench: Bench) -> Outcome {
    let (all, some) = (bench.receiver(&[]).await?, bench.receiver(&[EventKind::MetricsRecorded]).await?);
    let off = bench.receiver(&[]).await?;
    bench.store.disable_receiver(&off.id, "gone", bench.now(), &bench.audit("x")?).await?;
    let (_, connection) = bench.linked_one().await?;
    bench.count(&connection, 1).await?;
    let late = bench.receiver(&[]).await?;
    let events = bench.events().await?;
    let to = |index: usize| {
        let mut to: Vec<_> = events[index].deliveries.iter().map(|delivery| delivery.receiver.clone()).collect();
        to.sort();
        to
    };
    let both = std::collections::BTreeSet::from([all.id.clone(), some.id.clone()]);
    assert_eq!((to(0), to(1)), (vec![all.id.clone()], both.iter().cloned().collect()));
    let due: std::collections::BTreeSet<_> = bench.store.receivers_due().await?.into_iter().map(|one| one.id).collect();
    assert_eq!(due, both);
    assert!(bench.due(&late).await?.is_empty() && bench.due(&off).await?.is_empty());
    bench.store.disable_receiver(&all.id, "gone", bench.now(), &bench.audit("x")?).await?;
    assert_eq!(bench.store.receivers_due().await?, [some], "a disabled receiver gets nothing more");
    Ok(())
}

async fn in_order(bench: Bench) -> Outcome {
    let receiver = bench.receiver(&[]).await?;
    let (_, connections) = bench.linked(&["acct-1", "acct-2"]).await?;
    for connection in &connections {
        bench.count(connection, 1).await?;
    }
    let due = bench.due(&receiver).await?;
    let kinds: Vec<_> = due.iter().map(|due| due.event.kind).collect();
    assert_eq!(kinds, [EventKind::ConnectionCreated; 2], "the first of each connection");
    let claimed = bench.claim(&due[0]).await?.ok_or("it is due")?;
    assert_eq!(claimed.record.attempts, 1);
    assert_eq!(bench.due(&receiver).await?, due[1..], "it is under way, and what is behind it waits");
    let error = bench.last_error("busy");
    let again = Attempted::Again(SignedDuration::from_mins(5), error.clone());
    assert!(bench.store.settle_delivery(&claimed, &again).await?);
    assert_eq!(bench.due(&receiver).await?, due[1..], "it rests, and what is behind it waits");
    let rests = bench.events().await?[0].deliveries.remove(0);
    assert_eq!((rests.attempts, rests.last_error), (1, Some(error)));

    let other = bench.claim(&due[1]).await?.ok_or("it is due")?;
    assert!(bench.store.settle_delivery(&other, &Attempted::Delivered).await?);
    let next = bench.due(&receiver).await?;
    let next: Vec<_> = next.iter().map(|due| (due.event.kind, &due.event.connection)).collect();
    assert_eq!(next, [(EventKind::MetricsRecorded, &connections[1].id)]);
    Ok(())
}

async fn raced(bench: Bench) -> Outcome {
    let receiver = bench.receiver(&[]).await?;
    bench.linked_one().await?;
    let due = bench.due(&receiver).await?.remove(0);
    let mut racers = JoinSet::new();
    for _ in 0..8 {
        let (bench, due) = (bench.clone(), due.clone());
        racers.spawn(async move { bench.claim(&due).await });
    }
    let mut taken = 0;
    for outcome in racers.join_all().await {
        taken += usize::from(outcome?.is_some());
    }
    assert_eq!(taken, 1);
    Ok(())
}

async fn fenced(bench: Bench) -> Outcome {
    let receiver = bench.receiver(&[]).await?;
    bench.linked_one().await?;
    let due = bench.due(&receiver).await?.remove(0);
    let claimed = bench.take(&receiver).await?;
    assert!(!bench.store.settle_delivery(&due, &Attempted::Delivered).await?, "it was taken meanwhile");
    assert!(bench.store.settle_delivery(&claimed, &Attempted::Released).await?);
    let free = bench.due(&receiver).await?;
    assert_eq!(free[0].record.attempts, 0, "it was not tried after all");
    let again = bench.take(&receiver).await?;
    assert!(bench.store.settle_delivery(&again, &Attempted::Delivered).await?);
    assert!(!bench.store.settle_delivery(&again, &Attempted::Dead(bench.last_error("late"))).await?);
    assert_eq!(bench.claim(&free[0]).await?, None);
    Ok(())
}

async fn dead(bench: Bench) -> Outcome {
    let receiver = bench.receiver(&[]).await?;
    let (_, connection) = bench.linked_one().await?;
    bench.count(&connection, 1).await?;
    let claimed = bench.take(&receiver).await?;
    assert!(bench.store.settle_delivery(&claimed, &Attempted::Dead(bench.last_error("gone"))).await?);
    assert_eq!(bench.due(&receiver).await?[0].event.kind, EventKind::MetricsRecorded, "the next one has its turn");
    let filter = crate::store::EventFilter { tenant: TENANT.to_owned(), dead: true, ..Default::default() };
    let listed = bench.store.events_page(&filter, None, 9).await?.items;
    assert_eq!(listed.len(), 1);
    let way = &listed[0].deliveries[0];
    assert_eq!((way.outcome, way.attempts), (Some(DeliveryOutcome::Dead), 1));

    let resend = async |tenant: &str, which: &Resend| {
        bench.store.resend_events(tenant, which, &bench.audit("events_resent")?).await
    };
    assert_eq!(resend("other", &Resend::Dead).await?, 0);
    assert_eq!(resend(TENANT, &Resend::Dead).await?, 1);
    assert_eq!(resend(TENANT, &Resend::Dead).await?, 0);
    let first = &listed[0].event.id;
    assert_eq!(resend(TENANT, &Resend::One(first.clone())).await?, 0, "it is on its way");
    let due = bench.due(&receiver).await?;
    assert_eq!(due.iter().map(|due| &due.event.id).collect::<Vec<_>>(), [first], "before what is behind it");
    assert_eq!(due[0].record.attempts, 0);
    let claimed = bench.take(&receiver).await?;
    assert!(bench.store.settle_delivery(&claimed, &Attempted::Delivered).await?);
    let late = bench.receiver(&[]).await?;
    assert_eq!(resend("other", &Resend::One(first.clone())).await?, 0);
    assert_eq!(resend(TENANT, &Resend::One(first.clone())).await?, 2, "also to whoever came later");
    assert_eq!(bench.due(&late).await?.len(), 1);
    Ok(())
}

async fn copy(bench: Bench) -> Outcome {
    let receiver = bench.receiver(&[]).await?;
    bench.linked_one().await?;
    let due = bench.due(&receiver).await?.remove(0);
    bench.store.adopt(&"elsewhere".parse()?, &bench.audit("store_adopted")?).await?;
    let audit = bench.audit("x")?;
    let refused = [
        bench.claim(&due).await.map(drop),
        bench.store.put_receiver(&receiver, &audit).await,
        bench.store.rotate_receiver(&receiver.secret, &receiver, &audit).await.map(drop),
        bench.store.disable_receiver(&receiver.id, "x", bench.now(), &audit).await.map(drop),
        bench.store.remove_receiver(TENANT, &receiver.id, &audit).await.map(drop),
        bench.store.resend_events(TENANT, &Resend::Dead, &audit).await.map(drop),
        bench.store.prune_events(bench.now()).await.map(drop),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(StoreError::NotOurs { .. })), "{refused:?}");
    }
    assert_eq!(bench.store.receivers(TENANT).await?, [receiver], "everything can be seen");
    Ok(())
}
