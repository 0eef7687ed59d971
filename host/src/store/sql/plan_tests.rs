//! How `SQLite` finds what lists are made of.

use connector_core::testing::FakeTransport;
use jiff::Timestamp;
use tempfile::TempDir;

use super::fields::Fields;
use super::{Statement, audit, connect_links, connections, feed, inventory, samples};
use crate::store::{
    AuditCursor, AuditFilter, AuditId, ConnectLinkCursor, ConnectLinkId, ConnectLinkRecord, ConnectionFilter,
    ConnectionId, GrantId, SampleCursor, SqliteStore,
};

/// Each step of how a statement is done.
async fn plan(store: &SqliteStore, statement: Statement) -> Vec<String> {
    let explain = Statement { sql: format!("EXPLAIN QUERY PLAN {}", statement.sql).into(), ..statement };
    let rows = store.fetch_all(explain).await.unwrap();
    rows.iter().map(|row| Fields::of("plan", row).get("detail").unwrap()).collect()
}

async fn goes_by(store: &SqliteStore, statement: Statement, index: &str) {
    let (sql, steps) = (statement.sql.clone(), plan(store, statement).await);
    assert!(steps.iter().any(|step| step.contains(index)), "{sql} goes by {steps:#?}, not by {index}");
    assert!(!steps.iter().any(|step| step.contains("SCAN") || step.contains("TEMP B-TREE")), "{sql}: {steps:#?}");
}

fn connections_with(reference: Option<&str>, account: Option<&str>, platform: Option<&str>) -> Statement {
    let filter = ConnectionFilter {
        tenant: "default".to_owned(),
        platform: platform.map(|id| id.parse().unwrap()),
        reference: reference.map(str::to_owned),
        account_id: account.map(str::to_owned),
    };
    connections::next(&filter, None, 50)
}

#[tokio::test]
async fn no_list_is_sorted_and_no_table_is_read_as_a_whole() {
    let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
    let store = SqliteStore::open(&cx, &parent.path().join("data")).await.unwrap();
    let (a, r, p) = (Some("acct-1"), Some("person-1"), Some("lantern"));
    goes_by(&store, connections_with(None, None, None), "connections_in_order (tenant=? AND number>?)").await;
    goes_by(&store, connections_with(None, None, p), "connections_by_platform (tenant=? AND platform=? AND").await;
    goes_by(&store, connections_with(None, a, None), "connections_by_account_id (tenant=? AND account_id=? AND").await;
    goes_by(&store, connections_with(None, a, p), "connections_by_account (tenant=? AND platform=? AND acc").await;
    for platform in [None, p] {
        let by = "connections_by_reference (tenant=? AND reference=? AND number>?)";
        goes_by(&store, connections_with(r, None, platform), by).await;
    }

    let grant = Some(GrantId::new(&cx).unwrap());
    let any = AuditFilter { limit: Some(50), ..AuditFilter::default() };
    let of_event = AuditFilter { event: Some("connected".to_owned()), ..any.clone() };
    let of_grant = AuditFilter { grant, ..any.clone() };
    for (filter, index) in [
        (&any, "audit_in_order (tenant=? AND at<?)"),
        (&of_event, "audit_by_event (tenant=? AND event=? AND at<?)"),
        (&of_grant, "audit_by_grant (tenant=? AND grant_id=? AND at<?)"),
    ] {
        goes_by(&store, audit::select("default", filter), index).await;
    }

    for (after, index) in [
        (None, "connect_links_in_order (tenant=?)"),
        (Some(ConnectLinkId::new(&cx).unwrap()), "connect_links_in_order (tenant=? AND id<?)"),
    ] {
        let after = after.map(ConnectLinkCursor::behind);
        goes_by(&store, connect_links::next("default", after.as_ref(), 50), index).await;
    }

    let held = plan(&store, inventory::held(Some("default"), None, 50)).await;
    assert!(held.iter().any(|step| step.contains("grants_in_order (tenant=? AND id>?)")), "{held:#?}");
    let feed = feed::after("default", SampleCursor::default(), 50);
    goes_by(&store, feed, "samples_in_order (feed=? AND position>?)").await;
    let (id, metric) = (ConnectionId::new(&cx).unwrap(), "followers".parse().unwrap());
    // By the id alone or with its tenant: it is one row either way.
    for one in [connections::with_its_grant("default", &id), connections::its_grant("default", &id)] {
        goes_by(&store, one, "id=?) LEFT-JOIN").await;
    }
    let history = samples::history(&id, &metric, Timestamp::MIN, Timestamp::MAX, 50);
    goes_by(&store, history, "PRIMARY KEY (connection=? AND metric=? AND observed_at>?").await;
}

