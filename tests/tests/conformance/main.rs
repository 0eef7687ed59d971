//! What every connector must do, run over every connector that is linked: `<id>::<check>`.
//!
//! A check is driven by what a connector offers and by the facts of its `platform.toml`; one that does not apply says why. The offline
//! checks hand the connector answers built from those facts, the others play against its emulator. Nothing here knows a platform.

mod accounts;
mod answers;
mod authorize;
mod base_urls;
mod callback;
mod emulator;
mod errors;
mod exchange;
mod flow;
mod leaks;
mod metrics;
mod redirect;
mod refresh;
mod registration;
mod restart;
mod revoke;
mod stage;
mod subject;
mod verdict;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;

use connector_tests as _;
use connector_tiktok as _;
use libtest_mimic::{Arguments, Completion, Trial};

use self::subject::{Subject, subjects};
use self::verdict::{Check, Stop, Verdict};

/// The checks, by area.
const AREAS: &[&[Check]] = &[
    registration::CHECKS,
    authorize::CHECKS,
    redirect::CHECKS,
    callback::CHECKS,
    exchange::CHECKS,
    refresh::CHECKS,
    revoke::CHECKS,
    base_urls::CHECKS,
    accounts::CHECKS,
    metrics::CHECKS,
    errors::CHECKS,
    leaks::CHECKS,
    emulator::CHECKS,
    flow::CHECKS,
    restart::CHECKS,
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = vec![Trial::test("linked::every_crate_under_connectors", registration::every_crate_is_linked)];
    match subjects() {
        Ok(subjects) => trials.extend(subjects.into_iter().flat_map(checks)),
        Err(error) => trials.push(Trial::test("linked::can_be_built", move || Err(error.into()))),
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn checks(subject: Subject) -> Vec<Trial> {
    let subject = Arc::new(subject);
    let trial = |(name, check): Check| {
        let subject = Arc::clone(&subject);
        Trial::ignorable_test(format!("{}::{name}", subject.linked.id()), move || completion(check(&subject)))
    };
    AREAS.iter().copied().flatten().copied().map(trial).collect()
}

fn completion(verdict: Verdict) -> Result<Completion, libtest_mimic::Failed> {
    match verdict {
        Ok(()) => Ok(Completion::Completed),
        Err(Stop::Skipped(reason)) => Ok(Completion::ignored_with(reason)),
        Err(Stop::Failed(message)) => Err(message.into()),
    }
}
