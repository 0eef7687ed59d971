//! Connect links: what a product gives to a person who has no login here, so that they connect an account in their own browser.

mod create;
#[cfg(feature = "web")]
mod outcome;
mod return_url;
mod site;
#[cfg(feature = "web")]
mod walk;

use jiff::SignedDuration;

pub use self::create::{ConnectLinkPlan, NewConnectLink};
#[cfg(feature = "web")]
pub(crate) use self::outcome::{INTERNAL, NOT_LINKED, SCOPE_REFUSED, word};
pub use self::return_url::{ReturnUrl, ReturnUrls};
#[cfg(feature = "web")]
pub(crate) use self::site::CONNECTED;
pub use self::site::Site;

/// How long a link is good, unless it is said.
pub const CONNECT_LINK_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// How long a link is good at most: it lets whoever has it connect an account of theirs.
pub const LONGEST_CONNECT_LINK_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How many links of a tenant may be open at a time: each is a row that anybody who holds a key of it can make.
const MOST_OPEN: u32 = 10_000;

/// How long a link stays after its time, so that the product can read what became of it.
pub(crate) const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
