//! The ids of what is stored: UUIDs of version 7, whose order is the order of their making.

use std::fmt;
use std::str::FromStr;

use connector_core::Context;
use uuid::{Builder, Uuid};

use super::StoreError;

/// A fresh id from the clock and the randomness of the context.
///
/// # Errors
/// When the context has no randomness to give.
pub fn new_id(cx: &Context) -> connector_core::Result<Uuid> {
    let mut random = [0_u8; 10];
    cx.fill_random(&mut random)?;
    // The version and the variant overwrite bits of the front; a test's counter that begins there must not be cut by them.
    random.reverse();
    let since_1970 = u64::try_from(cx.now().as_millisecond()).unwrap_or_default();
    Ok(Builder::from_unix_timestamp_millis(since_1970, &random).into_uuid())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $word:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// A fresh one.
            pub fn new(cx: &Context) -> connector_core::Result<Self> {
                Ok(Self(new_id(cx)?.to_string()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = StoreError;

            fn from_str(text: &str) -> Result<Self, StoreError> {
                match Uuid::parse_str(text) {
                    Ok(id) => Ok(Self(id.to_string())),
                    Err(_) => Err(StoreError::NotFound { what: $word, id: text.escape_debug().to_string() }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// The id of a flow.
    FlowId, "flow";
    /// The id of a grant.
    GrantId, "grant";
    /// The id of a connection. It stays through reconnects, and through disconnecting and connecting the same account again.
    ConnectionId, "connection";
    /// The id of a revocation.
    RevocationId, "revocation";
    /// The id of an audit record.
    AuditId, "audit record";
    /// The id of an API key, which is no secret.
    ApiKeyId, "API key";
    /// The id of a connect link, which is no secret.
    ConnectLinkId, "connect link";
    /// The id of a receiver of events.
    ReceiverId, "receiver";
    /// The id of a request that was sent under a key.
    KeyedRequestId, "request";
    /// The id of a user, which is no secret.
    UserId, "user";
}

macro_rules! in_cursors {
    ($($name:ident),+) => {$(
        impl $name {
            /// The id as few bytes.
            pub(super) fn bytes(&self) -> [u8; 16] {
                Uuid::parse_str(&self.0).unwrap_or_default().into_bytes()
            }

            pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(|id| Self(id.to_string()))
            }
        }
    )+};
}

in_cursors!(AuditId, ConnectLinkId);
