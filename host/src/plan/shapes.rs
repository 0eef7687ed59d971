//! What connections hold, each kind once: thousands of people answered the same questions in a few ways.

use std::collections::HashMap;

use connector_core::PlatformId;
use connector_core::scope::GrantScopes;

use crate::store::HeldScopes;

/// How many kinds are kept at most.
const MOST: usize = 1_000;

/// How many connections hold what.
#[derive(Debug, Default)]
pub(super) struct Shapes(HashMap<(PlatformId, String, GrantScopes), u64>);

impl Shapes {
    pub(super) fn add(&mut self, held: HeldScopes) {
        *self.0.entry((held.platform, held.app, held.scopes)).or_insert(0) += held.connections;
    }

    /// Whether it is time to take them.
    pub(super) fn are_many(&self) -> bool {
        self.0.len() >= MOST
    }

    /// All of them, of which none is left.
    pub(super) fn take(&mut self) -> impl Iterator<Item = HeldScopes> {
        self.0.drain().map(|((platform, app, scopes), connections)| HeldScopes { platform, app, scopes, connections })
    }
}
