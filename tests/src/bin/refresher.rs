//! A process that refreshes, as it is told on standard input, until that ends: `refresher EMULATOR DATA [DATABASE]`.
//!
//! - `ask TENANT GRANT` asks for a session and says `ok TENANT`, or `failed TENANT: why`.
//! - `leave TENANT GRANT MILLIS` goes away after so long, whatever it has got by then, and says `left TENANT`.
//! - `take TENANT GRANT` says nothing and remembers the grant.
//! - `storm TASKS MILLIS` asks for sessions of the grants taken, each task again after so long, until the input ends. At last it says
//!   `asked NUMBER failed NUMBER`.
//!
//! It opens the store once, or as often as `TRIES` of the environment says until that succeeds, and says `again: why` in between.

use std::alloc::System;
use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use connector_core::Context;
use connector_host::Host;
use connector_host::cli::ZeroAlloc;
use connector_host::store::GrantId;
use connector_tests::rig::Place;
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

type Grant = (String, GrantId);

/// What all tasks share.
struct Storm {
    host: Host,
    grants: Vec<Grant>,
    pause: Duration,
    over: AtomicBool,
    asked: AtomicU64,
    failed: AtomicU64,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let usage = "refresher EMULATOR DATA [DATABASE]";
    let place = Place {
        emulator: args.next().ok_or(usage)?.into(),
        data: args.next().ok_or(usage)?.into(),
        database: args.next(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(&place))
}

async fn serve(place: &Place) -> Result<()> {
    let host = open(place).await?;
    say("ready")?;
    let (mut tasks, mut grants, mut storm) = (JoinSet::new(), Vec::new(), None);
    let mut orders = BufReader::new(stdin()).lines();
    while let Some(order) = orders.next_line().await? {
        let words: Vec<&str> = order.split(' ').collect();
        match words[..] {
            ["ask", tenant, grant] => drop(tasks.spawn(ask(host.clone(), grant_of(tenant, grant)?))),
            ["leave", tenant, grant, millis] => {
                let patience = Duration::from_millis(millis.parse()?);
                drop(tasks.spawn(leave(host.clone(), grant_of(tenant, grant)?, patience)));
            }
            ["take", tenant, grant] => grants.push(grant_of(tenant, grant)?),
            ["storm", number, millis] => {
                let pause = Duration::from_millis(millis.parse()?);
                storm = Some(begin(&host, &grants, number.parse()?, pause, &mut tasks));
            }
            _ => return Err(format!("no order: {order}").into()),
        }
    }
    if let Some(storm) = &storm {
        storm.over.store(true, Ordering::Relaxed);
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    host.drain().await;
    if let Some(storm) = storm {
        say(&format!("asked {:?} failed {:?}", storm.asked, storm.failed))?;
    }
    Ok(())
}

async fn open(place: &Place) -> Result<Host> {
    let tries: u32 = std::env::var("TRIES").map_or(Ok(1), |tries| tries.parse())?;
    for _ in 1..tries {
        match place.open().await {
            Ok(rig) => return Ok(rig.host),
            Err(error) => say(&format!("again: {error}"))?,
        }
    }
    Ok(place.open().await?.host)
}

fn grant_of(tenant: &str, grant: &str) -> Result<Grant> {
    Ok((tenant.to_owned(), grant.parse()?))
}

async fn ask(host: Host, (tenant, grant): Grant) -> Result<()> {
    match host.session(&tenant, &grant).await {
        Ok(_) => say(&format!("ok {tenant}")),
        Err(error) => say(&format!("failed {tenant}: {error}")),
    }
}

async fn leave(host: Host, (tenant, grant): Grant, patience: Duration) -> Result<()> {
    // What it would have got is nobody's any more.
    let _ = tokio::time::timeout(patience, host.session(&tenant, &grant)).await;
    say(&format!("left {tenant}"))
}

fn begin(host: &Host, grants: &[Grant], number: usize, pause: Duration, tasks: &mut JoinSet<Result<()>>) -> Arc<Storm> {
    let storm = Arc::new(Storm {
        host: host.clone(),
        grants: grants.to_vec(),
        pause,
        over: AtomicBool::new(false),
        asked: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    });
    for _ in 0..number {
        tasks.spawn(rage(Arc::clone(&storm)));
    }
    storm
}

async fn rage(storm: Arc<Storm>) -> Result<()> {
    while !storm.over.load(Ordering::Relaxed) {
        let (tenant, grant) = &storm.grants[any(storm.host.context(), storm.grants.len())?];
        storm.asked.fetch_add(1, Ordering::Relaxed);
        if storm.host.session(tenant, grant).await.is_err() {
            storm.failed.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(storm.pause).await;
    }
    Ok(())
}

fn any(cx: &Context, number: usize) -> Result<usize> {
    let mut bytes = [0; 2];
    cx.fill_random(&mut bytes)?;
    Ok(usize::from(u16::from_le_bytes(bytes)) % number)
}

/// One line, in one piece: whoever reads it acts on it.
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    Ok(out.flush()?)
}
