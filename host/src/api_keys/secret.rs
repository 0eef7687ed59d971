//! The text that a program shows.

use connector_core::{Context, Secret};

/// What every secret begins with, so that people and scanners see what it is.
const PREFIX: &str = "chk_";

/// How many characters 256 random bits are in base64url.
const LENGTH: usize = 43;

/// A secret that nobody can guess.
///
/// # Errors
/// When the context has no randomness to give.
pub(super) fn fresh(cx: &Context) -> connector_core::Result<Secret> {
    Ok(Secret::new(format!("{PREFIX}{}", cx.random_token()?.expose())))
}

/// Whether a text could be the secret of a key.
pub(crate) fn is_well_formed(secret: &Secret) -> bool {
    let random = secret.expose().strip_prefix(PREFIX);
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    random.is_some_and(|random| random.len() == LENGTH && random.bytes().all(is_base64url))
}

#[cfg(test)]
mod tests {
    use connector_core::testing::FakeTransport;

    use super::*;

    #[test]
    fn every_secret_is_another_one_and_well_formed() {
        let cx = FakeTransport::default().context();
        let (one, other) = (fresh(&cx).unwrap(), fresh(&cx).unwrap());
        assert!(is_well_formed(&one) && is_well_formed(&other) && !one.matches(other.expose()));
    }

    #[test]
    fn what_is_no_secret_of_a_key_is_told_by_its_look() {
        let random = "x".repeat(LENGTH);
        assert!(is_well_formed(&Secret::new(format!("{PREFIX}{random}"))));
        let (short, long, odd) = ("x".repeat(LENGTH - 1), "x".repeat(LENGTH + 1), "+".repeat(LENGTH));
        for text in ["", "chk_", &random, &format!("chk-{random}"), &format!("CHK_{random}"), &format!(" chk_{random}")]
        {
            assert!(!is_well_formed(&Secret::from(text)), "{text}");
        }
        for text in [short, long, odd, format!("{}\n", "x".repeat(LENGTH - 1)), "ä".repeat(LENGTH)] {
            assert!(!is_well_formed(&Secret::new(format!("{PREFIX}{text}"))), "{text}");
        }
    }
}
