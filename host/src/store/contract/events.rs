//! Events: each change tells of itself, once and in order.

use jiff::SignedDuration;

use super::bench::{Bench, TENANT};
use super::{Check, Outcome};
use crate::store::{AuditRecord, GrantState};
use crate::store::{
    ConnectionRecord, ConnectionState, EventDetail, EventFilter, EventKind, ListedEvent, Purge, Reading, Refreshed,
    Settlement, StateChange,
};
use connector_core::scope::{GrantScopes, Granted, GrantedSource, split_scopes};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a change of a connection is an event", run: |bench| Box::pin(told(bench)) },
    Check { name: "what a refresh changes is an event, and nothing else is", run: |bench| Box::pin(refreshed(bench)) },
    Check { name: "a grant tells of each live connection", run: |bench| Box::pin(each(bench)) },
    Check { name: "what is refused is no event", run: |bench| Box::pin(refused(bench)) },
    Check { name: "events are given by the page, each once", run: |bench| Box::pin(paged(bench)) },
    Check { name: "the body of an event is made once", run: |bench| Box::pin(made_once(bench)) },
    Check { name: "a purge erases what events know", run: |bench| Box::pin(erased(bench)) },
    Check { name: "old events are pruned", run: |bench| Box::pin(pruned(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl Bench {
    /// All events, the earliest first.
    pub(super) async fn events(&self) -> Result<Vec<ListedEvent>> {
        let filter = EventFilter { tenant: TENANT.to_owned(), ..EventFilter::default() };
        Ok(self.store.events_page(&filter, None, 1_000).await?.items)
    }

    /// Stores a reading of this many followers.
    pub(super) async fn count(&self, connection: &ConnectionRecord, followers: i64) -> Result<()> {
        let observed_at = self.minutes(followers);
        let values = [("followers".parse()?, followers)].into();
        let reading = Reading { observed_at, values, missing: [].into(), log_id: None };
        Ok(self.store.append_samples(&connection.id, &reading).await?)
    }
}

/// The kinds of events, with the state and reason where they tell one.
fn shown(events: &[ListedEvent]) -> Vec<String> {
    let show = |listed: &ListedEvent| {
        let kind = listed.event.kind;
        match listed.event.facts.as_ref().map(|facts| &facts.detail) {
            Some(EventDetail::Stands { now, .. }) => {
                format!("{kind} {} {}", now.state.as_str(), now.reason.as_deref().unwrap_or("-"))
            }
            Some(EventDetail::Counted { values, .. }) => format!("{kind} {}", values.len()),
            None => format!("{kind} erased"),
        }
    };
    events.iter().map(show).collect()
}

async fn told(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    bench.count(&connection, 7).await?;
    let ended = GrantState::ReauthRequired { reason: "user_revoked".to_owned() };
    assert!(bench.set_state(&grant.id, 1, &ended, bench.minutes(1)).await?);
    let again = bench.stored_grant().await?;
    bench.link(&again, vec![bench.account("acct-1")?], bench.minutes(2)).await?;
    bench.disconnect(TENANT, &connection.id, bench.minutes(3), vec![bench.revocation(&again)?]).await?;
    let events = bench.events().await?;
    let expected = [
        "connection.created active -",
        "metrics.recorded 1",
        "connection.state_changed reauth_required user_revoked",
        "connection.state_changed active -",
        "connection.disconnected disconnecting -",
    ];
    assert_eq!(shown(&events), expected);
    assert!(events.iter().all(|listed| listed.event.connection == connection.id && listed.deliveries.is_empty()));
    let facts = events[2].event.facts.clone().ok_or("the facts are gone")?;
    assert_eq!((facts.account_id.as_str(), facts.platform.as_str()), ("acct-1", "lantern"));
    let EventDetail::Stands { now, before } = facts.detail else { return Err("it should tell how it stands".into()) };
    assert_eq!((now.since, now.scopes), (bench.minutes(1), grant.scopes), "as it was then");
    assert_eq!(before.map(|before| before.state), Some(ConnectionState::Active));
    Ok(())
}

async fn refreshed(bench: Bench) -> Outcome {
    let (grant, _) = bench.linked_one().await?;
    let scopes = |text: &str| {
        let granted = Granted::Known { scopes: split_scopes(text), source: GrantedSource::Token };
        GrantScopes::of_flow(split_scopes(text), granted)
    };
    let (mut grant, mut expected) = (grant, vec!["connection.created active -"]);
    for (granted, is_told) in [("basic stats", false), ("basic stats list", true), ("basic", true), ("basic", false)] {
        let new = Refreshed { scopes: scopes(granted), ..bench.refreshed("next") };
        assert!(bench.settle(&grant, "a", Settlement::Refreshed(Box::new(new))).await?);
        grant = bench.read(&grant).await?;
        expected.extend(is_told.then_some("connection.state_changed active -"));
        assert_eq!(shown(&bench.events().await?), expected, "{granted}");
    }
    bench.begin_with(&grant, "b", bench_terms(), "digest").await?;
    let rejected = Settlement::Rejected { reason: "refresh_token_rejected".to_owned() };
    assert!(bench.settle(&grant, "b", rejected).await?);
    expected.push("connection.state_changed reauth_required refresh_token_rejected");
    assert_eq!(shown(&bench.events().await?), expected);
    let late = Refreshed { scopes: scopes("basic"), ..bench.refreshed("late") };
    assert!(bench.settle(&grant, "b", Settlement::Refreshed(Box::new(late))).await?);
    expected.push("connection.state_changed active -");
    assert_eq!(shown(&bench.events().await?), expected);
    Ok(())
}

fn bench_terms() -> crate::store::RefreshTerms {
    let (quarantine, repeat_within) = (SignedDuration::from_mins(2), SignedDuration::ZERO);
    crate::store::RefreshTerms { quarantine, repeat_within, most_unanswered: None }
}

async fn each(bench: Bench) -> Outcome {
    let (grant, connections) = bench.linked(&["acct-1", "acct-2", "acct-3"]).await?;
    let [first, second, third] = connections.as_slice() else { return Err("three should be linked".into()) };
    bench.disconnect(TENANT, &second.id, bench.now(), vec![]).await?;
    let held = GrantState::Held { reason: "exported".to_owned() };
    assert!(bench.set_state(&grant.id, 1, &held, bench.minutes(1)).await?);
    let events = bench.events().await?;
    let of: Vec<_> = events.iter().skip(3).map(|listed| (listed.event.kind, &listed.event.connection)).collect();
    let changed = EventKind::ConnectionStateChanged;
    assert_eq!(of, [(EventKind::ConnectionDisconnected, &second.id), (changed, &first.id), (changed, &third.id)]);
    Ok(())
}

async fn refused(bench: Bench) -> Outcome {
    let (grant, connection) = bench.linked_one().await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    let before = bench.events().await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    let change = StateChange {
        grant: grant.id.clone(),
        generation: 1,
        seen: GrantState::Active,
        state: GrantState::Held { reason: "exported".to_owned() },
        since: bench.now(),
        audit: bench.audit("held")?,
    };
    assert!(!bench.store.set_grant_state(&change).await?);
    let nothing = Reading { observed_at: bench.now(), values: [].into(), missing: [].into(), log_id: None };
    bench.store.append_samples(&connection.id, &nothing).await?;
    assert_eq!(bench.events().await?, before);
    Ok(())
}

async fn paged(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    for followers in 1..=5 {
        bench.count(&connection, followers).await?;
    }
    let all = bench.events().await?;
    for latest_first in [false, true] {
        let filter = EventFilter { tenant: TENANT.to_owned(), latest_first, ..EventFilter::default() };
        let (mut found, mut from) = (Vec::new(), None);
        loop {
            let page = bench.store.events_page(&filter, from, 4).await?;
            assert!(page.items.len() <= 4);
            found.extend(page.items);
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        if latest_first {
            found.reverse();
        }
        assert_eq!(found, all);
    }
    let one = EventFilter { id: Some(all[2].event.id.clone()), ..of_tenant() };
    assert_eq!(bench.store.events_page(&one, None, 9).await?.items, all[2..3]);
    let others = [
        EventFilter { tenant: "other".to_owned(), ..EventFilter::default() },
        EventFilter { connection: Some(crate::store::ConnectionId::new(&bench.cx)?), ..of_tenant() },
        EventFilter { dead: true, ..of_tenant() },
    ];
    for filter in others {
        assert_eq!(bench.store.events_page(&filter, None, 9).await?.items, [], "{filter:?}");
    }
    Ok(())
}

fn of_tenant() -> EventFilter {
    EventFilter { tenant: TENANT.to_owned(), ..EventFilter::default() }
}

async fn made_once(bench: Bench) -> Outcome {
    bench.linked_one().await?;
    let event = bench.events().await?.remove(0).event;
    assert_eq!(bench.store.keep_event_body(&event, "first").await?.as_deref(), Some("first"));
    assert_eq!(bench.store.keep_event_body(&event, "second").await?.as_deref(), Some("first"));
    assert_eq!(bench.events().await?[0].event.body.as_deref(), Some("first"));
    Ok(())
}

async fn erased(bench: Bench) -> Outcome {
    let (_, connection) = bench.linked_one().await?;
    let event = bench.events().await?.remove(0).event;
    bench.store.keep_event_body(&event, "body").await?;
    bench.disconnect(TENANT, &connection.id, bench.now(), vec![]).await?;
    let audit = AuditRecord::new(&bench.cx, TENANT, "purged")?.of_connection(&connection.id);
    let purge = Purge { tenant: TENANT.to_owned(), connection: connection.id.clone(), leave_access: false, audit };
    bench.store.purge_connection(&purge).await?;
    let events = bench.events().await?;
    assert_eq!(shown(&events), ["connection.created erased", "connection.disconnected erased"]);
    assert!(events.iter().all(|listed| listed.event.body.is_none()));
    assert_eq!(bench.store.keep_event_body(&event, "of before").await?, None, "what it said before is never kept");
    let erased = &events[0].event;
    assert_eq!(bench.store.keep_event_body(erased, "erased").await?.as_deref(), Some("erased"));
    Ok(())
}

async fn pruned(bench: Bench) -> Outcome {
    let receiver = bench.receiver(&[]).await?;
    let (_, connection) = bench.linked_one().await?;
    let later = bench.minutes(1_000_000);
    assert_eq!(bench.store.prune_events(later).await?, 0, "it is on its way");
    let due = bench.store.deliveries_due(&receiver.id, 9).await?.remove(0);
    let claimed = bench.claim(&due).await?.ok_or("it is due")?;
    assert!(bench.store.settle_delivery(&claimed, &crate::store::Attempted::Delivered).await?);
    assert_eq!(bench.store.prune_events(bench.minutes(-60)).await?, 0, "it is young");
    assert_eq!(bench.store.prune_events(later).await?, 1);
    assert_eq!(bench.events().await?, []);
    bench.count(&connection, 1).await?;
    assert_eq!(bench.events().await?.len(), 1);
    Ok(())
}
