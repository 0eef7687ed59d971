use std::collections::BTreeMap;

use super::Check;
use super::target::{read_ability, read_field, read_target};
use crate::config::file::ScopeFile;
use crate::config::near::did_you_mean;
use crate::config::{Catalogue, Key, ScopeEntry, Target};
use crate::scope::Scope;

impl Check<'_> {
    /// The scopes of one platform.
    pub(super) fn catalogue(&mut self, key: &Key, platform: &str, files: &BTreeMap<String, ScopeFile>) -> Catalogue {
        let mut scopes = BTreeMap::new();
        for (scope, file) in files {
            let key = key.child(scope);
            let entry = self.scope(&key, platform, file);
            if let Some(scope) = self.keep(&key, scope.parse::<Scope>()) {
                scopes.insert(scope, entry);
            }
        }
        self.ambiguities(key, &scopes);
        self.relations(key, &scopes);
        Catalogue { scopes }
    }

    fn scope(&mut self, key: &Key, platform: &str, file: &ScopeFile) -> ScopeEntry {
        let product = self.said(
            &key.child("product"),
            file.product.as_deref(),
            "the product of the developer portal that carries the scope",
        );
        let description = self.said(&key.child("description"), file.description.as_deref(), "what the scope allows");
        let abilities = self.list(&key.child("abilities"), &file.abilities, read_ability);
        let mut fields = BTreeMap::new();
        for (endpoint, targets) in &file.fields {
            let targets = self.targets(&key.child("fields").child(endpoint), platform, targets);
            fields.insert(endpoint.clone(), targets);
        }
        let aliases = self.scopes(&key.child("aliases"), &file.aliases);
        let implied_by = self.scopes(&key.child("implied_by"), &file.implied_by);
        ScopeEntry { product, description, fields, aliases, implied_by, abilities }
    }

    /// A name belongs to one scope, and what includes a scope is one of the catalogue.
    fn relations(&mut self, key: &Key, scopes: &BTreeMap<Scope, ScopeEntry>) {
        let mut taken: BTreeMap<&Scope, &Scope> = scopes.keys().map(|scope| (scope, scope)).collect();
        for (scope, entry) in scopes {
            let key = key.child(scope.as_str());
            for alias in &entry.aliases {
                if let Some(other) = taken.insert(alias, scope) {
                    let problem = format!("`{alias}` is a name of the scope `{other}` already");
                    self.problem(&key.child("aliases"), problem);
                }
            }
            for includer in entry.implied_by.iter().filter(|includer| *includer == scope) {
                self.problem(&key.child("implied_by"), format!("`{includer}` is the scope itself: leave it out"));
            }
            for includer in entry.implied_by.iter().filter(|includer| !scopes.contains_key(*includer)) {
                let near = did_you_mean(includer.as_str(), scopes.keys().map(Scope::as_str));
                let problem = format!(
                    "`{includer}` is not in the catalogue, where the scope that includes this one is defined{near}"
                );
                self.problem(&key.child("implied_by"), problem);
            }
        }
    }

    fn said(&mut self, key: &Key, text: Option<&str>, what: &str) -> String {
        let text = text.unwrap_or_default().trim();
        if text.is_empty() {
            self.problem(key, format!("missing: say {what}"));
        }
        text.to_owned()
    }

    fn targets(&mut self, key: &Key, platform: &str, texts: &BTreeMap<String, String>) -> BTreeMap<String, Target> {
        let mut targets = BTreeMap::new();
        for (field, text) in texts {
            let key = key.child(field);
            let legal = self.keep(&key, read_field(field));
            let target = self.keep(&key, read_target(platform, text));
            if let (Some(()), Some(target)) = (legal, target) {
                targets.insert(field.clone(), target);
            }
        }
        targets
    }

    /// One field belongs to one scope, and one place takes one field: else it would depend on a person's grant which number is shown.
    /// Scopes of later layers come last, so that the newcomer is blamed.
    fn ambiguities(&mut self, key: &Key, scopes: &BTreeMap<Scope, ScopeEntry>) {
        let mut scopes: Vec<_> = scopes.iter().collect();
        scopes.sort_by_key(|(scope, _)| self.origins.rank(&key.child(scope.as_str())));
        let (mut fields, mut targets) = (BTreeMap::new(), BTreeMap::new());
        for (scope, endpoint, field, target) in scopes.into_iter().flat_map(|(scope, entry)| all_fields(scope, entry)) {
            let key = key.child(scope.as_str()).child("fields").child(endpoint).child(field);
            if let Some(other) = fields.insert((endpoint, field), scope) {
                self.problem(&key, format!("the scope `{other}` has this field too: a field belongs to one scope"));
            } else if let Some((other, taken)) = targets.insert((endpoint, target), (scope, field)) {
                self.problem(
                    &key,
                    format!("`{target}` is taken by the field `{}` of the scope `{other}`", taken.escape_debug()),
                );
            }
        }
    }
}

fn all_fields<'a>(
    scope: &'a Scope,
    entry: &'a ScopeEntry,
) -> impl Iterator<Item = (&'a Scope, &'a str, &'a str, &'a Target)> {
    let each = move |(endpoint, targets): (&'a String, &'a BTreeMap<String, Target>)| {
        targets.iter().map(move |(field, target)| (scope, endpoint.as_str(), field.as_str(), target))
    };
    entry.fields.iter().flat_map(each)
}
