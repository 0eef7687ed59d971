//! Processes that die, stop, are told to end, or lose their disk or database in the middle of a refresh, against a platform that keeps
//! count.
//!
//! `cargo test --workspace` runs a short version of what needs no special build. All of it, short:
//! `cargo test -p connector-tests --features kill-points --test crash`. Each test prints one line with its numbers, and a variable of the
//! environment makes it as long as one likes:
//!
//! - `KILLS=2000 cargo test --release -p connector-tests --features kill-points --test crash kills_at`
//! - `LOSSES=1000 .. --test crash answers`
//! - `ROTATIONS=2000 .. --test crash processes`
//! - `INTERRUPTS=200 .. --test crash interrupted`, `TERMINATIONS=200 .. --test crash told_to_end`, `ABORTS=1000 .. --test crash gone`
//! - `STOPS=100 .. --test crash stopped`, `FROZEN=10 .. --test crash frozen` (which takes half a minute anyway)
//! - `FULL_DISKS=50 .. --test crash disk`, `CUTS=50 .. --test crash database`
//! - `SYNCS=250 .. --test crash synced`
//! - `FAULTS=all .. --test crash fails`, every call of a refresh with every error, or as many as a number says
//! - `DAMAGES=200 .. --test crash damaged`

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arena;
mod damaged;
#[cfg(feature = "kill-points")]
mod database;
mod disk;
mod faulty;
mod interrupted;
mod kills;
mod line;
mod lost;
mod many;
mod process;
mod stopped;
#[expect(dead_code, unused_imports, reason = "it is made for the flows, and not all of it is needed here")]
#[path = "../flows/support/mod.rs"]
mod support;
mod synced;
mod tally;

use connector_core::testing::size;
use connector_tests::missing::{is_there, say, skipped};

#[test]
#[cfg(not(feature = "kill-points"))]
fn database_servers_come_with_a_special_build() {
    has_kill_points();
}

fn has_strace() -> bool {
    is_there("strace", &["--version"], "install the package strace")
}

/// Whether the programs have kill points.
fn has_kill_points() -> bool {
    if cfg!(feature = "kill-points") {
        return true;
    }
    skipped("kill-points", "run `cargo test -p connector-tests --features kill-points --test crash`");
    false
}
