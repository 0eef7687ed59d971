//! Whose store it is. A copy of a store holds the same tokens as its original, and tokens that rotate can be used by one of the two only:
//! the operator names each installation, and a store remembers by which one it is used.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;

use super::{AuditRecord, Result, StoreError};

/// The name an operator gives to an installation: what distinguishes it from one that was started on a copy of its data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstanceName(String);

impl InstanceName {
    const MAX_LENGTH: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstanceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let begins = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let goes_on = |byte: u8| begins(byte) || matches!(byte, b'.' | b'_' | b'-');
        let fits =
            text.len() <= Self::MAX_LENGTH && text.bytes().next().is_some_and(begins) && text.bytes().all(goes_on);
        fits.then(|| Self(text.to_owned())).ok_or_else(|| {
            format!(
                "the name of an instance begins with a small letter or a digit, goes on with those or `.`, `_`, `-`, and has at most {} characters, such as `prod` or `berlin-1`",
                Self::MAX_LENGTH
            )
        })
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tells whose store it is, and whether that is who asks.
///
/// Whoever is not the owner only looks: [`Flows::put_flow`](super::Flows::put_flow), [`Flows::take_flow`](super::Flows::take_flow),
/// [`Grants::set_grant_state`](super::Grants::set_grant_state), [`Connections::disconnect`](super::Connections::disconnect),
/// [`Imports::import_connections`](super::Imports::import_connections), [`Purges::purge_connection`](super::Purges::purge_connection),
/// [`Inventory::doubt_refresh`](super::Inventory::doubt_refresh), [`Inventory::carry_over`](super::Inventory::carry_over),
/// [`Refreshes::begin_refresh`](super::Refreshes::begin_refresh), [`Meta::set_vault_check`](super::Meta::set_vault_check),
/// [`Meta::note_alive`](super::Meta::note_alive), [`ApiKeys::put_api_key`](super::ApiKeys::put_api_key),
/// [`ApiKeys::revoke_api_key`](super::ApiKeys::revoke_api_key), [`Users::put_user`](super::Users::put_user),
/// [`Users::set_password`](super::Users::set_password), [`Users::disable_user`](super::Users::disable_user),
/// [`Sessions::put_session`](super::Sessions::put_session) and
/// [`Revocations::claim_revocation`](super::Revocations::claim_revocation) compare the owner in their own transaction and end with
/// [`StoreError::NotOurs`]. What a platform has answered already is stored whoever the owner is by then: it exists nowhere else.
#[async_trait]
pub trait Ownership {
    /// The name this process was started with, if it was given one.
    fn name(&self) -> Option<&InstanceName>;

    /// The name the store is used under. `None` as long as nobody with a name has used it.
    async fn owner(&self) -> Result<Option<InstanceName>>;

    /// Makes the store that of this process' name, if there is one and the store is nobody's yet.
    async fn claim_ownership(&self) -> Result<()>;

    /// Makes the store that of another name, whoever's it was, and puts that on record.
    async fn adopt(&self, name: &InstanceName, record: &AuditRecord) -> Result<()>;

    /// Makes sure that this process may do more than look.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`] when it may not.
    async fn check_ours(&self) -> Result<()> {
        compare(self.owner().await?, self.name())
    }
}

/// A store that is nobody's is everybody's.
pub(super) fn compare(owner: Option<InstanceName>, ours: Option<&InstanceName>) -> Result<()> {
    match owner {
        Some(owner) if Some(&owner) != ours => Err(StoreError::NotOurs { owner, ours: ours.cloned() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["a", "7", "prod", "berlin-1", "a.b_c-d", &"x".repeat(64)] {
            assert_eq!(name.parse::<InstanceName>().unwrap().as_str(), name);
        }
        for name in ["", "Prod", "-a", ".a", "_a", "a b", "a/b", "ä", "a\n", &"x".repeat(65)] {
            assert!(name.parse::<InstanceName>().unwrap_err().contains("at most 64"), "{name:?}");
        }
    }

    #[test]
    fn whoever_is_not_the_owner_is_told_who_is_and_what_to_do() {
        let name = |text: &str| text.parse::<InstanceName>().unwrap();
        assert!(compare(None, None).is_ok() && compare(None, Some(&name("copy"))).is_ok());
        assert!(compare(Some(name("prod")), Some(&name("prod"))).is_ok());
        let error = compare(Some(name("prod")), Some(&name("copy"))).unwrap_err().to_string();
        assert!(error.contains("`prod`") && error.contains("`copy`"), "{error}");
        assert!(error.contains("connector-host store adopt --instance copy"), "{error}");
        let error = compare(Some(name("prod")), None).unwrap_err().to_string();
        assert!(error.contains("has no name") && error.contains("--instance prod"), "{error}");
        assert!(error.contains("store adopt --instance NAME"), "{error}");
    }
}
