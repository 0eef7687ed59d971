//! What the scopes of a platform have to do with each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{Scope, ScopeSet};

/// Which scopes of a platform are one and the same, and which include others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// Other names of scopes, as answers of the platform may call them, with the name in the catalogue.
    names: BTreeMap<Scope, Scope>,
    /// For a scope every other one that includes it, directly or not.
    includers: BTreeMap<Scope, ScopeSet>,
}

impl Relations {
    /// Of scopes by the names of the catalogue: their other names, and the scopes that include them directly.
    pub fn of<'a>(scopes: impl IntoIterator<Item = (&'a Scope, &'a [Scope], &'a [Scope])>) -> Self {
        let (mut names, mut direct) = (BTreeMap::new(), BTreeMap::new());
        for (scope, aliases, implied_by) in scopes {
            names.extend(aliases.iter().map(|alias| (alias.clone(), scope.clone())));
            direct.insert(scope, implied_by);
        }
        let all = |scope: &&Scope| (!direct[*scope].is_empty()).then(|| ((*scope).clone(), reach(scope, &direct)));
        Self { includers: direct.keys().filter_map(all).collect(), names }
    }

    /// The name in the catalogue, for a scope by whichever name.
    pub fn name<'a>(&'a self, scope: &'a Scope) -> &'a Scope {
        self.names.get(scope).unwrap_or(scope)
    }

    /// Whether somebody who has given all of these has given this one.
    pub fn hold(&self, given: &ScopeSet, scope: &Scope) -> bool {
        let includers = self.includers.get(scope);
        given
            .iter()
            .map(|given| self.name(given))
            .any(|given| given == scope || includers.is_some_and(|includers| includers.contains(given)))
    }
}

/// Whatever leads to a scope over any number of others. A scope that includes itself over others is no harm.
fn reach(scope: &Scope, direct: &BTreeMap<&Scope, &[Scope]>) -> ScopeSet {
    let (mut found, mut left) = (BTreeSet::new(), vec![scope]);
    while let Some(next) = left.pop() {
        for includer in direct.get(next).copied().unwrap_or_default() {
            if found.insert(includer.clone()) {
                left.push(includer);
            }
        }
    }
    found
}
