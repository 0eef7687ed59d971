//! How a platform's token endpoint treats an app: what concerns every grant of the app, and is no grant's fault.

use connector_core::PlatformId;
use jiff::{SignedDuration, Timestamp};

use super::LastError;

/// So many failures in a row, whichever grants they hit, mean that the token endpoint is down and not that something is wrong with a grant.
const DOWN_AFTER: u32 = 3;
/// A refused app is asked for once in this time.
const PROBE_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// The wait when the endpoint is found down; it doubles with each failure more.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(10);
/// The wait when a platform asks for one and says no time, or a strange one.
const DEFAULT_RETRY: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_RETRY: SignedDuration = SignedDuration::from_hours(1);

/// What is wrong with an app at its platform. An app that is well has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppHealth {
    /// The platform.
    pub platform: PlatformId,
    /// The app, by the operator's name.
    pub app: String,
    /// The app's public id at the platform.
    pub client_id: String,
    /// How often in a row no verdict came: the platform was out of reach, failed, or asked to wait.
    pub failures: u32,
    /// Tells the credentials that the platform refused from others. `None` unless it refuses them.
    pub refused_credentials: Option<String>,
    /// Since when something is wrong.
    pub since: Timestamp,
    /// Before this time no request leaves for the app, and then one, to see.
    pub next_try_at: Option<Timestamp>,
    /// What the platform said last.
    pub last_error: Option<LastError>,
}

impl AppHealth {
    /// Of an app that nothing is known against yet.
    pub fn new(platform: PlatformId, app: String, client_id: String, now: Timestamp) -> Self {
        Self {
            platform,
            app,
            client_id,
            failures: 0,
            refused_credentials: None,
            since: now,
            next_try_at: None,
            last_error: None,
        }
    }

    /// Whether the platform refuses these credentials.
    pub fn refuses(&self, credentials: &str) -> bool {
        self.refused_credentials.as_deref() == Some(credentials)
    }

    /// Whether nobody gets a verdict, so that nothing can be concluded about a single grant.
    pub fn is_down(&self) -> bool {
        self.failures >= DOWN_AFTER
    }

    /// Takes the one request that may leave while something is wrong. `None` when it has been taken; the claim is to be stored.
    /// Other credentials than the refused ones are tried at once.
    pub fn claim(mut self, credentials: &str, now: Timestamp) -> Option<Self> {
        let blocked = self.refuses(credentials) || (self.next_try_at.is_some() && self.refused_credentials.is_none());
        if !blocked {
            return Some(self);
        }
        // A clock that was set back must not block for longer than any wait may be.
        let due = self.next_try_at.is_none_or(|at| at <= now || at.duration_since(now) > LONGEST_RETRY);
        due.then(|| {
            self.next_try_at = Some(later(now, if self.refuses(credentials) { PROBE_EVERY } else { self.wait() }));
            self
        })
    }

    /// No verdict came.
    pub fn failed(mut self, now: Timestamp) -> Self {
        self.failures = self.failures.saturating_add(1);
        if self.is_down() {
            let wait = self.wait();
            return self.waits(wait, now);
        }
        self
    }

    /// The platform asked to wait.
    pub fn asked_to_wait(self, retry_after: Option<SignedDuration>, now: Timestamp) -> Self {
        let wait = retry_after.filter(SignedDuration::is_positive).unwrap_or(DEFAULT_RETRY);
        self.waits(wait.min(LONGEST_RETRY), now)
    }

    /// Whatever credentials were refused before: this concerns all.
    fn waits(mut self, wait: SignedDuration, now: Timestamp) -> Self {
        (self.next_try_at, self.refused_credentials) = (Some(later(now, wait)), None);
        self
    }

    /// The platform refused the app.
    pub fn refused(mut self, credentials: String, now: Timestamp) -> Self {
        self.refused_credentials = Some(credentials);
        self.failures = 0;
        self.next_try_at = Some(later(now, PROBE_EVERY));
        self
    }

    fn wait(&self) -> SignedDuration {
        let doublings = self.failures.saturating_sub(DOWN_AFTER).min(10);
        FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
    }
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn well() -> AppHealth {
        AppHealth::new("example".parse().unwrap(), "default".to_owned(), "id".to_owned(), now())
    }

    fn down(failures: u32) -> AppHealth {
        (0..failures).fold(well(), |health, _| health.failed(now()))
    }

    #[test]
    fn an_app_is_down_after_three_failures_and_one_at_a_time_asks_whether_it_is_back() {
        assert!(!down(2).is_down() && down(2).claim("c", now()).is_some());
        let health = down(3);
        assert!(health.is_down() && health.clone().claim("c", now()).is_none());
        let later = now() + FIRST_WAIT;
        let claimed = health.claim("c", later).unwrap();
        assert!(claimed.clone().claim("c", later).is_none(), "the next one waits");
        assert!(claimed.claim("c", later + FIRST_WAIT).is_some());
    }

    #[test]
    fn the_waits_double_up_to_ten_minutes() {
        let waits: Vec<i64> = [3, 4, 5, 8, 9, 10, 1_000].map(|failures| down(failures).wait().as_secs()).to_vec();
        assert_eq!(waits, [10, 20, 40, 320, 600, 600, 600]);
    }

    #[test]
    fn a_refused_app_is_tried_once_a_minute_and_other_credentials_at_once() {
        let health = well().refused("old".to_owned(), now());
        assert!(health.clone().claim("old", now() + SECOND * 59).is_none());
        let claimed = health.clone().claim("old", now() + SECOND * 60).unwrap();
        assert!(claimed.claim("old", now() + SECOND * 119).is_none());
        let corrected = health.claim("new", now()).unwrap();
        assert!(corrected.clone().claim("new", now()).is_some());
        assert!(corrected.clone().asked_to_wait(None, now()).claim("new", now()).is_none(), "all wait");
        let down = (0..DOWN_AFTER).fold(corrected, |health, _| health.failed(now()));
        assert!(down.claim("new", now()).is_none(), "all wait");
    }

    #[test]
    fn an_app_waits_as_long_as_it_is_asked_to_within_reason() {
        let until = |retry_after| well().asked_to_wait(retry_after, now()).next_try_at.unwrap().duration_since(now());
        assert_eq!(until(Some(SECOND * 7)), SECOND * 7);
        assert_eq!(until(Some(SignedDuration::MAX)), LONGEST_RETRY);
        for nothing in [None, Some(SignedDuration::ZERO), Some(-SECOND)] {
            assert_eq!(until(nothing), DEFAULT_RETRY);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_blocks_nobody_for_long() {
        let health = well().asked_to_wait(None, now());
        assert!(health.claim("c", now() - SignedDuration::from_hours(26)).is_some());
    }
}
