//! How long something has taken, whatever people do to the clock meanwhile.

use connector_core::{Context, SinceBoot};
use jiff::{SignedDuration, Timestamp};

/// A point in time, to count from.
#[derive(Debug)]
pub(crate) struct Moment {
    wall: Timestamp,
    since_boot: Option<SinceBoot>,
}

impl Moment {
    /// Now.
    pub(crate) fn now(cx: &Context) -> Self {
        Self { wall: cx.now(), since_boot: cx.since_boot() }
    }

    /// The time since then, also while the machine slept. The wall clock counts only where the machine has no other, and then one that was
    /// set back says nothing: `None`.
    pub(crate) fn elapsed(&self, cx: &Context) -> Option<SignedDuration> {
        let by_boot = cx.since_boot().zip(self.since_boot.as_ref()).and_then(|(now, then)| now.duration_since(then));
        let elapsed = by_boot.unwrap_or_else(|| cx.now().duration_since(self.wall));
        (!elapsed.is_negative()).then_some(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use connector_core::testing::{CountingRandom, FakeClock, FakeTransport, MockClock};

    use super::*;

    #[test]
    fn setting_the_clock_changes_nothing_that_is_counted() {
        let clock = FakeClock::default();
        let random = Arc::new(CountingRandom::default());
        let cx = Context::new(Arc::new(FakeTransport::default()), Arc::new(clock.clone()), random);
        let began = Moment::now(&cx);
        for hours in [26, -52, 1] {
            clock.jump(SignedDuration::from_hours(hours));
            assert_eq!(began.elapsed(&cx), Some(SignedDuration::ZERO));
        }
        clock.advance(SignedDuration::from_secs(30));
        assert_eq!(began.elapsed(&cx), Some(SignedDuration::from_secs(30)));
    }

    #[test]
    fn a_wall_clock_alone_that_was_set_back_says_nothing() {
        let mut clock = MockClock::new();
        clock.expect_since_boot().return_const(None);
        let mut times = ["2026-11-22T12:00:00Z", "2026-11-22T12:00:07Z", "2026-11-22T11:00:00Z"].into_iter();
        clock.expect_now().returning(move || times.next().unwrap().parse().unwrap());
        let random = Arc::new(CountingRandom::default());
        let cx = Context::new(Arc::new(FakeTransport::default()), Arc::new(clock), random);
        let began = Moment::now(&cx);
        assert_eq!(began.elapsed(&cx), Some(SignedDuration::from_secs(7)));
        assert_eq!(began.elapsed(&cx), None);
    }
}
