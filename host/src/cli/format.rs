//! How values are written for people.

use connector_core::metrics::Missing;
use connector_core::scope::ScopeStatus;
use jiff::{SignedDuration, Timestamp};

/// A count with thin groups: `1 234 567`.
pub(super) fn count(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    format!("{}{}", if value < 0 { "-" } else { "" }, groups.join(" "))
}

/// How long ago something was, in its largest unit.
pub(super) fn age(since: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(since).max(SignedDuration::ZERO))
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
pub(super) fn missing(missing: &Missing) -> String {
    match missing {
        Missing::Scope { scope, status } => match status {
            ScopeStatus::NeverAsked => format!("needs {scope}, never asked for"),
            ScopeStatus::NotGranted => format!("needs {scope}, not granted"),
            ScopeStatus::Withdrawn => format!("needs {scope}, withdrawn"),
            ScopeStatus::Pending => format!("needs {scope}, pending at the platform"),
            ScopeStatus::NotWanted => format!("needs {scope}, not in the app's list"),
            ScopeStatus::Granted | ScopeStatus::Unknown => format!("needs {scope}"),
        },
        Missing::NotOffered => "the platform gives none".to_owned(),
        Missing::NotACount => "not a count: see the profile".to_owned(),
        Missing::Hidden => "hidden by its owner".to_owned(),
        Missing::Failed(kind) => format!("could not be read ({})", kind.as_str()),
    }
}

/// A platform's text, made fit for one line of a terminal: no control or bidirectional-override characters.
pub(super) fn text(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .take(60)
        .collect()
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

    #[test]
    fn text_cannot_play_with_the_terminal() {
        assert_eq!(text("a\u{1b}[31mb\nc\u{202e}d"), "a[31mbcd");
    }
}
