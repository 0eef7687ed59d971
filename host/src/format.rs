//! How values are written for people.

use connector_core::ErrorKind;
use connector_core::metrics::Missing;
use connector_core::scope::{ScopeStatus, list_scopes};
use jiff::{SignedDuration, Timestamp};

/// A count with thin groups: `1 234 567`.
pub(crate) fn count(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    format!("{}{}", if value < 0 { "-" } else { "" }, groups.join(" "))
}

/// How long ago something was, in its largest unit.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(since).max(SignedDuration::ZERO))
}

/// The same as a phrase.
pub(crate) fn ago(since: Timestamp, now: Timestamp) -> String {
    match age(since, now).as_str() {
        "now" => "just now".to_owned(),
        age => format!("{age} ago"),
    }
}

/// How long it is until then, as a phrase.
#[cfg(feature = "web")]
pub(crate) fn ahead(until: Timestamp, now: Timestamp) -> String {
    match age(now, until).as_str() {
        "now" => "now".to_owned(),
        age => format!("in {age}"),
    }
}

fn span(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..10 => "now".to_owned(),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Why there is no value, in words.
pub(crate) fn missing(missing: &Missing) -> String {
    match missing {
        Missing::Scope { scope, status } => match standing(*status) {
            Some(how) => format!("needs {scope}, {how}"),
            None => format!("needs {scope}"),
        },
        Missing::NotOffered => "the platform gives none".to_owned(),
        Missing::NotACount => "not a count: see the profile".to_owned(),
        Missing::Hidden => "hidden by its owner".to_owned(),
        Missing::Failed(ErrorKind::MissingScopes { scopes }) if !scopes.is_empty() => {
            format!("could not be read (missing_scopes): the platform refused {}", list_scopes(scopes))
        }
        Missing::Failed(kind) => format!("could not be read ({})", kind.as_str()),
    }
}

/// How a scope stands that keeps something from working, in words.
pub(crate) fn standing(status: ScopeStatus) -> Option<&'static str> {
    match status {
        ScopeStatus::NeverAsked => Some("never asked for"),
        ScopeStatus::NotGranted => Some("not granted"),
        ScopeStatus::Withdrawn => Some("withdrawn"),
        ScopeStatus::Pending => Some("pending at the platform"),
        ScopeStatus::NotWanted => Some("not in the app's list"),
        ScopeStatus::Granted | ScopeStatus::Unknown => None,
    }
}

/// A platform's text, made fit for one line of a terminal: a space for a line break, no control or bidirectional-override characters.
pub(crate) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                if !line.is_empty() && !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => line.push(c),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (value, expected) in
            [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567"), (-1_000, "-1 000")]
        {
            assert_eq!(count(value), expected);
        }
    }

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, expected) in [(0, "now"), (60, "60 s"), (3_600, "60 min"), (86_400, "24 h"), (864_000, "10 d")] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), expected);
        }
    }
}
