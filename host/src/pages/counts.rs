//! Counts as a page shows them: a number with its age, or why there is none.

use jiff::Timestamp;

use super::facts::Facts;
use crate::format;
use crate::host::Host;
use crate::metrics::Shown;
use crate::store::{Connected, LastValues, Sample};

/// The counts of a connection as they are stored.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Those that have a number.
    pub(super) rows: Vec<Count>,
    /// The others, those with one reason together.
    pub(super) missing: Vec<Without>,
    /// When the platform was asked last.
    pub(super) asked: Option<When>,
    /// The same time, to compare with.
    pub(super) read_at: Option<Timestamp>,
}

/// A number with its age.
#[derive(Debug)]
pub(super) struct Count {
    pub(super) name: String,
    /// In groups of three.
    pub(super) value: String,
    /// When the platform said it.
    pub(super) observed: When,
    /// Why there is none that is newer.
    pub(super) stale: Option<String>,
}

/// Counts without a number, and why.
#[derive(Debug)]
pub(super) struct Without {
    pub(super) names: Vec<String>,
    pub(super) why: String,
}

/// A time, by the clock and in words.
#[derive(Clone, Debug)]
pub(super) struct When {
    pub(super) at: String,
    pub(super) ago: String,
}

impl When {
    pub(super) fn of(at: Timestamp, now: Timestamp) -> Self {
        Self { at: format!("{at:.0}"), ago: format::ago(at, now) }
    }

    /// One that is to come.
    pub(super) fn ahead(at: Timestamp, now: Timestamp) -> Self {
        Self { at: format!("{at:.0}"), ago: format::ahead(at, now) }
    }
}

impl Counts {
    /// Those of a connection. No platform is asked.
    pub(super) fn of(host: &Host, connected: &Connected, facts: &Facts) -> Self {
        let (id, now) = (&connected.connection.id, facts.now);
        let reading = facts.readings.get(id);
        let read_at = reading.map(|reading| reading.observed_at);
        let mut counts = Self { asked: read_at.map(|at| When::of(at, now)), read_at, ..Self::default() };
        for (name, shown) in host.stored_metrics(connected, reading, facts.values.get(id).unwrap_or(&LastValues::new()))
        {
            counts.add(title(name.as_str()), shown.as_ref(), now);
        }
        counts
    }

    fn add(&mut self, name: String, shown: Option<&Shown>, now: Timestamp) {
        match shown {
            Some(Shown::Value(sample)) => self.rows.push(Count::of(name, sample, None, now)),
            Some(Shown::Stale(sample, why)) => self.rows.push(Count::of(name, sample, Some(format::missing(why)), now)),
            Some(Shown::Missing(why)) => self.add_without(name, format::missing(why)),
            None => self.add_without(name, "not read yet".to_owned()),
        }
    }

    fn add_without(&mut self, name: String, why: String) {
        match self.missing.iter_mut().find(|without| without.why == why) {
            Some(without) => without.names.push(name),
            None => self.missing.push(Without { names: vec![name], why }),
        }
    }
}

impl Count {
    fn of(name: String, sample: &Sample, stale: Option<String>, now: Timestamp) -> Self {
        Self { name, value: format::count(sample.value), observed: When::of(sample.observed_at, now), stale }
    }
}

/// A stable name as people write it: `likes_received` is `Likes received`. One that an operator gave stays as it is.
pub(super) fn title(name: &str) -> String {
    if name.starts_with("custom.") {
        return name.to_owned();
    }
    let words = name.replace(['_', '.'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use connector_core::ErrorKind;
    use connector_core::metrics::Missing;

    use super::*;

    #[test]
    fn a_count_that_nobody_counted_has_no_number() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let sample = Sample { observed_at: "2026-11-22T09:00:00Z".parse().unwrap(), value: 1_234 };
        let mut counts = Counts::default();
        let all = [
            ("A", Some(Shown::Value(sample))),
            ("B", None),
            ("C", Some(Shown::Missing(Missing::Hidden))),
            ("D", Some(Shown::Stale(sample, Missing::Failed(ErrorKind::Unavailable)))),
            ("E", None),
        ];
        for (name, shown) in all {
            counts.add(name.to_owned(), shown.as_ref(), now);
        }
        let rows: Vec<_> =
            counts.rows.iter().map(|row| (&*row.name, &*row.value, &*row.observed.ago, row.stale.as_deref())).collect();
        assert_eq!(
            rows,
            [("A", "1 234", "3 h ago", None), ("D", "1 234", "3 h ago", Some("could not be read (unavailable)"))]
        );
        let missing: Vec<_> = counts.missing.iter().map(|without| (without.names.join(" "), &*without.why)).collect();
        assert_eq!(missing, [("B E".to_owned(), "not read yet"), ("C".to_owned(), "hidden by its owner")]);
    }

    #[test]
    fn names_are_written_as_words() {
        for (name, words) in [
            ("followers", "Followers"),
            ("likes_received", "Likes received"),
            ("publish.direct", "Publish direct"),
            ("custom.example.pets", "custom.example.pets"),
            ("", ""),
        ] {
            assert_eq!(title(name), words);
        }
    }
}
