//! Connect links.

use tokio::task::JoinSet;

use super::bench::{Bench, TENANT, platform};
use super::pages::SIZES;
use super::{Check, Outcome};
use crate::store::{
    ConnectLinkCursor, ConnectLinkId, ConnectLinkOutcome, ConnectLinkRecord, ConnectLinkStart, ConnectLinkState,
    ConnectionId, Page, StoreError,
};

pub(super) const CHECKS: &[Check] = &[
    Check { name: "a connect link is found by id and by token", run: |bench| Box::pin(found(bench)) },
    Check {
        name: "a connect link belongs to the browser that used it first",
        run: |bench| Box::pin(one_browser(bench)),
    },
    Check { name: "of many browsers one has a connect link", run: |bench| Box::pin(raced(bench)) },
    Check { name: "nothing begins with a connect link that is over", run: |bench| Box::pin(over(bench)) },
    Check { name: "a connect link tells what became of its last flow", run: |bench| Box::pin(told(bench)) },
    Check { name: "a connect link rests while a code is exchanged", run: |bench| Box::pin(completing(bench)) },
    Check { name: "a connect link is taken back with its flow", run: |bench| Box::pin(cancelled(bench)) },
    Check { name: "connect links come by the page, the latest first", run: |bench| Box::pin(paged(bench)) },
    Check { name: "a tenant has so many open connect links and no more", run: |bench| Box::pin(bounded(bench)) },
    Check { name: "of connect links that are made at once as many are as fit", run: |bench| Box::pin(crowded(bench)) },
    Check { name: "connect links are pruned when they have expired", run: |bench| Box::pin(pruned(bench)) },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn link(bench: &Bench, token: &str) -> Result<ConnectLinkRecord> {
    Ok(ConnectLinkRecord {
        id: ConnectLinkId::new(&bench.cx)?,
        token_digest: token.to_owned(),
        tenant: TENANT.to_owned(),
        platform: platform("lantern")?,
        app: "default".to_owned(),
        reference: Some("person-1".to_owned()),
        reconnects: Some(ConnectionId::new(&bench.cx)?),
        return_url: Some("https://shop.example/done".to_owned()),
        created_at: bench.now(),
        expires_at: bench.minutes(60),
        browser_digest: None,
        state_digest: None,
        outcome: None,
        ended_at: None,
    })
}

async fn put(bench: &Bench, link: &ConnectLinkRecord) -> crate::store::Result<()> {
    assert!(put_of(bench, link, u32::MAX).await?, "there is room for all that can be");
    Ok(())
}

/// The same where the tenant has at most so many.
async fn put_of(bench: &Bench, link: &ConnectLinkRecord, most: u32) -> crate::store::Result<bool> {
    bench.store.put_connect_link(link, most, &bench.audit("connect_link_created")?).await
}

async fn stored(bench: &Bench, token: &str) -> Result<ConnectLinkRecord> {
    let link = link(bench, token)?;
    put(bench, &link).await?;
    Ok(link)
}

async fn start(bench: &Bench, link: &ConnectLinkRecord, browser: &str, state: &str) -> crate::store::Result<bool> {
    let (browser_digest, state_digest) = (browser.to_owned(), state.to_owned());
    bench
        .store
        .start_connect_link(&ConnectLinkStart { id: link.id.clone(), browser_digest, state_digest, now: bench.now() })
        .await
}

async fn now(bench: &Bench, link: &ConnectLinkRecord) -> Result<ConnectLinkRecord> {
    Ok(bench.store.connect_link(TENANT, &link.id).await?.ok_or("the link is gone")?)
}

fn failed() -> ConnectLinkOutcome {
    let instead = vec!["basic".parse().unwrap_or_else(|_| unreachable!())];
    ConnectLinkOutcome::Failed { error: "scope_refused".to_owned(), instead }
}

/// Links that name this connection: one that renews it, and one that it came of.
pub(super) async fn naming(bench: &Bench, connection: &ConnectionId) -> Result<[ConnectLinkId; 2]> {
    let renews = ConnectLinkRecord { reconnects: Some(connection.clone()), ..link(bench, "renews")? };
    put(bench, &renews).await?;
    let became = stored(bench, "became").await?;
    assert!(start(bench, &became, "browser", "state").await?);
    let outcome =
        ConnectLinkOutcome::Connected { connections: vec![ConnectionId::new(&bench.cx)?, connection.clone()] };
    assert!(bench.store.end_connect_link("state", &outcome, bench.now()).await?);
    Ok([renews.id, became.id])
}

async fn found(bench: Bench) -> Outcome {
    let full = link(&bench, "full")?;
    let bare = ConnectLinkRecord { reference: None, reconnects: None, return_url: None, ..link(&bench, "bare")? };
    for link in [full, bare] {
        put(&bench, &link).await?;
        assert_eq!(bench.store.connect_link(TENANT, &link.id).await?, Some(link.clone()));
        assert_eq!(bench.store.connect_link("other", &link.id).await?, None);
        assert_eq!(bench.store.connect_link_by_token(&link.token_digest).await?, Some(link.clone()));
        let twice = ConnectLinkRecord { id: ConnectLinkId::new(&bench.cx)?, ..link };
        assert!(matches!(put(&bench, &twice).await, Err(StoreError::Conflict(_))));
    }
    assert_eq!(bench.store.connect_link_by_token("ful").await?, None);
    assert_eq!(bench.store.connect_link_by_state("").await?, None);
    assert_eq!(bench.on_record().await?.len(), 2);
    Ok(())
}

async fn one_browser(bench: Bench) -> Outcome {
    let link = stored(&bench, "token").await?;
    bench.store.put_flow(&bench.flow("first")?).await?;
    bench.store.put_flow(&bench.flow("second")?).await?;
    assert!(start(&bench, &link, "mine", "first").await?);
    assert!(!start(&bench, &link, "theirs", "stolen").await?);
    let begun = now(&bench, &link).await?;
    assert_eq!((begun.browser_digest.as_deref(), begun.state(bench.now())), (Some("mine"), ConnectLinkState::Started));
    assert_eq!(bench.store.connect_link_of_browser(&link.id, "mine").await?, Some(begun.clone()));
    assert_eq!(bench.store.connect_link_of_browser(&link.id, "theirs").await?, None);
    assert_eq!(bench.store.connect_link_by_state("first").await?, Some(begun));
    assert!(start(&bench, &link, "mine", "second").await?, "the same browser begins again");
    assert_eq!(bench.store.connect_link_by_state("first").await?, None);
    assert_eq!(bench.take_flow("first").await?, None, "the flow before it is over");
    assert!(bench.take_flow("second").await?.is_some());
    Ok(())
}

async fn raced(bench: Bench) -> Outcome {
    let link = stored(&bench, "raced").await?;
    let mut racers = JoinSet::new();
    for number in 0..50 {
        let (bench, link) = (bench.clone(), link.clone());
        racers
            .spawn(async move { start(&bench, &link, &format!("browser {number}"), &format!("state {number}")).await });
    }
    let mut had = 0;
    for outcome in racers.join_all().await {
        had += usize::from(outcome?);
    }
    assert_eq!(had, 1);
    Ok(())
}

async fn over(bench: Bench) -> Outcome {
    let expired = ConnectLinkRecord { expires_at: bench.now(), ..link(&bench, "expired")? };
    put(&bench, &expired).await?;
    assert!(!start(&bench, &expired, "mine", "late").await?);
    let link = stored(&bench, "used").await?;
    assert!(start(&bench, &link, "mine", "state").await?);
    let outcome = ConnectLinkOutcome::Connected { connections: vec![ConnectionId::new(&bench.cx)?] };
    assert!(bench.store.end_connect_link("state", &outcome, bench.minutes(1)).await?);
    assert!(!start(&bench, &link, "mine", "again").await?);
    let ended = now(&bench, &link).await?;
    assert_eq!((ended.outcome, ended.ended_at), (Some(outcome), Some(bench.minutes(1))));
    Ok(())
}

async fn told(bench: Bench) -> Outcome {
    let link = stored(&bench, "token").await?;
    assert!(start(&bench, &link, "mine", "first").await?);
    assert!(bench.store.end_connect_link("first", &failed(), bench.now()).await?);
    let told = now(&bench, &link).await?;
    assert_eq!(
        (told.state(bench.now()), &told.outcome, told.ended_at),
        (ConnectLinkState::Failed, &Some(failed()), None)
    );
    assert_eq!(told.state(link.expires_at), ConnectLinkState::Expired);
    assert!(start(&bench, &link, "mine", "second").await?, "what failed may be tried again");
    assert_eq!(now(&bench, &link).await?.outcome, None);
    assert!(
        !bench.store.end_connect_link("first", &ConnectLinkOutcome::Waiting, bench.now()).await?,
        "another has begun since"
    );
    assert!(bench.store.end_connect_link("second", &ConnectLinkOutcome::Waiting, bench.now()).await?);
    assert!(!bench.store.end_connect_link("second", &failed(), bench.now()).await?, "it has ended");
    assert_eq!(now(&bench, &link).await?.state(link.expires_at), ConnectLinkState::Waiting);
    Ok(())
}

/// While a code is exchanged nothing else begins or ends, and another callback is not the first.
async fn completing(bench: Bench) -> Outcome {
    let link = stored(&bench, "token").await?;
    assert!(start(&bench, &link, "mine", "state").await?);
    let begun = ConnectLinkOutcome::Completing { since: bench.now() };
    assert!(bench.store.end_connect_link("state", &begun, bench.now()).await?);
    assert!(!bench.store.end_connect_link("state", &begun, bench.now()).await?, "the first callback is under way");
    assert!(!start(&bench, &link, "mine", "again").await?);
    let record = bench.audit("connect_link_cancelled")?;
    assert!(!bench.store.cancel_connect_link(TENANT, &link.id, bench.now(), &record).await?);
    assert_eq!(now(&bench, &link).await?.state(bench.now()), ConnectLinkState::Started);
    assert!(now(&bench, &link).await?.may_start(Some("mine"), bench.minutes(4)), "its process has ended");
    assert!(bench.store.end_connect_link("state", &failed(), bench.now()).await?);
    assert!(start(&bench, &link, "mine", "again").await?);
    Ok(())
}

async fn cancelled(bench: Bench) -> Outcome {
    let link = stored(&bench, "token").await?;
    bench.store.put_flow(&bench.flow("state")?).await?;
    assert!(start(&bench, &link, "mine", "state").await?);
    let record = bench.audit("connect_link_cancelled")?;
    assert!(!bench.store.cancel_connect_link("other", &link.id, bench.now(), &record).await?);
    assert!(
        !bench.store.cancel_connect_link(TENANT, &link.id, link.expires_at, &record).await?,
        "it is over by itself"
    );
    assert!(bench.store.cancel_connect_link(TENANT, &link.id, bench.now(), &record).await?);
    assert!(!bench.store.cancel_connect_link(TENANT, &link.id, bench.now(), &record).await?);
    assert_eq!(bench.take_flow("state").await?, None);
    assert!(!start(&bench, &link, "mine", "again").await?);
    assert_eq!(now(&bench, &link).await?.state(bench.now()), ConnectLinkState::Cancelled);
    let events: Vec<_> = bench.on_record().await?.into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["connect_link_created", "connect_link_cancelled"]);
    Ok(())
}

