//! Lists by the page.

use super::bench::{Bench, TENANT, platform};
use super::{Check, Outcome};
use crate::store::{
    AuditCursor, AuditFilter, AuditId, AuditRecord, Connected, ConnectionFilter, ConnectionId, ConnectionRecord,
    GrantId, GrantState, Purge,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "connections come by the page", run: |bench| Box::pin(connections(bench)) },
    Check { name: "connections that come and go shift no page", run: |bench| Box::pin(come_and_go(bench)) },
    Check { name: "a look at nobody's connections is over at once", run: |bench| Box::pin(no_connections(bench)) },
    Check { name: "audit records come by the page", run: |bench| Box::pin(audit(bench)) },
    Check { name: "audit records added meanwhile repeat none", run: |bench| Box::pin(audit_goes_on(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub(super) const SIZES: [u32; 3] = [1, 2, 7];

/// Numbers without order, the same ones each time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn one_of<T: Clone, const N: usize>(&mut self, all: &[T; N]) -> T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let index = usize::try_from(self.0 >> 33).unwrap_or_default() % N;
        all[index].clone()
    }
}

async fn paged(bench: &Bench, filter: &ConnectionFilter, size: u32) -> Result<Vec<Connected>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = bench.store.connections_page(filter, after, size).await?;
        assert!(page.items.len() <= size as usize, "{page:?}");
        assert!(page.next.is_none_or(|next| page.items.last().is_some_and(|(place, _)| *place == next)), "{page:?}");
        all.extend(page.items.into_iter().map(|(_, found)| found));
        let Some(next) = page.next else { return Ok(all) };
        assert!(Some(next) > after, "every page goes on");
        after = Some(next.to_string().parse()?);
    }
}

/// Some connections, of whatever tenant, platform, name and state.
async fn various(bench: &Bench, dice: &mut Dice) -> Outcome {
    let needy = || GrantState::ReauthRequired { reason: "user_revoked".to_owned() };
    for number in 0..24 {
        let mut grant = bench.grant()?;
        dice.one_of(&[TENANT, TENANT, TENANT, "other"]).clone_into(&mut grant.tenant);
        grant.platform = platform(dice.one_of(&["lantern", "beacon"]))?;
        grant.state = dice.one_of(&[GrantState::Active, needy()]);
        bench.put_grant(&grant).await?;
        let mut account = bench.account(&format!("acct-{}", number / 2))?;
        account.reference = dice.one_of(&[None, Some("a"), Some("b")]).map(str::to_owned);
        bench.link(&grant, vec![account], bench.now()).await?;
    }
    Ok(())
}

async fn connections(bench: Bench) -> Outcome {
    let mut dice = Dice(7);
    various(&bench, &mut dice).await?;
    let mut stored = Vec::new();
    for ConnectionRecord { tenant, id, .. } in bench.store.every_connection().await? {
        stored.extend(bench.store.connection(&tenant, &id).await?);
    }
    assert!(stored.len() > 14, "there are some pages of them");
    let [lantern, beacon] = [platform("lantern")?, platform("beacon")?];
    let of = |name: &str| Some(name.to_owned());
    for _ in 0..40 {
        let filter = ConnectionFilter {
            tenant: dice.one_of(&[TENANT, "other"]).to_owned(),
            platform: dice.one_of(&[None, Some(&lantern), Some(&beacon)]).cloned(),
            reference: dice.one_of(&[None, None, of("a"), of("b"), of("c")]),
            account_id: dice.one_of(&[None, None, of("acct-3"), of("acct-9")]),
        };
        let expected: Vec<_> = stored.iter().filter(|found| is_meant(found, &filter)).cloned().collect();
        for size in SIZES {
            assert_eq!(paged(&bench, &filter, size).await?, expected, "{filter:?}, {size} a page");
        }
        assert_eq!(bench.store.connections(&filter).await?, expected, "{filter:?}");
    }
    Ok(())
}

fn is_meant(found: &Connected, filter: &ConnectionFilter) -> bool {
    let connection = &found.connection;
    let is = |wanted: &Option<String>, value: Option<&String>| wanted.is_none() || wanted.as_ref() == value;
    connection.tenant == filter.tenant
        && (filter.platform.is_none() || filter.platform.as_ref() == Some(&connection.platform))
        && is(&filter.reference, connection.reference.as_ref())
        && is(&filter.account_id, Some(&connection.account_id))
}

async fn come_and_go(bench: Bench) -> Outcome {
    let mut all = Vec::new();
    for account in ["acct-1", "acct-2", "acct-3", "acct-4", "acct-5"] {
        all.push(bench.linked(&[account]).await?.1.remove(0).id);
    }
    let filter = ConnectionFilter { tenant: TENANT.to_owned(), ..ConnectionFilter::default() };
    let ids = |items: Vec<(_, Connected)>| items.into_iter().map(|(_, found)| found.connection.id).collect::<Vec<_>>();
    let first = bench.store.connections_page(&filter, None, 2).await?;
    assert_eq!(ids(first.items), all[..2]);
    for gone in [&all[0], &all[1], &all[2]] {
        bench.disconnect(TENANT, gone, bench.now(), vec![]).await?;
        let (tenant, connection, audit) = (TENANT.to_owned(), gone.clone(), bench.audit("purged")?);
        bench.store.purge_connection(&Purge { tenant, connection, leave_access: true, audit }).await?;
    }
    let new = bench.linked(&["acct-6"]).await?.1.remove(0).id;
    let second = bench.store.connections_page(&filter, first.next, 3).await?;
    assert_eq!(second.next, None);
    assert_eq!(ids(second.items), [&all[3], &all[4], &new].map(Clone::clone), "what is left follows on what is gone");
    Ok(())
}