/// A span or a metric costs one look into the index, however many samples there are.
#[tokio::test]
async fn what_a_page_shows_of_a_history_is_looked_up_sample_by_sample() {
    let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
    let store = SqliteStore::open(&cx, &parent.path().join("data")).await.unwrap();
    let (id, metric) = (ConnectionId::new(&cx).unwrap(), "followers".parse().unwrap());
    let ids = [id, ConnectionId::new(&cx).unwrap()];
    let trends = samples::trends(&ids, &metric, Timestamp::UNIX_EPOCH, cx.now(), 60);
    let span = "SEARCH samples USING PRIMARY KEY (connection=? AND metric=? AND observed_at>? AND observed_at<?)";
    let metric = "SEARCH samples USING PRIMARY KEY (connection=? AND metric=?)";
    for (statement, by) in [(trends, span), (samples::last_values(&ids), metric)] {
        let steps = plan(&store, statement).await;
        assert_eq!(steps.iter().filter(|step| *step == by).count(), 2, "{steps:#?}");
        let scans = |step: &String| step.starts_with("SCAN samples") || step.starts_with("SCAN owners");
        assert!(!steps.iter().any(scans), "{steps:#?}");
    }
}

/// As many links as a tenant may have are counted for each that is made, and no others are read for it.
#[tokio::test]
async fn open_connect_links_are_counted_by_an_index_of_them_alone() {
    let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
    let store = SqliteStore::open(&cx, &parent.path().join("data")).await.unwrap();
    let link = ConnectLinkRecord {
        id: ConnectLinkId::new(&cx).unwrap(),
        token_digest: "digest".to_owned(),
        tenant: "default".to_owned(),
        platform: "lantern".parse().unwrap(),
        app: "default".to_owned(),
        reference: None,
        reconnects: None,
        return_url: None,
        created_at: cx.now(),
        expires_at: cx.now(),
        browser_digest: None,
        state_digest: None,
        outcome: None,
        ended_at: None,
    };
    let steps = plan(&store, connect_links::insert(&link, 1).unwrap()).await;
    let by = "connect_links USING COVERING INDEX connect_links_open (tenant=? AND ended_at=? AND expires_at>?)";
    assert!(steps.iter().any(|step| step.contains(by)), "{steps:#?}");
}

/// What befell one connection is sorted, and nothing else is read for it.
#[tokio::test]
async fn what_befell_a_connection_is_found_without_what_befell_others() {
    let (parent, cx) = (TempDir::new().unwrap(), FakeTransport::default().context());
    let store = SqliteStore::open(&cx, &parent.path().join("data")).await.unwrap();
    let connection = Some(ConnectionId::new(&cx).unwrap());
    let before = Some(AuditCursor { at: cx.now(), id: AuditId::new(&cx).unwrap() });
    let filter = AuditFilter { connection, before, event: Some("connected".to_owned()), ..AuditFilter::default() };
    let steps = plan(&store, audit::select("default", &filter)).await;
    let tables = steps.iter().filter(|step| step.starts_with('S') && step.contains("audit"));
    for table in tables {
        let by = ["audit_by_connection (", "audit_by_grant (tenant=? AND grant_id=?", "(id=?)"];
        assert!(by.iter().any(|index| table.contains(index)), "{steps:#?}");
    }
}
