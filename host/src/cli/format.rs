//! How values are written for people at a terminal.

use std::fmt::Write as _;

pub(super) use crate::format::{age, ago, count, line, missing};

/// What is longer than this many characters is cut.
const LONG: usize = 60;

/// How many columns folded text takes at most.
const WIDTH: usize = 79;

/// As [`line`], and so short that it does not take the line for itself. What is cut off shows as `…`.
pub(super) fn text(text: &str) -> String {
    let line = line(text);
    match line.char_indices().nth(LONG - 1) {
        Some((cut, last)) if cut + last.len_utf8() < line.len() => format!("{}…", line[..cut].trim_end()),
        _ => line,
    }
}

/// A text broken at its spaces so that a terminal shows it whole: `first` begins it, and the other lines are indented as far.
pub(super) fn folded(first: &str, text: &str) -> String {
    let indent = first.chars().count();
    let mut folded = first.to_owned();
    let mut length = indent;
    for (place, word) in text.split(' ').enumerate() {
        let more = word.chars().count();
        if place > 0 && length + 1 + more > WIDTH {
            let _ = write!(folded, "\n{:indent$}", "");
            length = indent;
        } else if place > 0 {
            folded.push(' ');
            length += 1;
        }
        folded.push_str(word);
        length += more;
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_play_with_the_terminal() {
        assert_eq!(text("a\u{1b}[31mb\r\nc\u{202e}d\u{2028}"), "a[31mb cd");
    }

    #[test]
    fn what_is_cut_shows_it() {
        let long = "é".repeat(LONG);
        assert_eq!(text(&long), long);
        let cut = text(&format!("{long}é"));
        assert_eq!(cut.chars().count(), LONG);
        assert!(cut.ends_with("é…"), "{cut}");
        assert_eq!(line(&long.repeat(3)), long.repeat(3));
    }

    #[test]
    fn a_long_text_is_broken_between_words() {
        assert_eq!(folded("  asks for ", "one"), "  asks for one");
        let folded = folded("  asks for ", &["user.info.basic,"; 8].join(" "));
        assert_eq!(folded.lines().count(), 2);
        assert!(folded.lines().all(|line| line.ends_with("basic,") && line.len() <= WIDTH), "{folded}");
        assert!(folded.lines().skip(1).all(|line| line.starts_with("           user")), "{folded}");
    }
}
