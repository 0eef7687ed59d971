use std::fmt;

/// The place of a value in a file, shown as TOML writes it: `platforms.lantern.scopes."stats.read"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<String>);

impl Key {
    /// The place these names lead to.
    pub fn of<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// The place of this name within this place.
    pub fn child(&self, name: impl Into<String>) -> Self {
        let mut names = self.0.clone();
        names.push(name.into());
        Self(names)
    }

    /// The place this one lies in, unless it is the whole file.
    pub fn parent(&self) -> Option<Self> {
        let (_, names) = self.0.split_last()?;
        Some(Self(names.to_vec()))
    }

    /// The names that lead here.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            write!(f, "{dot}{}", key_text(name))?;
        }
        Ok(())
    }
}

/// A key as TOML writes it: bare where it may be, else in quotes.
pub(super) fn key_text(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { quoted(name) }
}

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.extend(format!("\\u{:04X}", u32::from(c)).chars()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_as_in_a_file() {
        assert_eq!(
            Key::of(["platforms", "lantern", "scopes", "stats.read"]).to_string(),
            r#"platforms.lantern.scopes."stats.read""#
        );
        assert_eq!(Key::of(["a-b_1", "", "x\"y\\z\n"]).to_string(), "a-b_1.\"\".\"x\\\"y\\\\z\\u000A\"");
        assert_eq!(Key::default().to_string(), "");
    }

    #[test]
    fn a_key_knows_what_it_lies_in() {
        let key = Key::of(["platforms", "lantern"]);
        assert_eq!(key.child("apps").parent(), Some(key));
        assert_eq!(Key::default().parent(), None);
    }
}
