//! What platforms write, made fit to be shown.

/// A platform's text, made fit for one line of a terminal or log.
pub(crate) fn shown(text: &str) -> String {
    let plays = |c: &char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !plays(c)).take(300).collect()
}

/// A platform's sentence, as [`shown`]. Some platforms repeat the token they refuse, so what looks like one is left out.
pub(crate) fn words(text: &str) -> String {
    let token = |word: &str| word.len() >= 24 && word.contains(|c: char| c.is_ascii_digit());
    let kept = text.split_whitespace().map(|word| if token(word) { "[...]" } else { word });
    shown(&kept.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_play_with_a_terminal_or_fill_it() {
        assert_eq!(shown("a\u{1b}[31mb\nc\u{202e}d"), "a[31mbcd");
        assert_eq!(shown(&"x".repeat(1000)).len(), 300);
    }

    #[test]
    fn what_looks_like_a_token_is_left_out_of_a_sentence() {
        assert_eq!(words("Invalid token: act.0123456789abcdefghijklmn !"), "Invalid token: [...] !");
        assert_eq!(words("The authorization code is expired."), "The authorization code is expired.");
    }
}
