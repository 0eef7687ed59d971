//! Where a test may end the process.

#[derive(Clone, Copy, Debug)]
pub(crate) enum KillPoint {
    BeforeMark,
    AfterMark,
    AnswerRead,
    InsideCommit,
    AfterCommit,
}

pub(crate) fn reach(_: KillPoint) {}
