//! Where a sealed value belongs.

use super::key::KeyId;
use super::sealed::FORMAT;

/// The one place a sealed value opens in. It is authenticated with the value and stored nowhere, so a value that is copied to another
/// row, another column or another generation of its row does not open there.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// Whose it is.
    pub tenant: &'a str,
    /// The id of the grant, flow, revocation, receiver or request it is part of.
    pub owner: &'a str,
    /// Which part of it, see [`field`].
    pub field: &'a str,
    /// The generation of the owner it was sealed for; 0 for what has none.
    pub generation: i64,
}

/// The names of sealed fields.
pub mod field {
    /// The access token of a grant or a revocation.
    pub const ACCESS: &str = "access";
    /// The refresh token of a grant or a revocation.
    pub const REFRESH: &str = "refresh";
    /// An answer of a token endpoint that could not be read.
    pub const ANSWER: &str = "answer";
    /// What events are signed with for a receiver.
    pub const SIGNING: &str = "signing";
    /// What they were signed with before, and are for a while.
    pub const PREVIOUS_SIGNING: &str = "previous_signing";
    /// What a request under a key was answered.
    pub const REQUEST: &str = "request";
    /// What a pending flow keeps: its verifier and the provider's own state.
    pub const FLOW: &str = "flow";
}

impl Binding<'_> {
    /// The place of the value by which a vault recognises its keys. No tenant is named by the empty text.
    pub(super) const CHECK: Binding<'static> = Binding { tenant: "", owner: "vault", field: "check", generation: 0 };

    /// The place as bytes. Each text has its length in front: no two places have the same bytes.
    pub(super) fn associated_data(&self, key: KeyId) -> Vec<u8> {
        let mut data = vec![FORMAT];
        for text in [self.tenant, self.owner, self.field] {
            data.extend((text.len() as u64).to_be_bytes());
            data.extend(text.as_bytes());
        }
        data.extend(self.generation.to_be_bytes());
        data.extend(key.as_bytes());
        data
    }
}
