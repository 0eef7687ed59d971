//! A limit of calls in a sliding minute.

use std::collections::{HashMap, VecDeque};

const WINDOW: i64 = 60;
const SWEEP_AT: usize = 1024;

/// The calls of the last minute, by whom they were made.
#[derive(Debug, Default)]
pub(super) struct Limiter(HashMap<String, VecDeque<i64>>);

impl Limiter {
    /// Counts a call, unless there were as many as the limit within the minute before.
    pub(super) fn admit(&mut self, key: &str, limit: u32, now: i64) -> bool {
        if self.0.len() >= SWEEP_AT {
            self.0.retain(|_, calls| calls.back().is_some_and(|last| recent(*last, now)));
        }
        let calls = self.0.entry(key.to_owned()).or_default();
        calls.retain(|at| recent(*at, now));
        let admitted = calls.len() < limit as usize;
        if admitted {
            calls.push_back(now);
        }
        admitted
    }
}

/// The clock may have been put back: what lies ahead of it does not count.
fn recent(at: i64, now: i64) -> bool {
    at > now - WINDOW && at <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_and_refused_calls_do_not_count() {
        let mut limiter = Limiter::default();
        assert!(limiter.admit("a", 2, 100));
        assert!(limiter.admit("a", 2, 130));
        assert!(!limiter.admit("a", 2, 159));
        assert!(limiter.admit("b", 2, 159));
        assert!(limiter.admit("a", 2, 160));
        assert!(!limiter.admit("a", 2, 161));
    }
}
