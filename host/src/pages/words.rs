//! What people are told, in their own words: nothing of the inside, and what to do next.

use crate::links::{INTERNAL, NOT_LINKED, SCOPE_REFUSED};

/// A heading and a sentence or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
}

/// The words of callbacks that no link is known of.
pub(super) const NO_FLOW: &str = "no_flow";

/// The word of a callback that came to another browser than its flow was begun in.
pub(super) const OTHER_BROWSER: &str = "other_browser";

/// The stable words of failures.
pub(super) const FAILURES: [&str; 16] = [
    "declined",
    SCOPE_REFUSED,
    "missing_scopes",
    NOT_LINKED,
    "account_restricted",
    "rate_limited",
    "quota_exhausted",
    "unavailable",
    "config",
    "unsupported",
    "invalid_callback",
    NO_FLOW,
    OTHER_BROWSER,
    INTERNAL,
    "rejected",
    "protocol",
];

const fn words(title: &'static str, text: &'static str) -> Words {
    Words { title, text }
}

/// With a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let text: String = first.chain(letters).collect();
    if text.ends_with('.') { text } else { text + "." }
}

impl Words {
    /// Why nothing was connected, by its stable word.
    pub(super) fn of_failure(word: &str) -> Self {
        match word {
            "declined" => words(
                "Not connected",
                "You did not allow access, so nothing was connected. If that was not what you meant, try again.",
            ),
            SCOPE_REFUSED => words(
                "Not connected",
                "The platform did not let this be asked for in full. That is for the operator to mend; until then it can be asked for less.",
            ),
            "missing_scopes" => words(
                "Not connected",
                "Without knowing which account it is, nothing can be connected. Try again, and allow what it needs for that.",
            ),
            NOT_LINKED => words(
                "Not connected",
                "You were logged in at the platform as somebody else than was to be connected. Log in there with the right account, and try again.",
            ),
            "account_restricted" => words(
                "Not connected",
                "The platform has restricted this account, so it cannot be connected. The platform's own app says more.",
            ),
            "rate_limited" | "quota_exhausted" => {
                words("Not connected", "The platform asks to wait. Try again in some minutes.")
            }
            "unavailable" => words("Not connected", "The platform cannot be reached. Try again in some minutes."),
            "config" | "unsupported" => words(
                "Not connected",
                "The platform has not approved this app, or it is not set up rightly. You can do nothing about it: tell whoever sent you here.",
            ),
            "invalid_callback" => words("Not connected", "This took too long, or it was answered already. Try again."),
            NO_FLOW => words(
                "Nothing to connect here",
                "This address belongs to nothing that is under way: it was used already, or it took longer than ten minutes. Go back to where you came from and start again.",
            ),
            OTHER_BROWSER => words(
                "Not connected",
                "This was begun in another browser, so nothing was connected. Go on in the browser that you began with, or start again in this one.",
            ),
            INTERNAL => words("Not connected", "Something went wrong here, not with you. Try again later."),
            _ => words(
                "Not connected",
                "The platform refused. Try again, and tell whoever sent you here if it stays so.",
            ),
        }
    }

    pub(super) fn link_expired() -> Self {
        words("This link has expired", "Ask whoever gave it to you for a new one.")
    }

    pub(super) fn link_used() -> Self {
        words("This link has been used", "It connects one account, once. Ask whoever gave it to you for a new one.")
    }

    pub(super) fn link_cancelled() -> Self {
        words("This link is no longer of use", "Whoever gave it to you took it back.")
    }

    pub(super) fn link_of_another_browser() -> Self {
        words(
            "This link is in use elsewhere",
            "It was opened in another browser first. Go on there, or ask whoever gave it to you for a new one.",
        )
    }

    pub(super) fn no_link() -> Self {
        words(
            "There is no such link",
            "Look whether the address is complete, or ask whoever gave it to you for a new one.",
        )
    }

    pub(super) fn waiting() -> Self {
        words(
            "Allowed, and nearly connected",
            "The access is kept. The platform did not say yet which account it is; that is asked again by itself, and you need not do anything.",
        )
    }

    pub(super) fn under_way() -> Self {
        words(
            "One moment",
            "If you have just allowed access, this page says in a moment how it ended. If you have not, try again.",
        )
    }

    /// Whether it is told to those who sign in, and not to somebody with a link.
    pub(super) fn are_of_the_house(self) -> bool {
        [Self::no_page(), Self::old_form(), Self::failed_inside()].contains(&self)
    }

    pub(super) fn no_page() -> Self {
        words("There is no such page", "It may have been removed, or it belongs to somebody else.")
    }

    pub(super) fn foreign_form() -> Self {
        words("Not done", "This was sent by a page of somebody else's. Open the page itself and use its button.")
    }

    pub(super) fn old_form() -> Self {
        words(
            "Not done",
            "This form was open for too long, or it was not written by this host. Open its page again, with cookies allowed, and send it from there.",
        )
    }

    pub(super) fn no_set_up_token() -> Self {
        words(
            "Not done",
            "This is not the token that `serve` told, or its quarter of an hour is over: `serve` makes a new one when it starts again.",
        )
    }

    pub(super) fn failed_inside() -> Self {
        words("Not done", "Something went wrong here, not with you. Try again later.")
    }

    pub(super) fn no_navigation() -> Self {
        words("Not done", "This address is for a browser that comes from the platform.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_what_to_do() {
        for word in FAILURES {
            let text = Words::of_failure(word).text;
            let next = ["ry again", "tart again", "Go on", "tell whoever", "can be asked for less", "says more"];
            assert!(next.iter().any(|next| text.contains(next)), "{word}: {text}");
        }
    }
}
