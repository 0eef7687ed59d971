//! Words of commands that people paste into a shell.

use std::path::Path;

/// A word of a command, so that a shell takes it as it is.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@+,~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The same for a path.
pub(crate) fn path(path: &Path) -> String {
    word(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_word_as_it_is() {
        assert_eq!(word("/tmp/a-b_c.toml"), "/tmp/a-b_c.toml");
        assert_eq!(word("it's here"), r"'it'\''s here'");
        assert_eq!(word("a; rm -r $HOME"), "'a; rm -r $HOME'");
        assert_eq!(word(""), "''");
    }
}
