//! How a count went, as a line: readings joined, and nothing made up between them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::error::Result;
use crate::format;
use crate::host::Host;
use crate::store::{ConnectionId, Sample};

/// What is drawn.
const METRIC: &str = "followers";

/// How far back it goes.
const DAYS: i64 = 30;

/// How many readings it has at most: one of each half day.
const SPANS: u32 = 60;

/// The size of the drawing, in units of its own: the page scales it.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 48.0;

/// What is kept free around the line, for the mark of its end.
const MARGIN: f64 = 4.0;

/// A line of a count, with what it says in words.
#[derive(Debug)]
pub(super) struct Chart {
    /// The corners of the line, as SVG has them.
    pub(super) line: String,
    /// Where it ends.
    pub(super) end: (String, String),
    /// The same in words.
    pub(super) words: String,
}

/// How the followers of some connections went until now.
pub(super) async fn trends(
    host: &Host,
    ids: &[ConnectionId],
    now: Timestamp,
) -> Result<BTreeMap<ConnectionId, Vec<Sample>>> {
    let Ok(metric) = METRIC.parse() else { return Ok(BTreeMap::new()) };
    Ok(host.store().trends(ids, &metric, beginning(now), now, SPANS).await?)
}

/// Where a drawing that ends now begins.
fn beginning(now: Timestamp) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or_default()
}

impl Chart {
    /// What is drawn of a trend until now, if there is enough to show.
    pub(super) fn until(now: Timestamp, samples: &[Sample]) -> Option<Self> {
        Self::of(samples, beginning(now), now)
    }

    /// One reading is no line.
    fn of(samples: &[Sample], from: Timestamp, to: Timestamp) -> Option<Self> {
        let [first, .., last] = samples else { return None };
        let values = || samples.iter().map(|sample| sample.value);
        let (low, high) = (values().min()?, values().max()?);
        let place = |sample: &Sample| {
            let x = share(sample.observed_at.as_millisecond(), from.as_millisecond(), to.as_millisecond());
            // A count that stayed is a line in the middle.
            let y = if low == high { 0.5 } else { share(sample.value, low, high) };
            (MARGIN + x * (WIDTH - 2.0 * MARGIN), HEIGHT - MARGIN - y * (HEIGHT - 2.0 * MARGIN))
        };
        let mut line = String::new();
        for (x, y) in samples.iter().map(place) {
            let _ = write!(line, "{x:.1},{y:.1} ");
        }
        let (x, y) = place(last);
        let words = format!(
            "Followers in the last {DAYS} days: from {} to {}, lowest {}, highest {}",
            format::count(first.value),
            format::count(last.value),
            format::count(low),
            format::count(high)
        );
        Some(Self { line: line.trim_end().to_owned(), end: (format!("{x:.1}"), format!("{y:.1}")), words })
    }
}

/// How far a value is from one end to the other, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a drawing of 240 units shows no difference")]
fn share(value: i64, low: i64, high: i64) -> f64 {
    let length = (high as f64 - low as f64).max(1.0);
    ((value as f64 - low as f64) / length).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[(i64, i64)]) -> Option<Chart> {
        let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let samples: Vec<_> =
            values.iter().map(|(hours, value)| Sample { observed_at: at(*hours), value: *value }).collect();
        Chart::of(&samples, at(0), at(100))
    }

    #[test]
    fn a_line_goes_from_reading_to_reading() {
        let chart = chart(&[(0, 0), (50, 1_500), (100, 1_000)]).unwrap();
        assert_eq!(chart.line, "4.0,44.0 120.0,4.0 236.0,17.3");
        assert_eq!(chart.end, ("236.0".to_owned(), "17.3".to_owned()));
        assert_eq!(chart.words, "Followers in the last 30 days: from 0 to 1 000, lowest 0, highest 1 500");
    }

    #[test]
    fn a_count_that_stayed_is_a_level_line() {
        assert_eq!(chart(&[(0, 7), (100, 7)]).unwrap().line, "4.0,24.0 236.0,24.0");
    }

    #[test]
    fn what_is_no_line_is_not_drawn() {
        assert!(chart(&[]).is_none() && chart(&[(0, 7)]).is_none());
    }

    #[test]
    fn the_largest_counts_stay_within_the_drawing() {
        let chart = chart(&[(0, i64::MIN), (100, i64::MAX)]).unwrap();
        assert_eq!(chart.line, "4.0,44.0 236.0,4.0");
    }
}