async fn paged(bench: Bench) -> Outcome {
    let mut mine = Vec::new();
    for number in 0..9 {
        let (token, is_mine) = (format!("token-{number}"), number % 3 != 1);
        let tenant = if is_mine { TENANT } else { "other" }.to_owned();
        let link = ConnectLinkRecord { tenant, ..link(&bench, &token)? };
        put(&bench, &link).await?;
        if is_mine {
            mine.push(link);
        }
    }
    assert!(start(&bench, &mine[3], "browser", "state").await?);
    mine[3] = now(&bench, &mine[3]).await?;
    mine.sort_by(|a, b| b.id.cmp(&a.id));
    assert_eq!(page_of(&bench, None, u32::MAX).await?.items, mine);
    for size in SIZES {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = page_of(&bench, after, size).await?;
            assert!(page.items.len() <= size as usize, "{page:?}");
            all.extend(page.items);
            let Some(next) = page.next else { break };
            assert_eq!(all.last().map(ConnectLinkRecord::cursor).as_ref(), Some(&next));
            after = Some(next.to_string().parse()?);
            put(&bench, &link(&bench, &format!("later-{size}-{}", all.len()))?).await?;
        }
        all.retain(|link| mine.contains(link));
        assert_eq!(all, mine, "those that are added meanwhile shift none");
    }
    assert_eq!(bench.store.connect_links_page("nobody", None, 7).await?.items, []);
    Ok(())
}

