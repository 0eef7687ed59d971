//! The checks that every store has to pass.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use connector_core::Context;
//! # use connector_host::store::{Store, contract};
//! # async fn every_check_passes(cx: Context, fresh: impl Fn() -> Arc<dyn Store>) {
//! for check in contract::checks() {
//!     check.run(cx.clone(), fresh()).await.unwrap_or_else(|error| panic!("{}: {error}", check.name));
//! }
//! # }
//! ```

mod api_keys;
mod audit;
mod bench;
mod connect_links;
mod connections;
mod deliveries;
mod disconnects;
mod doubts;
mod events;
mod feeds;
mod flows;
mod grants;
mod idempotency;
mod imports;
mod inventory;
mod meta;
mod owner;
mod pages;
mod purges;
mod races;
mod refreshes;
mod reseal;
mod revocations;
mod samples;
mod users;

use std::pin::Pin;
use std::sync::Arc;

use connector_core::Context;

use self::bench::Bench;
use super::Store;

/// How a check ends. What a store does wrong is a panic with a sentence; an error is a call that failed where none should.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One thing that holds for every store.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What holds, as a sentence.
    pub name: &'static str,
    run: fn(Bench) -> Running,
}

impl Check {
    /// Checks it with a fresh, empty store.
    ///
    /// # Errors
    /// The first call that fails and should not.
    ///
    /// # Panics
    /// When the store does something else than it should.
    pub async fn run(&self, cx: Context, store: Arc<dyn Store>) -> Outcome {
        (self.run)(Bench { cx, store }).await
    }
}

/// All checks.
pub fn checks() -> Vec<Check> {
    let subjects = [
        flows::CHECKS,
        grants::CHECKS,
        connections::CHECKS,
        disconnects::CHECKS,
        revocations::CHECKS,
        samples::CHECKS,
        feeds::CHECKS,
        audit::CHECKS,
        pages::CHECKS,
        meta::CHECKS,
        owner::CHECKS,
        inventory::CHECKS,
        refreshes::CHECKS,
        doubts::CHECKS,
        imports::CHECKS,
        purges::CHECKS,
        reseal::CHECKS,
        races::CHECKS,
        api_keys::CHECKS,
        users::CHECKS,
        connect_links::CHECKS,
        events::CHECKS,
        deliveries::CHECKS,
        idempotency::CHECKS,
    ];
    subjects.concat()
}
