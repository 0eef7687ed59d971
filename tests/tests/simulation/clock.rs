//! The virtual time, seen through clocks that people set wrong.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use connector_core::{Clock, Random, SinceBoot};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When a schedule begins, by a clock that is right: 2026-11-22T12:00:00Z.
const BEGIN: i64 = 1_795_348_800_000;

/// Milliseconds since the schedule began.
pub(crate) fn elapsed(start: Instant) -> i64 {
    i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// The clock of one machine.
#[derive(Debug)]
pub(crate) struct SimClock {
    start: Instant,
    wrong_by: AtomicI64,
    boot: Option<String>,
}

impl SimClock {
    /// A clock that is wrong by so many milliseconds. Without the name of a boot the machine has no clock but this one.
    pub(crate) fn new(start: Instant, wrong_by: i64, boot: Option<String>) -> Self {
        Self { start, wrong_by: AtomicI64::new(wrong_by), boot }
    }

    /// Somebody sets it.
    pub(crate) fn jump(&self, by: i64) {
        self.wrong_by.fetch_add(by, Ordering::Relaxed);
    }
}

/// What a clock that is right shows so many milliseconds after the begin.
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(BEGIN + millis).unwrap()
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        at(elapsed(self.start) + self.wrong_by.load(Ordering::Relaxed))
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        let elapsed = SignedDuration::from_millis(elapsed(self.start));
        self.boot.clone().map(|boot| SinceBoot { boot, elapsed })
    }
}

/// Randomness from a seed.
pub(crate) struct SimRandom(Mutex<fastrand::Rng>);

impl SimRandom {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Random for SimRandom {
    fn fill(&self, buffer: &mut [u8]) -> connector_core::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(buffer);
        Ok(())
    }
}
