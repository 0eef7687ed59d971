//! How the configuration of a host that runs stands: the one place from which everybody is told.

use std::collections::BTreeMap;

use connector_core::config::LayerName;
use jiff::Timestamp;
use serde::Serialize;

use super::outcome::{Outcome, Reloaded, Why, names};
use crate::data::Mistake;

/// How the configuration stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    /// The layers in use, the lowest first.
    pub(crate) layers: Vec<String>,
    /// Since when they are.
    since: Timestamp,
    /// What is in the files now, if it could not be taken up.
    pub(crate) refused: Option<Refused>,
}

/// A configuration that could not be taken up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Refused {
    since: Timestamp,
    pub(crate) problems: Vec<Mistake>,
}

/// What came of reading it so far.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    /// How often, by outcome.
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    /// When it was found right last.
    pub(crate) last_success: Timestamp,
    /// Whether what is in the files now is refused.
    pub(crate) is_refused: bool,
}

/// What is new to whoever follows the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Nothing,
    /// Somebody asked, or something is different.
    Something,
    /// What was wrong is right again.
    Healed,
}

#[derive(Debug)]
pub(super) struct Status {
    shown: Shown,
    counts: Counts,
}

impl Status {
    pub(super) fn new(layers: &[LayerName], now: Timestamp) -> Self {
        let outcomes = Outcome::ALL.map(|outcome| (outcome, 0)).into();
        Self {
            shown: Shown { layers: names(layers), since: now, refused: None },
            counts: Counts { outcomes, last_success: now, is_refused: false },
        }
    }

    /// Takes down what came of reading it. A file that was written and comes to what is known already is no news, and is not counted.
    pub(super) fn take(&mut self, reloaded: &Reloaded, why: Why) -> News {
        let news = self.news(reloaded, why);
        if news != News::Nothing {
            *self.counts.outcomes.entry(reloaded.outcome).or_default() += 1;
        }
        self.counts.is_refused = reloaded.outcome == Outcome::Refused;
        if self.counts.is_refused {
            let since = self.shown.refused.as_ref().map_or(reloaded.at, |refused| refused.since);
            self.shown.refused = Some(Refused { since, problems: reloaded.problems.clone() });
            return news;
        }
        self.counts.last_success = reloaded.at;
        self.shown.refused = None;
        if reloaded.outcome == Outcome::Changed || self.shown.layers != reloaded.layers {
            (self.shown.layers, self.shown.since) = (reloaded.layers.clone(), reloaded.at);
        }
        news
    }

    fn news(&self, reloaded: &Reloaded, why: Why) -> News {
        let refused = self.shown.refused.as_ref();
        match reloaded.outcome {
            Outcome::Changed | Outcome::Unchanged if refused.is_some() => News::Healed,
            Outcome::Unchanged => asked(why),
            Outcome::Refused if refused.is_some_and(|refused| refused.problems == reloaded.problems) => asked(why),
            Outcome::Changed | Outcome::Refused => News::Something,
        }
    }

    pub(super) fn shown(&self) -> Shown {
        self.shown.clone()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.clone()
    }
}

/// Whoever asked is answered, also that nothing is new.
fn asked(why: Why) -> News {
    if why == Why::Files { News::Nothing } else { News::Something }
}

#[cfg(test)]
mod tests {
    use connector_core::config::{Key, Problem, Problems};
    use jiff::SignedDuration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn refused(second: i64, message: &str) -> Reloaded {
        let problem = Problem { layer: LayerName::new("x.toml"), key: Key::default(), message: message.to_owned() };
        Reloaded::refused(at(second), &Problems(vec![problem]))
    }

    fn right(second: i64, outcome: Outcome) -> Reloaded {
        Reloaded { outcome, ..Reloaded::taken_up(at(second), &[LayerName::new("x.toml")], &[]) }
    }

    fn status() -> Status {
        Status::new(&[LayerName::new("x.toml")], at(0))
    }

    #[test]
    fn the_same_mistake_is_told_once_and_since_when_it_is_there_is_kept() {
        let mut status = status();
        assert_eq!(status.take(&refused(1, "a"), Why::Files), News::Something);
        assert_eq!(status.take(&refused(2, "a"), Why::Files), News::Nothing);
        assert_eq!(status.take(&refused(3, "a"), Why::Hangup), News::Something, "whoever asks is answered");
        assert_eq!(status.take(&refused(4, "b"), Why::Files), News::Something);
        let shown = status.shown();
        assert_eq!((shown.since, shown.refused.as_ref().unwrap().since), (at(0), at(1)));
        let counts = status.counts();
        assert_eq!((counts.outcomes[&Outcome::Refused], counts.last_success, counts.is_refused), (3, at(0), true));
    }

    #[test]
    fn a_file_that_is_right_again_heals_also_when_it_says_what_is_in_use() {
        let mut status = status();
        status.take(&refused(1, "a"), Why::Files);
        assert_eq!(status.take(&right(2, Outcome::Unchanged), Why::Files), News::Healed);
        assert_eq!(status.take(&right(3, Outcome::Unchanged), Why::Files), News::Nothing);
        assert_eq!((status.shown().since, status.shown().refused), (at(0), None));
        let counts = status.counts();
        assert_eq!((counts.outcomes[&Outcome::Unchanged], counts.last_success, counts.is_refused), (1, at(3), false));
        assert_eq!(status.take(&right(4, Outcome::Changed), Why::Files), News::Something);
        assert_eq!(status.shown().since, at(4));
    }
}
