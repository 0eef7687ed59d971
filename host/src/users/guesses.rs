//! How often somebody may guess at a password.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use connector_core::{Context, Secret};

use crate::buckets::Buckets;
use crate::client::Client;
use crate::moment::Moment;
use crate::store::user_name_key;

/// How many guesses at once. With those that come back meanwhile there are ten in a minute.
const AT_ONCE: f64 = 5.0;

/// How many of these one address has: fewer, so that nobody takes all guesses at an account from there.
const AT_ONCE_FROM_ONE: f64 = 3.0;

/// How many more in a second, of so many at once: all of them within a minute.
const fn per_second(at_once: f64) -> f64 {
    at_once / 60.0
}

/// What a browser has of its own, as a digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Browser(pub(crate) String);

/// Counts guesses: those at one account, whoever makes them, and those of one address. A browser in which somebody has signed in to the
/// account is counted for itself, so that strangers keep nobody out.
pub(super) struct Guesses {
    began: Moment,
    counted: Mutex<Counted>,
}

struct Counted {
    accounts: Buckets<String>,
    addresses: Buckets<IpAddr>,
    known: Buckets<(String, Browser)>,
}

/// Who guesses at which account.
pub(super) struct Guess {
    account: String,
    browser: Browser,
    client: Option<Client>,
}

impl Guess {
    pub(super) fn at(name: &str, browser: Browser, client: Option<Client>) -> Self {
        // A name may be as long as a form, and many are remembered.
        Self { account: Secret::from(user_name_key(name)).digest(), browser, client }
    }

    fn known(&self) -> (String, Browser) {
        (self.account.clone(), self.browser.clone())
    }
}

impl Guesses {
    pub(super) fn new(cx: &Context) -> Self {
        let counted = Counted {
            accounts: Buckets::new(per_second(AT_ONCE), AT_ONCE),
            addresses: Buckets::new(per_second(AT_ONCE_FROM_ONE), AT_ONCE_FROM_ONE),
            known: Buckets::new(per_second(AT_ONCE), AT_ONCE),
        };
        Self { began: Moment::now(cx), counted: Mutex::new(counted) }
    }

    /// Whether a guess is looked at.
    pub(super) fn admit(&self, cx: &Context, guess: &Guess) -> bool {
        let (now, mut counted) = (self.now(cx), self.counted());
        if let Some(known) = counted.known.of_known(&guess.known(), now) {
            return known.take();
        }
        // Who has no guess left himself takes none from the account.
        let may = guess.client.is_none_or(|client| counted.addresses.of(client.network(), now).take());
        may && counted.accounts.of(guess.account.clone(), now).take()
    }

    /// Takes down that a guess was right: it was none.
    pub(super) fn was_right(&self, cx: &Context, guess: &Guess) {
        let (now, mut counted) = (self.now(cx), self.counted());
        if let Some(known) = counted.known.of_known(&guess.known(), now) {
            known.give_back();
            return;
        }
        counted.known.of(guess.known(), now);
        counted.accounts.of(guess.account.clone(), now).give_back();
        if let Some(client) = guess.client {
            counted.addresses.of(client.network(), now).give_back();
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
