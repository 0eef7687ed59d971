//! How often a key is taken, and how often somebody may guess at one.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use connector_core::Context;
use jiff::SignedDuration;

use super::problem::{Problem, Result};
use crate::buckets::Buckets;
use crate::client::Client;
use crate::moment::Moment;

/// How many keys that have not worked yet one address may show at once.
const GUESSES_AT_ONCE: f64 = 50.0;

/// How many more it may show in a second after that: six a minute.
const GUESSES_PER_SECOND: f64 = 0.1;

/// How many requests a second one key may make, and twice as many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRate(pub NonZeroU32);

impl Default for KeyRate {
    fn default() -> Self {
        Self(NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN))
    }
}

/// Counts what was shown. A key that has worked here is known by its digest, and nobody's guesses are in its way.
pub(super) struct Throttle {
    began: Moment,
    rate: f64,
    counted: Mutex<Counted>,
}

struct Counted {
    keys: Buckets<String>,
    addresses: Buckets<IpAddr>,
}

/// What was shown with a request that was let through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shown {
    /// A key that has worked.
    Known,
    /// One that may be a guess, by whom.
    New(Option<Client>),
}

impl Throttle {
    pub(super) fn new(cx: &Context, KeyRate(rate): KeyRate) -> Self {
        let rate = f64::from(rate.get());
        let counted = Counted {
            keys: Buckets::new(rate, 2.0 * rate),
            addresses: Buckets::new(GUESSES_PER_SECOND, GUESSES_AT_ONCE),
        };
        Self { began: Moment::now(cx), rate, counted: Mutex::new(counted) }
    }

    /// Whether a key may be looked up now.
    pub(super) fn admit(&self, cx: &Context, digest: &str, client: Option<Client>) -> Result<Shown> {
        let (now, mut counted) = (self.now(cx), self.counted());
        let (taken, shown, detail) = match (counted.keys.of_known(digest, now), client) {
            (Some(known), _) => (known.take(), Shown::Known, "the key makes more requests than it may: spread them"),
            (None, Some(from)) => {
                let taken = counted.addresses.of(from.network(), now).take();
                (taken, Shown::New(client), "too many keys that do not work were shown from this address: wait")
            }
            (None, None) => return Ok(Shown::New(None)),
        };
        if taken {
            return Ok(shown);
        }
        let rate = if shown == Shown::Known { self.rate } else { GUESSES_PER_SECOND };
        // The time is told in whole seconds.
        let wait = SignedDuration::try_from_secs_f64(rate.recip().ceil() + 1.0).unwrap_or(SignedDuration::ZERO);
        Err(Problem::too_many(detail, cx.now() + wait))
    }

    /// Takes down what came of it.
    pub(super) fn settle(&self, cx: &Context, digest: &str, shown: Shown, is_wrong: bool) {
        let (now, mut counted) = (self.now(cx), self.counted());
        match (shown, is_wrong) {
            (Shown::Known, true) => counted.keys.forget(digest),
            (Shown::New(client), false) => {
                counted.keys.of(digest.to_owned(), now).take();
                if let Some(from) = client {
                    counted.addresses.of(from.network(), now).give_back();
                }
            }
            (Shown::Known, false) | (Shown::New(_), true) => {}
        }
    }

    /// The seconds since this began. Should the only clock be set back, none have passed.
    fn now(&self, cx: &Context) -> f64 {
        self.began.elapsed(cx).unwrap_or_default().as_secs_f64()
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use connector_core::testing::{CountingRandom, FakeClock, FakeTransport};

    use super::*;
    use crate::buckets::REMEMBERED;

    fn throttle() -> (Throttle, Context, FakeClock) {
        let clock = FakeClock::default();
        let random = Arc::new(CountingRandom::default());
        let cx = Context::new(Arc::new(FakeTransport::default()), Arc::new(clock.clone()), random);
        (Throttle::new(&cx, KeyRate(NonZeroU32::new(5).unwrap())), cx, clock)
    }

    fn at(address: &str) -> Client {
        Client(address.parse().unwrap())
    }

    /// How many of so many guesses are looked up.
    fn guess(throttle: &Throttle, cx: &Context, guesses: u32, from: Option<Client>) -> usize {
        let looked_up = |guess| {
            let digest = format!("guess {guess}");
            let shown = throttle.admit(cx, &digest, from).ok()?;
            throttle.settle(cx, &digest, shown, true);
            Some(())
        };
        (0..guesses).filter_map(looked_up).count()
    }

    fn use_key(throttle: &Throttle, cx: &Context, from: Option<Client>) -> bool {
        let shown = throttle.admit(cx, "right", from);
        shown.map(|shown| throttle.settle(cx, "right", shown, false)).is_ok()
    }

    #[test]
    fn of_ten_thousand_guesses_a_few_are_looked_up() {
        let (throttle, cx, clock) = throttle();
        assert_eq!(guess(&throttle, &cx, 10_000, Some(at("192.0.2.1"))), 50);
        for _ in 0..10 {
            clock.advance(SignedDuration::from_secs(60));
            assert_eq!(guess(&throttle, &cx, 10_000, Some(at("192.0.2.1"))), 6, "a minute");
        }
        assert_eq!(guess(&throttle, &cx, 1, Some(at("192.0.2.2"))), 1, "others have places of their own");
        assert_eq!(guess(&throttle, &cx, 99, Some(at("2001:db8::1"))), 50);
        assert_eq!(guess(&throttle, &cx, 99, Some(at("2001:db8::ffff:2"))), 0, "a network of IPv6 is one client");
        assert_eq!(guess(&throttle, &cx, 99, None), 99, "a server that tells no address throttles for itself");
    }

    #[test]
    fn guesses_keep_no_key_out_that_has_worked() {
        let (throttle, cx, _) = throttle();
        for _ in 0..5 {
            assert!(use_key(&throttle, &cx, Some(at("192.0.2.1"))));
        }
        assert_eq!(guess(&throttle, &cx, 99, Some(at("192.0.2.1"))), 50, "a key that works is no guess");
        assert!(use_key(&throttle, &cx, Some(at("192.0.2.1"))));
        let shown = throttle.admit(&cx, "right", Some(at("192.0.2.1"))).unwrap();
        throttle.settle(&cx, "right", shown, true);
        assert!(!use_key(&throttle, &cx, Some(at("192.0.2.1"))), "one that was revoked is a guess");
    }

    #[test]
    fn a_key_has_its_rate_and_says_when_there_is_more() {
        let (throttle, cx, clock) = throttle();
        assert_eq!((0..99).filter(|_| use_key(&throttle, &cx, None)).count(), 10, "twice the rate at once");
        clock.advance(SignedDuration::from_secs(1));
        assert_eq!((0..99).filter(|_| use_key(&throttle, &cx, None)).count(), 5);
        let answer = axum::response::IntoResponse::into_response(throttle.admit(&cx, "right", None).unwrap_err());
        assert_eq!(answer.status(), 429);
        assert!(answer.headers().contains_key("retry-after"));
        clock.jump(SignedDuration::from_hours(-5));
        clock.advance(SignedDuration::from_secs(1));
        assert!(use_key(&throttle, &cx, None), "whatever the clock is set to");
    }

    #[test]
    fn whoever_has_many_addresses_fills_no_memory() {
        let (throttle, cx, _) = throttle();
        for n in 0..u32::try_from(REMEMBERED).unwrap() + 500 {
            guess(&throttle, &cx, 1, Some(Client(IpAddr::from(n.to_be_bytes()))));
        }
        assert!(throttle.counted().addresses.len() <= REMEMBERED);
    }
}
