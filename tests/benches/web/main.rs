//! What the API costs the host: processor time of a `serve` for a connect, for an access token, and for a route that does nothing.
//!
//! `cargo bench -p connector-tests --bench web [-- <connects> <reads> <rounds>]`
//!
//! The host is the program itself in a process of its own, over a store in a file, and so is the emulator; this process is product and
//! browser. A connect is two requests to the API, two to the platform, and everything that is stored on the way; a few are under way at the same
//! time. How long callbacks wait is told as well, a few at a time and at a pace. Each round begins with a store in which nothing is.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../common/mod.rs"]
mod common;
mod product;
#[path = "../common/program.rs"]
mod program;

use std::time::Duration;

use connector_host::testing::Outcome;
use tempfile::TempDir;

use self::common::{median, say};
use self::product::Product;
use self::program::{Process, once};

/// The processor time of the host that a connect may cost, in microseconds.
const MOST_CONNECT: f64 = 1_000.0;

/// How many times the processor time of a route that does nothing an access token may cost.
const MOST_TOKEN: f64 = 4.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    // Cargo adds a flag of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(500, 20_000, 5).await,
        [connects, reads, rounds] => compare(connects.parse()?, reads.parse()?, rounds.parse()?).await,
        _ => Err("usage: [<connects> <reads> <rounds>]".into()),
    }
}

/// How often a callback comes where many do.
const EVERY: Duration = Duration::from_millis(10);

/// The middle of some times in milliseconds, and the worst of all but one in a hundred.
fn spread(times: &mut [f64]) -> String {
    let middle = median(times);
    format!("p50 {middle:.1} ms, p99 {:.1} ms", times[times.len() * 99 / 100])
}

async fn compare(connects: usize, reads: usize, rounds: usize) -> Outcome {
    say(format_args!("{connects} connects, {reads} reads, {rounds} rounds; microseconds of the host's processor time"));
    say("round  connect   token   empty  empty again  token / empty");
    let (mut costs, mut ratios, mut waits) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let Stage { product, host, .. } = &Stage::open()?;
        let (connection, _) = product.connect().await?;
        let connect = host.cost(connects, async { product.connects(connects).await.map(|took| waits.extend(took)) });
        let connect = connect.await?;
        let empty = host.cost(reads, product.empty(reads)).await?;
        let token = host.cost(reads, product.tokens(&connection, reads)).await?;
        let again = host.cost(reads, product.empty(reads)).await?;
        let ratio = token / f64::midpoint(empty, again);
        say(format_args!("{round:5}  {connect:7.0}  {token:6.1}  {empty:6.1}  {again:11.1}  {ratio:13.2}"));
        costs.push(connect);
        ratios.push(ratio);
    }
    say(format_args!("median {:.0} us a connect, the target is at most {MOST_CONNECT}", median(&mut costs)));
    say(format_args!("from a callback to its connection, exchange and accounts included: {}", spread(&mut waits)));
    let mut waits = Stage::open()?.product.paced(connects, EVERY).await?;
    say(format_args!("the same, {} callbacks, one every {EVERY:?}: {}", waits.len(), spread(&mut waits)));
    say(format_args!(
        "median {:.2} times an empty route for a token, the target is at most {MOST_TOKEN}",
        median(&mut ratios)
    ));
    Ok(())
}

/// A product before a host before an emulator, none of which has done anything yet.
struct Stage {
    product: Product,
    host: Process,
    _emulator: Process,
    _home: TempDir,
}

impl Stage {
    fn open() -> Outcome<Self> {
        let home = tempfile::tempdir()?;
        let (emulator, _) = Process::start(&home, "emulator tiktok")?;
        let key = once(&home, "api-keys create bench --rights all --any-tenant --emulator")?;
        let (host, told) = Process::start(
            &home,
            "serve --emulator --listen 127.0.0.1:0 --every 1h --key-rate 100000 --trusted-proxy 127.0.0.1 --max-connections 2000",
        )?;
        let product = Product::new(told["listening"].as_str().ok_or("no address")?.parse()?, &key);
        Ok(Self { product, host, _emulator: emulator, _home: home })
    }
}
