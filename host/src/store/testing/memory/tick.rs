//! The time by the clocks there are.

use connector_core::{Context, SinceBoot};
use jiff::{SignedDuration, Timestamp};

use super::Row;

pub(super) type Boot = SinceBoot;

/// Now, by both clocks.
pub(super) struct Tick {
    pub(super) now: Timestamp,
    pub(super) since_boot: Option<Boot>,
}

impl Tick {
    pub(super) fn of(cx: &Context) -> Self {
        let now = Timestamp::from_millisecond(cx.now().as_millisecond()).unwrap_or_default();
        Self { now, since_boot: cx.since_boot() }
    }

    /// How long ago the last request was sent. `None` if that is in the future, because the clock was set back.
    pub(super) fn since_sent(&self, row: &Row) -> Option<SignedDuration> {
        let Some(mark) = &row.grant.refresh_mark else { return Some(SignedDuration::ZERO) };
        let by_boot = self.since_boot.as_ref().zip(row.sent.as_ref()).and_then(|(now, sent)| now.duration_since(sent));
        let elapsed = by_boot.unwrap_or_else(|| self.now.duration_since(mark.sent_at));
        (!elapsed.is_negative()).then_some(elapsed)
    }
}