async fn no_connections(bench: Bench) -> Outcome {
    bench.linked_one().await?;
    let filter = ConnectionFilter { tenant: "other".to_owned(), ..ConnectionFilter::default() };
    let page = bench.store.connections_page(&filter, None, 1).await?;
    assert_eq!((page.items, page.next), (vec![], None));
    Ok(())
}

/// What is on record, so much at a time. These things happen after each page, as many minutes from now.
async fn records(bench: &Bench, filter: &AuditFilter, size: u32, meanwhile: &[i64]) -> Result<Vec<AuditRecord>> {
    let (mut all, mut before) = (Vec::new(), None::<AuditCursor>);
    loop {
        let filter = AuditFilter { before: before.clone(), limit: Some(size), ..filter.clone() };
        let page = bench.store.audit(TENANT, &filter).await?;
        assert!(page.len() <= size as usize, "{page:?}");
        let Some(last) = page.last().map(AuditRecord::cursor) else { return Ok(all) };
        before = Some(last.to_string().parse()?);
        assert_eq!(before, Some(last));
        all.extend(page);
        for minutes in meanwhile {
            bench.store.append_audit(&record(bench, *minutes, "added")?).await?;
        }
    }
}

fn record(bench: &Bench, minutes: i64, event: &str) -> Result<AuditRecord> {
    let id = AuditId::new(&bench.cx)?;
    Ok(AuditRecord::with_id(id, bench.minutes(minutes), TENANT, event))
}

/// Many records of the same millisecond, of whatever was concerned. The latest is first, as lists have them.
async fn history(bench: &Bench, dice: &mut Dice, concerned: &[ConnectionId; 2]) -> Result<Vec<AuditRecord>> {
    let grants = [GrantId::new(&bench.cx)?, GrantId::new(&bench.cx)?];
    let mut all = Vec::new();
    for _ in 0..40 {
        let mut made = record(bench, dice.one_of(&[1, 2, 2, 3]), dice.one_of(&["connected", "refreshed"]))?;
        // The second connection works by the second grant, and nothing tells of both where the first is concerned.
        let which = dice.one_of(&[0_usize, 1]);
        made.connection = dice.one_of(&[None, Some(&concerned[which])]).cloned();
        made.grant = dice.one_of(&[None, Some(&grants[which])]).cloned();
        bench.store.append_audit(&made).await?;
        all.push(made);
    }
    let theirs = AuditRecord { tenant: "other".to_owned(), ..record(bench, 2, "connected")? };
    bench.store.append_audit(&theirs.of_connection(&concerned[0])).await?;
    all.sort_by_key(|record| std::cmp::Reverse(record.cursor()));
    Ok(all)
}

async fn audit(bench: Bench) -> Outcome {
    let (mut dice, concerned) = (Dice(11), [ConnectionId::new(&bench.cx)?, ConnectionId::new(&bench.cx)?]);
    let all = history(&bench, &mut dice, &concerned).await?;
    let grant = all.iter().find_map(|record| record.grant.clone()).ok_or("no record tells of a grant")?;
    for _ in 0..30 {
        let filter = AuditFilter {
            connection: dice.one_of(&[None, Some(&concerned[0]), Some(&concerned[1])]).cloned(),
            grant: dice.one_of(&[None, None, Some(&grant)]).cloned(),
            event: dice.one_of(&[None, Some("refreshed")]).map(str::to_owned),
            since: dice.one_of(&[None, Some(bench.minutes(2))]),
            ..AuditFilter::default()
        };
        let expected: Vec<_> = all.iter().filter(|record| is_concerned(record, &filter, &all)).cloned().collect();
        for size in SIZES {
            let found = records(&bench, &filter, size, &[]).await?;
            assert_eq!(found, expected, "{filter:?}, {size} a page");
        }
    }
    Ok(())
}

fn is_concerned(record: &AuditRecord, filter: &AuditFilter, all: &[AuditRecord]) -> bool {
    let of_connection = |other: &&AuditRecord| other.connection == filter.connection && other.grant.is_some();
    let by_grant = || all.iter().filter(of_connection).any(|other| other.grant == record.grant);
    (filter.connection.is_none() || record.connection == filter.connection || by_grant())
        && (filter.grant.is_none() || record.grant == filter.grant)
        && filter.event.as_ref().is_none_or(|event| record.event == *event)
        && filter.since.is_none_or(|since| record.at >= since)
}

async fn audit_goes_on(bench: Bench) -> Outcome {
    let (mut dice, concerned) = (Dice(13), [ConnectionId::new(&bench.cx)?, ConnectionId::new(&bench.cx)?]);
    let all = history(&bench, &mut dice, &concerned).await?;
    let found = records(&bench, &AuditFilter::default(), 2, &[4, 3]).await?;
    let (added, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|record| record.event == "added");
    assert_eq!(found, all);
    let mut once: Vec<_> = added.iter().map(|record| &record.id).collect();
    once.dedup();
    assert_eq!(once.len(), added.len(), "none came twice");
    Ok(())
}
