//! What it costs to keep access: a refresh as the host does it, against the least that one can be, in the same run.
//!
//! `cargo bench -p connector-tests --bench refresh [-- <grants> <in flight> <rounds>]`
//!
//! Each round is A F B A: a bare loop that sends the request and reads the answer; the floor, which is the protocol's own statements and
//! seals and nothing else; the host with its store; and the bare loop again, whose ratio to the first says how far the figures can be
//! trusted. Everybody has a process of its own, the token endpoint as well.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../common/mod.rs"]
mod common;
mod floor;
mod host;
mod mock;
#[path = "../common/roles.rs"]
mod roles;
mod work;

use connector_core::http::{HttpTransport as _, Policy, Request, ReqwestTransport};
use http::Method;
use url::Url;

use self::common::median;
pub(crate) use self::common::say;
use self::mock::Seen;
use self::roles::start;
use self::work::{Figures, Load};

pub(crate) use connector_host::testing::Outcome;

/// What the host may cost at most, as a multiple of the bare loop's processor time.
const TARGET: f64 = 2.2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    // Cargo adds a flag of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mock"] => mock::serve().await,
        ["bare", url, grants, in_flight] => work::bare(url.parse()?, load(grants, in_flight)?).await,
        ["floor", url, grants, in_flight] => {
            let dir = tempfile::tempdir()?;
            floor::floor(dir.path(), &url.parse()?, load(grants, in_flight)?).await
        }
        ["host", url, grants, in_flight] => {
            let dir = tempfile::tempdir()?;
            work::whole(dir.path(), &url.parse()?, load(grants, in_flight)?).await
        }
        [] => compare(load("3000", "64")?, 5).await,
        [grants, in_flight, rounds] => compare(load(grants, in_flight)?, rounds.parse()?).await,
        _ => Err("usage: [<grants> <in flight> <rounds>]".into()),
    }
}

fn load(grants: &str, in_flight: &str) -> Outcome<Load> {
    Ok(Load { grants: grants.parse()?, in_flight: in_flight.parse()? })
}

async fn compare(load: Load, rounds: usize) -> Outcome {
    say(format_args!(
        "{} grants, {} in flight, {rounds} rounds; one refresh each, in microseconds",
        load.grants, load.in_flight
    ));
    say(
        "round  bare cpu  floor cpu  host cpu  bare cpu   floor    host     A/A  host wall  batch  bare KiB  host KiB  read cpu   p50   p99",
    );
    let (mut floors, mut ratios, mut controls) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let (a, f) = (run("bare", load).await?, run("floor", load).await?);
        let (b, again) = (run("host", load).await?, run("bare", load).await?);
        let bare = f64::midpoint(a.cpu, again.cpu);
        let (floor, ratio, control) = (f.cpu / bare, b.cpu / bare, again.cpu / a.cpu);
        let [read, p50, p99] = b.read.unwrap_or_default();
        let batch = b.operations.checked_div(b.commits).unwrap_or_default();
        say(format_args!(
            "{round:5}  {:8.1}  {:9.1}  {:8.1}  {:8.1}  {floor:6.2}  {ratio:6.2}  {control:6.2}  {:9.1}  {batch:5}  {:8}  {:8}  {read:8.1} {p50:5.0} {p99:5.0}",
            a.cpu, f.cpu, b.cpu, again.cpu, b.wall, a.rss, b.rss
        ));
        floors.push(floor);
        ratios.push(ratio);
        controls.push(control);
    }
    say(format_args!("median of the host {:.2}, the target is at most {TARGET}", median(&mut ratios)));
    say(format_args!("median of the floor {:.2}", median(&mut floors)));
    say(format_args!(
        "median A/A {:.2}, from {:.2} to {:.2}",
        median(&mut controls),
        controls[0],
        controls[rounds - 1]
    ));
    say("each account was refreshed once; no spent token was sent; reading a fresh token committed nothing");
    Ok(())
}

/// One contender at an endpoint of its own, whose counts have to agree.
async fn run(contender: &str, load: Load) -> Outcome<Figures> {
    let (_mock, port) = start(&["mock"])?;
    let url: Url = format!("http://127.0.0.1:{port}/token").parse()?;
    let (_contender, line) = start(&[contender, url.as_str(), &load.grants.to_string(), &load.in_flight.to_string()])?;
    let figures = serde_json::from_str(&line)?;
    let answer = ReqwestTransport::new().send(Request::new(Method::GET, url.join("/seen")?, Policy::READ)).await?;
    let seen: Seen = serde_json::from_slice(answer.body())?;
    let expected = (load.grants, 0, load.grants, 1);
    if (seen.requests, seen.stale, seen.accounts, seen.most) != expected {
        return Err(format!("{contender} did not refresh each account once: {seen:?}").into());
    }
    Ok(figures)
}
