//! Keeping access of its own accord: what is due is refreshed before anybody needs it.
//!
//! A pass reads kept answers again, settles doubts, refreshes what would die or is to be kept fresh, and tries pending revocations. It
//! rotates nothing for which there is no reason, and joins the refreshes of callers: whatever keeps two requests apart is in the row.

mod blocked;
mod due;
mod pass;
mod rounds;
mod tally;

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub use self::rounds::Rounds;
pub use self::tally::{Kept, Tally};
use crate::error::Error;
use crate::store::{DueRefresh, GrantRecord};

/// How a pass goes about it.
#[derive(Clone)]
pub struct Keep {
    /// At most so many grants at the same time.
    pub max_in_flight: NonZeroUsize,
    /// At most so many refreshes begin in a second, and never more than [`Keep::MOST_PER_SECOND`]. `None` for as many as there is room for.
    pub max_per_second: Option<NonZeroU32>,
    /// Once it is cancelled nothing more is begun. What is under way is waited for.
    pub stop: CancellationToken,
    /// Is told what happens.
    pub watch: Watch,
}

/// Somebody who is told what happens in a pass. It must be quick.
pub type Watch = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// What happens in a pass.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A pass has begun.
    Began,
    /// So many grants more wait for their turn.
    Found(usize),
    /// A grant is really due, and its refresh begins.
    Due {
        /// Which.
        due: &'a DueRefresh,
    },
    /// A grant has had its turn.
    Done {
        /// Which.
        due: &'a DueRefresh,
        /// The grant as it was before, if it was there.
        grant: Option<&'a GrantRecord>,
        /// What came of it.
        kept: Kept,
        /// What went wrong.
        error: Option<&'a Error>,
    },
    /// A revocation has had its turn.
    Revoked {
        /// Whether it is still pending.
        left: bool,
    },
    /// The pass has ended at this time, or could not go on.
    Ended(Timestamp, Result<&'a Tally, &'a Error>),
}

impl Keep {
    /// How many grants are refreshed at the same time unless somebody says.
    pub const MAX_IN_FLIGHT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);

    /// The finest pace there is: the clock of the runtime ticks so often in a second.
    pub const MOST_PER_SECOND: u32 = 1_000;
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            max_in_flight: Self::MAX_IN_FLIGHT,
            max_per_second: None,
            stop: CancellationToken::new(),
            watch: Arc::new(|_| {}),
        }
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keep")
            .field("max_in_flight", &self.max_in_flight)
            .field("max_per_second", &self.max_per_second)
            .finish_non_exhaustive()
    }
}
