use schemars::JsonSchema;
use serde::Deserialize;

/// What the credentials of an app look like, as far as is known. It is for advice alone: nothing is refused for it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialFacts {
    /// The id of an app.
    #[serde(default)]
    pub client_id: CredentialShape,
    /// The secret of an app.
    #[serde(default)]
    pub client_secret: CredentialShape,
    /// What the id of an app begins with that is for tests alone, and what no other id begins with.
    #[serde(default)]
    pub test_prefix: Option<String>,
}

/// What an id or a secret looks like.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialShape {
    /// What it begins with: one of these. Empty where that is not known.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// How many characters it has: one of these. Empty where that is not known.
    #[serde(default)]
    pub lengths: Vec<usize>,
}

/// Why an id and a secret may be the wrong ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialDoubt {
    /// Both are the same.
    Same,
    /// Each looks like the other.
    Swapped,
    /// The id does not look like one.
    StrangeId,
    /// The secret does not look like one.
    StrangeSecret,
}

impl CredentialFacts {
    /// What looks wrong with an id and its secret.
    pub fn doubts(&self, id: &str, secret: &str) -> Vec<CredentialDoubt> {
        if id == secret {
            return vec![CredentialDoubt::Same];
        }
        let (strange_id, strange_secret) = (!self.client_id.fits(id), !self.client_secret.fits(secret));
        if self.client_id.mistaken(id, secret) || self.client_secret.mistaken(secret, id) {
            return vec![CredentialDoubt::Swapped];
        }
        let doubts = [(strange_id, CredentialDoubt::StrangeId), (strange_secret, CredentialDoubt::StrangeSecret)];
        doubts.into_iter().filter_map(|(holds, doubt)| holds.then_some(doubt)).collect()
    }

    /// Whether the id is that of an app for tests alone.
    pub fn is_test(&self, id: &str) -> bool {
        self.test_prefix.as_deref().is_some_and(|prefix| id.starts_with(prefix))
    }
}

impl CredentialShape {
    /// Whether a text may be one. What is not known fits.
    fn fits(&self, text: &str) -> bool {
        let begins = self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| text.starts_with(prefix.as_str()));
        begins && (self.lengths.is_empty() || self.lengths.contains(&text.chars().count()))
    }

    /// Whether what should look like this does not, and the other one does. A length alone tells nothing apart.
    fn mistaken(&self, text: &str, other: &str) -> bool {
        !self.prefixes.is_empty() && !self.fits(text) && self.fits(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> CredentialFacts {
        CredentialFacts {
            client_id: CredentialShape { prefixes: vec!["id".to_owned(), "test".to_owned()], lengths: vec![6, 8] },
            client_secret: CredentialShape { prefixes: Vec::new(), lengths: vec![10] },
            test_prefix: Some("test".to_owned()),
        }
    }

    #[test]
    fn each_doubt_is_found_and_what_fits_has_none() {
        use CredentialDoubt::{Same, StrangeId, StrangeSecret, Swapped};
        for (id, secret, doubts) in [
            ("id1234", "0123456789", vec![]),
            ("test1234", "0123456789", vec![]),
            ("id1234", "id1234", vec![Same]),
            ("0123456789", "id1234", vec![Swapped]),
            ("number", "0123456789", vec![StrangeId]),
            ("id12345", "short", vec![StrangeId, StrangeSecret]),
            ("id1234", "short", vec![StrangeSecret]),
        ] {
            assert_eq!(facts().doubts(id, secret), doubts, "{id} {secret}");
        }
    }

    #[test]
    fn what_a_platform_file_does_not_say_is_no_doubt() {
        assert_eq!(CredentialFacts::default().doubts("anything", "else"), []);
        assert!(!CredentialFacts::default().is_test("test"));
        assert!(facts().is_test("test1234") && !facts().is_test("id1234"));
    }
}
