//! A simulation: the real host, several of them, over one store, against a platform that rotates strictly, while everything fails that can.
//!
//! The time is virtual, all luck comes from a seed, and what must hold is checked after each schedule.
//!
//! - `cargo test -p connector-tests --test simulation`: a thousand schedules; with `--release` a hundred thousand.
//! - `SCHEDULES=1000000 cargo test --release -p connector-tests --test simulation`: the long run. `FIRST=n` begins at another seed,
//!   `VIOLATIONS=n` goes on until so many schedules have failed.
//! - `SEED=n cargo test -p connector-tests --test simulation -- --nocapture whatever`: one schedule with its whole history.
//!
//! `--no-default-features --features simulation` builds less for it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "what helps a test may fail it, and a history is to be read"
)]

mod checks;
mod clock;
mod ledger;
mod node;
mod plan;
mod platform;
mod run;
mod store;
mod template;
mod undisturbed;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use run::{Counts, Seen, run};
use template::Template;
use world::Mutation;

/// Without optimisation most of the time goes into sealing.
const SHORT: u64 = if cfg!(debug_assertions) { 1_000 } else { 100_000 };
/// The first seed of a run.
const FIRST: u64 = 1;

/// The first violation of a run over these seeds, and what happened in it as a whole.
fn run_all(seeds: std::ops::Range<u64>, mutation: Mutation) -> (Counts, Vec<(u64, Vec<String>)>) {
    let template = Arc::new(Template::new());
    let (next, enough) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let work = || {
        let (mut counts, mut failed) = (Counts::default(), Vec::new());
        while !enough.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            let Seen { violations, counts: more, .. } = run(seed, &template, mutation, false);
            counts.add(&more);
            if !violations.is_empty() {
                failed.push((seed, violations));
                enough.store(failed.len() >= most_shown(), Ordering::Relaxed);
            }
        }
        (counts, failed)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let parts: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut all = (Counts::default(), Vec::new());
    for (counts, failed) in parts {
        all.0.add(&counts);
        all.1.extend(failed);
    }
    all.1.sort();
    all
}

fn most_shown() -> usize {
    number("VIOLATIONS").map_or(3, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.replace('_', "").parse().expect("a number"))
}

fn shown(failed: &[(u64, Vec<String>)]) -> String {
    let lines = failed.iter().flat_map(|(seed, found)| found.iter().map(move |found| format!("SEED={seed} {found}\n")));
    lines.collect()
}

#[test]
fn whatever_fails_every_promise_is_kept() {
    if let Some(seed) = number("SEED") {
        return replay(seed);
    }
    let first = number("FIRST").unwrap_or(FIRST);
    let (counts, failed) = run_all(first..first + number("SCHEDULES").unwrap_or(SHORT), Mutation::Nothing);
    println!("{counts:#?}");
    assert!(failed.is_empty(), "replay with SEED=n:\n{}", shown(&failed));
    assert!(counts.rotations > counts.schedules, "a run in which little is refreshed shows little");
    for rare in [counts.alarms, counts.crashes, counts.store_faults, counts.unanswered, counts.ended] {
        assert!(rare > counts.schedules / 100, "a run in which little fails shows little: {counts:#?}");
    }
}

fn replay(seed: u64) {
    let outcome = run(seed, &Arc::new(Template::new()), Mutation::Nothing, true);
    for line in &outcome.history {
        println!("{line}");
    }
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
}

#[test]
fn one_seed_is_one_history() {
    let template = Arc::new(Template::new());
    for seed in 0..50 {
        let [one, other] = [(); 2].map(|()| run(seed, &template, Mutation::Nothing, true));
        assert!(!one.history.is_empty());
        assert_eq!(one.hash(), other.hash(), "seed {seed}");
    }
}

#[test]
fn what_is_broken_on_purpose_is_noticed() {
    for (mutation, by) in [
        (Mutation::NoRest, "P2"),
        (Mutation::NoCompare, "P4"),
        (Mutation::Careless, "P2"),
        (Mutation::Forgetful, "own fault"),
    ] {
        let template = Arc::new(Template::new());
        let noticed = (0..3_000)
            .any(|seed| run(seed, &template, mutation, false).violations.iter().any(|found| found.starts_with(by)));
        assert!(noticed, "{mutation:?} is not noticed by {by}");
    }
}
