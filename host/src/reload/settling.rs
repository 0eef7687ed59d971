//! When a file that is being written has been written.

/// What is seen has to be the same for two looks, with a moment between them, before it is taken.
#[derive(Debug)]
pub(super) struct Settling<T> {
    taken: Option<T>,
    last: Option<T>,
}

/// What to do after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: it is what was taken last.
    Rest,
    /// Look again in a moment: it may still change.
    LookAgain,
    /// Take it.
    Take,
}

impl<T: PartialEq> Settling<T> {
    /// Nothing was taken yet.
    pub(super) fn new() -> Self {
        Self { taken: None, last: None }
    }

    /// What a look shows.
    pub(super) fn look(&mut self, seen: T) -> Step {
        let seen = Some(seen);
        if seen == self.taken {
            self.last = None;
            Step::Rest
        } else if seen == self.last {
            self.taken = self.last.take();
            Step::Take
        } else {
            self.last = seen;
            Step::LookAgain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(looks: &str) -> String {
        let mut settling = Settling::new();
        let letter = |seen| match settling.look(seen) {
            Step::Rest => '.',
            Step::LookAgain => '?',
            Step::Take => '!',
        };
        looks.chars().map(letter).collect()
    }

    #[test]
    fn only_what_stays_the_same_is_taken_and_only_once() {
        for (looks, expected) in [
            ("aaaa", "?!.."),
            // A file that is written in pieces.
            ("aabcdd", "?!???!"),
            // Changed and changed back.
            ("aaba.", "?!?.?"),
            ("aababb", "?!?.?!"),
            ("aabbaa", "?!?!?!"),
        ] {
            assert_eq!(steps(looks), expected, "{looks}");
        }
    }
}