async fn page_of(
    bench: &Bench,
    after: Option<ConnectLinkCursor>,
    size: u32,
) -> crate::store::Result<Page<ConnectLinkRecord, ConnectLinkCursor>> {
    bench.store.connect_links_page(TENANT, after, size).await
}

async fn bounded(bench: Bench) -> Outcome {
    let expired = ConnectLinkRecord { expires_at: bench.now(), ..link(&bench, "expired")? };
    let theirs = ConnectLinkRecord { tenant: "other".to_owned(), ..link(&bench, "theirs")? };
    for other in [&expired, &theirs] {
        put(&bench, other).await?;
    }
    let (first, second) = (link(&bench, "first")?, link(&bench, "second")?);
    assert!(put_of(&bench, &first, 2).await? && put_of(&bench, &second, 2).await?);
    assert!(start(&bench, &first, "browser", "state").await?);
    assert!(bench.store.end_connect_link("state", &failed(), bench.now()).await?);
    let third = link(&bench, "third")?;
    let before = bench.on_record().await?;
    assert!(!put_of(&bench, &third, 2).await?, "one that failed may be tried again");
    assert_eq!(bench.store.connect_link(TENANT, &third.id).await?, None);
    assert_eq!(bench.on_record().await?, before);
    let record = bench.audit("connect_link_cancelled")?;
    assert!(bench.store.cancel_connect_link(TENANT, &second.id, bench.now(), &record).await?);
    assert!(put_of(&bench, &third, 2).await?, "one has ended");
    Ok(())
}

async fn crowded(bench: Bench) -> Outcome {
    let mut made = JoinSet::new();
    for number in 0..8 {
        let (bench, link) = (bench.clone(), link(&bench, &format!("token-{number}"))?);
        made.spawn(async move { put_of(&bench, &link, 3).await });
    }
    let mut fitted = 0;
    while let Some(answer) = made.join_next().await {
        fitted += u32::from(answer??);
    }
    assert_eq!((fitted, page_of(&bench, None, 8).await?.items.len()), (3, 3));
    Ok(())
}

async fn pruned(bench: Bench) -> Outcome {
    for (token, minutes) in [("past", -1), ("now", 0), ("later", 1)] {
        put(&bench, &ConnectLinkRecord { expires_at: bench.minutes(minutes), ..link(&bench, token)? }).await?;
    }
    assert_eq!(bench.store.prune_connect_links(bench.now()).await?, 2);
    assert!(bench.store.connect_link_by_token("later").await?.is_some());
    Ok(())
}
