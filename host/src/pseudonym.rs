//! Names under which an account can be compared and not be found.

use connector_core::Secret;

/// The beginning of the SHA-256 of an id. An audit record stays for good and must not hold the id itself.
pub(crate) fn pseudonym(id: &str) -> String {
    Secret::from(id).digest().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ids_have_two_names_that_show_neither() {
        let (one, other) = (pseudonym("-0007"), pseudonym("-0008"));
        assert!(one != other && one == pseudonym("-0007") && !one.contains("0007"), "{one}");
        assert_eq!(one.len(), 16);
    }
}
