//! Writes figures as `OpenMetrics` text, version 1.0.

use std::fmt::{Display, Write as _};

use jiff::{SignedDuration, Timestamp};

/// What kind of figure a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Its labels say it all.
    Info,
}

/// A text of families of figures.
#[derive(Debug, Default)]
pub(super) struct Text(String);

/// The figures of one name.
#[derive(Debug)]
pub(super) struct Family<'t> {
    text: &'t mut String,
    name: &'static str,
    kind: Kind,
}

impl Text {
    /// Begins a family. Each name begins once; one that ends in `_seconds` is counted in seconds.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let word = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Info => "info",
        };
        let _ = writeln!(self.0, "# TYPE {name} {word}");
        if name.ends_with("_seconds") {
            let _ = writeln!(self.0, "# UNIT {name} seconds");
        }
        let _ = writeln!(self.0, "# HELP {name} {}", escaped(help));
        Family { text: &mut self.0, name, kind }
    }

    /// The whole text.
    pub(super) fn end(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

impl Family<'_> {
    /// One figure.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge => "",
            Kind::Info => "_info",
        };
        let labels: Vec<String> = labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{suffix}{labels} {value}", self.name);
        self
    }

    /// Whether something is so.
    pub(super) fn flag(&mut self, labels: &[(&str, &str)], is_so: bool) -> &mut Self {
        self.sample(labels, u8::from(is_so))
    }
}

/// Seconds with milliseconds.
pub(super) fn seconds(length: SignedDuration) -> String {
    let millis = length.as_millis().max(0);
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

/// A time as seconds since 1970.
pub(super) fn unix(time: Timestamp) -> String {
    seconds(time.duration_since(Timestamp::UNIX_EPOCH))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_the_format_wants_them() {
        let mut text = Text::default();
        text.family("a_things", Kind::Counter, "Things\nso far").sample(&[("kind", "b\"c\\d\ne")], 3);
        text.family("a_lag_seconds", Kind::Gauge, "Lag").sample(&[], seconds(SignedDuration::from_millis(1_020)));
        text.family("a_build", Kind::Info, "Build").sample(&[("version", "1")], 1);
        text.family("a_well", Kind::Gauge, "Well").flag(&[("x", "1"), ("y", "2")], false);
        assert_eq!(
            text.end(),
            "# TYPE a_things counter\n# HELP a_things Things\\nso far\na_things_total{kind=\"b\\\"c\\\\d\\ne\"} 3\n\
             # TYPE a_lag_seconds gauge\n# UNIT a_lag_seconds seconds\n# HELP a_lag_seconds Lag\na_lag_seconds 1.020\n\
             # TYPE a_build info\n# HELP a_build Build\na_build_info{version=\"1\"} 1\n\
             # TYPE a_well gauge\n# HELP a_well Well\na_well{x=\"1\",y=\"2\"} 0\n# EOF\n"
        );
    }
}
