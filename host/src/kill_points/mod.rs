//! Points of a refresh at which a test ends or stops the process.
//!
//! Without the feature `kill-points`, which no shipped program has, reaching one does nothing. With it, two variables of the environment
//! say what happens, each as `<point>` or `<point>:<n>` for the n-th time, counted from one:
//!
//! - `CONNECTOR_KILL_AT` ends the process at once: nothing is flushed, closed or told to anybody.
//! - `CONNECTOR_STOP_AT` stops all of its threads. A signal makes it go on (`kill -CONT`).
//!
//! Only here the environment is read outside the command line: a test has no other way into a process that it starts as everybody does,
//! and nothing else may know that such points exist. What lies between the connect and the answer is produced from outside, by a proxy.

#[cfg(test)]
mod tests;
#[cfg(feature = "kill-points")]
mod traps;

/// A point that a refresh passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(any(test, feature = "kill-points", feature = "postgres", feature = "sqlite")),
    expect(dead_code, reason = "some points are in the stores")
)]
pub(crate) enum KillPoint {
    /// Nothing is on record yet.
    BeforeMark,
    /// The mark is written and not committed.
    InsideMark,
    /// The mark is durable, and no byte has left.
    AfterMark,
    /// The answer is in memory alone.
    AnswerRead,
    /// The new tokens are written and not committed.
    InsideCommit,
    /// The new tokens are durable, and nobody has them yet.
    AfterCommit,
}

/// Says that a refresh is at this point. With the feature, the process may end or stop here.
#[inline]
pub(crate) fn reach(point: KillPoint) {
    #[cfg(feature = "kill-points")]
    traps::spring(point);
    #[cfg(not(feature = "kill-points"))]
    let _ = point;
}

#[cfg(any(test, feature = "kill-points"))]
impl KillPoint {
    /// All of them, in the order a refresh passes them.
    pub(crate) const ALL: [Self; 6] =
        [Self::BeforeMark, Self::InsideMark, Self::AfterMark, Self::AnswerRead, Self::InsideCommit, Self::AfterCommit];

    /// What it is called in the environment.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::BeforeMark => "before_mark",
            Self::InsideMark => "inside_mark",
            Self::AfterMark => "after_mark",
            Self::AnswerRead => "answer_read",
            Self::InsideCommit => "inside_commit",
            Self::AfterCommit => "after_commit",
        }
    }
}
