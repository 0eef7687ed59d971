//! What a request shows to be let in (RFC 6750).

use connector_core::Secret;

/// The secret in the value of an `Authorization` header, if it is a bearer's.
pub(crate) fn bearer(value: &str) -> Option<Secret> {
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::from(secret.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_read_as_rfc_6750_has_it() {
        assert!(bearer("Bearer chk_x").is_some_and(|secret| secret.matches("chk_x")));
        assert!(bearer("bearer chk_x").is_some());
        for text in ["chk_x", "Basic chk_x", "Bearer", ""] {
            assert!(bearer(text).is_none(), "{text}");
        }
    }
}
