//! The people who have accounts here, one for each situation a real account can be in.

use std::collections::BTreeMap;

use connector_core::emulator::Person;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::derive::{self, MIXED};

const HOUR: i64 = 3600;

/// Somebody, as they are before an admin changes anything.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) display_name: &'static str,
    pub(super) username: &'static str,
    pub(super) bio: &'static str,
    pub(super) verified: bool,
    open_id_start: &'static str,
    counts: [Count; 4],
}

/// A count on the day the emulator was founded, and what it gains in a day.
#[derive(Debug)]
struct Count(&'static str, i64, i64);

const fn counts(followers: (i64, i64), following: (i64, i64), likes: (i64, i64), videos: (i64, i64)) -> [Count; 4] {
    [
        Count("follower_count", followers.0, followers.1),
        Count("following_count", following.0, following.1),
        Count("likes_count", likes.0, likes.1),
        Count("video_count", videos.0, videos.1),
    ]
}

pub(super) const PEOPLE: [Sheet; 5] = [
    Sheet {
        name: "mira",
        about: "a verified creator with a large following that grows every hour",
        display_name: "Mira Okafor",
        username: "mira.bakes",
        bio: "Sourdough, slowly.\nNew video every day.",
        verified: true,
        open_id_start: "_000",
        counts: counts((1_284_310, 2_880), (312, 0), (48_902_117, 96_000), (842, 1)),
    },
    Sheet {
        name: "jonas",
        about: "an ordinary account, unverified, with an empty bio",
        display_name: "Jonas",
        username: "jonas_8841",
        bio: "",
        verified: false,
        open_id_start: "_000",
        counts: counts((187, 0), (240, 0), (1_024, 24), (12, 0)),
    },
    Sheet {
        name: "nova",
        about: "a new account: every count is 0 and stays 0",
        display_name: "nova",
        username: "user7310224918",
        bio: "",
        verified: false,
        open_id_start: "_000",
        counts: counts((0, 0), (0, 0), (0, 0), (0, 0)),
    },
    Sheet {
        name: "linnea",
        about: "an account whose open_id begins with a hyphen",
        display_name: "Linnéa Ström",
        username: "linnea.paddles",
        bio: "Kayaks & <cold> water",
        verified: false,
        open_id_start: "-000",
        counts: counts((9_876, 48), (401, 1), (230_450, 720), (96, 0)),
    },
    Sheet {
        name: "noor",
        about: "an account with a right-to-left name, emoji, and counts beyond 32 bits",
        display_name: "نور القمر 🌙👩‍🚀",
        username: "noor.moon",
        bio: "مرحبا 👋",
        verified: true,
        open_id_start: "_000",
        counts: counts((151_000_000, 24_000), (1, 0), (4_300_000_000, 240_000), (2_417, 2)),
    },
];

/// Looks somebody up.
pub(super) fn named(name: &str) -> Option<&'static Sheet> {
    PEOPLE.iter().find(|sheet| sheet.name == name)
}

pub(super) fn info() -> Vec<Person> {
    PEOPLE.iter().map(|sheet| Person { name: sheet.name.to_owned(), about: sheet.about.to_owned() }).collect()
}

impl Sheet {
    /// Their id for one app: another app knows them by another. 36 characters.
    pub(super) fn open_id(&self, app: &str) -> String {
        format!("{}{}", self.open_id_start, derive::text(MIXED, &["open_id", app, self.name], 32))
    }

    /// Their id for all apps of one developer.
    pub(super) fn union_id(&self) -> String {
        derive::uuid(&["union_id", self.name])
    }

    /// A count, so many seconds after the founding, as nobody has changed it. Not below 0, however far the clock was put back.
    pub(super) fn count(&self, field: &str, age: i64) -> Option<i64> {
        let Count(_, base, per_day) = self.counts.iter().find(|count| count.0 == field)?;
        Some((base + per_day * age.div_euclid(HOUR) / 24).max(0))
    }
}

/// What an admin has changed about somebody.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Edits {
    /// Counts that were set, and counts that were moved.
    pub(super) counts: BTreeMap<String, CountEdit>,
    /// Other fields that were set.
    pub(super) fields: BTreeMap<String, Value>,
}

/// A change to a count.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CountEdit {
    /// It was set, and stays.
    Set(i64),
    /// It was moved by so much, and goes on growing.
    Moved(i64),
}

impl Edits {
    /// The count, with its change.
    pub(super) fn apply(&self, field: &str, natural: i64) -> i64 {
        match self.counts.get(field) {
            Some(CountEdit::Set(value)) => *value,
            Some(CountEdit::Moved(by)) => natural.saturating_add(*by),
            None => natural,
        }
        .max(0)
    }

    /// Moves a count from where it is.
    pub(super) fn add(&mut self, field: &str, by: i64) {
        let edit = match self.counts.get(field) {
            Some(CountEdit::Set(value)) => CountEdit::Set(value.saturating_add(by).max(0)),
            Some(CountEdit::Moved(before)) => CountEdit::Moved(before.saturating_add(by)),
            None => CountEdit::Moved(by),
        };
        self.counts.insert(field.to_owned(), edit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_36_characters_and_differ_from_app_to_app() {
        for sheet in &PEOPLE {
            assert_eq!(sheet.open_id("desktop").len(), 36);
            assert_eq!(sheet.union_id().len(), 36);
            assert_ne!(sheet.open_id("desktop"), sheet.open_id("web"));
        }
    }

    #[test]
    fn a_count_gains_what_a_day_brings() {
        let mira = named("mira").unwrap();
        assert_eq!(mira.count("follower_count", 0), Some(1_284_310));
        assert_eq!(mira.count("follower_count", HOUR), Some(1_284_430));
        assert_eq!(mira.count("follower_count", 24 * HOUR), Some(1_287_190));
        assert_eq!(mira.count("follower_count", -3660 * 24 * HOUR), Some(0));
    }
}
