//! What it costs to keep access: a refresh as the host does it, against the least that one can be, in the same run.
//!
//! `cargo bench -p connector-tests --bench refresh [-- <grants> <in flight> <rounds>]`
//!
//! Each round is A B A: a bare loop that sends the request and reads the answer, the host with its store, and the bare loop again, whose
//! ratio to the first says how far the figures can be trusted. Everybody has a process of its own, the token endpoint as well.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../common/mod.rs"]
mod common;
mod host;
mod mock;
mod work;

use connector_core::http::{HttpTransport as _, Policy, Request, ReqwestTransport};
use http::Method;
use url::Url;

pub(crate) use self::common::say;
use self::common::{median, start};
use self::mock::Seen;
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
        "round  bare cpu  host cpu  bare cpu   ratio     A/A  host wall  batch  bare KiB  host KiB  read cpu   p50   p99",
    );
    let (mut ratios, mut controls) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let (a, b, again) = (run("bare", load).await?, run("host", load).await?, run("bare", load).await?);
        let (ratio, control) = (b.cpu * 2.0 / (a.cpu + again.cpu), again.cpu / a.cpu);
        let [read, p50, p99] = b.read.unwrap_or_default();
        let batch = b.operations.checked_div(b.commits).unwrap_or_default();
        say(format_args!(
            "{round:5}  {:8.1}  {:8.1}  {:8.1}  {ratio:6.2}  {control:6.2}  {:9.1}  {batch:5}  {:8}  {:8}  {read:8.1} {p50:5.0} {p99:5.0}",
            a.cpu, b.cpu, again.cpu, b.wall, a.rss, b.rss
        ));
        ratios.push(ratio);
        controls.push(control);
    }
    say(format_args!("median ratio {:.2}, the target is at most {TARGET}", median(&mut ratios)));
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
