//! What a page says about what was just done: a word in its address, and the sentence for it. What an address says otherwise is not shown.

use serde::Deserialize;

use super::words::{FAILURES, Words};

/// What the address of a page names that was come back to.
#[derive(Deserialize)]
pub(super) struct Done {
    said: Option<String>,
}

impl Done {
    /// What there is to say.
    pub(super) fn said(&self) -> Option<Said> {
        said(self.said.as_deref())
    }
}

/// A sentence, and whether it is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: &'static str,
    pub(super) is_well: bool,
}

const fn well(text: &'static str) -> Said {
    Said { text, is_well: true }
}

const fn ill(text: &'static str) -> Said {
    Said { text, is_well: false }
}

/// The words there are.
const ALL: [(&str, Said); 16] = [
    ("connected", well("Connected.")),
    ("waiting", well("Allowed. The platform did not say yet which account it is; that is asked again by itself.")),
    ("updated", well("The counts are up to date.")),
    ("not_updated", ill("The counts could not be updated: see the last error.")),
    ("disconnected", well("Disconnected, and the platform has taken the access back.")),
    ("disconnected_shared", well("Disconnected. The person's access goes on for another connection.")),
    (
        "disconnected_only_here",
        ill("Disconnected here. The platform did not confirm it: the person can remove the app there."),
    ),
    ("disconnecting", well("Disconnected here. The platform is still to be told, which is tried again by itself.")),
    ("cancelled", ill("Nothing was connected: the link was taken back.")),
    ("already_disconnected", ill("It was disconnected already.")),
    ("password_changed", well("Your password is changed, and you are signed in nowhere else.")),
    ("signed_out_elsewhere", well("You are signed in nowhere else.")),
    ("user_added", well("Added. They can sign in with the name and password that you chose.")),
    ("user_password_set", well("The password is set, and they are signed out everywhere.")),
    ("user_signed_out", well("They are signed out everywhere.")),
    ("user_disabled", well("They are signed out everywhere and can sign in no more.")),
];

/// The sentence of a word.
pub(super) fn said(word: Option<&str>) -> Option<Said> {
    let word = word?;
    let done = ALL.into_iter().find(|(known, _)| *known == word).map(|(_, said)| said);
    done.or_else(|| FAILURES.contains(&word).then(|| ill(Words::of_failure(word).text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_are_known_say_anything() {
        for (word, sentence) in ALL {
            assert_eq!(said(Some(word)), Some(sentence));
            assert!(sentence.text.ends_with('.'), "{word}");
        }
        for word in FAILURES {
            assert!(said(Some(word)).is_some_and(|said| !said.is_well), "{word}");
        }
        for word in [None, Some(""), Some("<script>"), Some("Connected.")] {
            assert_eq!(said(word), None);
        }
    }
}
