//! One configuration's view of an app: what it wants, and what a product could do with a grant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use connector_core::config::{Ability, AppSettings, Catalogue, Settings, Target};
use connector_core::scope::{GrantScopes, ScopeStatus, Wanted};
use connector_core::{AbilityStatus, Connector, PlatformId, Registry, Scope, abilities, fields};

use crate::configuration::ConfiguredPlatform;

/// An app as one configuration has it.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) app: AppSettings,
    pub(super) catalogue: Arc<Catalogue>,
    /// The connector, if one is linked.
    connector: Option<Arc<dyn Connector>>,
}

/// Whether something can be used with a grant, and by which scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Usable {
    pub(super) is_usable: bool,
    pub(super) any_of: BTreeSet<Scope>,
}

/// Something that scopes unlock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unlocked {
    Ability(Ability),
    Field(Target),
}

impl Side {
    /// The app of a configuration, if it has it.
    pub(super) fn of(registry: &Registry, settings: &Settings, platform: &PlatformId, app: &str) -> Option<Self> {
        let settings = settings.platforms.get(platform)?;
        let Ok(linked) = registry.get(platform.as_str()) else {
            let (app, catalogue) = (settings.apps.get(app)?.clone(), Arc::clone(&settings.catalogue));
            return Some(Self { app, catalogue, connector: None });
        };
        let ConfiguredPlatform { settings, connector, .. } = ConfiguredPlatform::new(linked, settings.clone());
        let (app, catalogue) = (settings.apps.get(app)?.clone(), settings.catalogue);
        Some(Self { app, catalogue, connector: Some(connector) })
    }

    pub(super) fn wanted(&self) -> &Wanted {
        &self.app.wanted
    }

    /// Whether asking the person again could bring one of these.
    pub(super) fn asking_brings(&self, any_of: &BTreeSet<Scope>, grant: &GrantScopes) -> bool {
        any_of.iter().any(|scope| self.wanted().status(scope, grant) == ScopeStatus::NeverAsked)
    }

    /// What could be used with a grant, and what not for want of a scope.
    pub(super) fn usable(&self, grant: &GrantScopes) -> BTreeMap<Unlocked, Usable> {
        self.abilities(grant).into_iter().chain(self.fields(grant)).collect()
    }

    fn abilities(&self, grant: &GrantScopes) -> Vec<(Unlocked, Usable)> {
        let Some(connector) = &self.connector else { return Vec::new() };
        let all = abilities(connector.as_ref(), &self.catalogue, self.wanted(), grant);
        let offered = all.into_iter().filter(|(_, status)| *status != AbilityStatus::NotOffered);
        let row = |(ability, status)| {
            let any_of = self.catalogue.unlocking(&ability).cloned().collect();
            (Unlocked::Ability(ability), Usable { is_usable: status == AbilityStatus::Available, any_of })
        };
        offered.map(row).collect()
    }

    /// Where several fields have one target, any of them is enough.
    fn fields(&self, grant: &GrantScopes) -> BTreeMap<Unlocked, Usable> {
        let mut all: BTreeMap<Unlocked, Usable> = BTreeMap::new();
        for endpoint in self.catalogue.endpoints() {
            for field in fields(&self.catalogue, endpoint, self.wanted(), grant) {
                let usable = all.entry(Unlocked::Field(field.target.clone())).or_default();
                usable.is_usable |= field.status.is_usable();
                usable.any_of.insert(field.scope.clone());
            }
        }
        all
    }

    /// Which fields of which endpoints the value of each target comes from.
    pub(super) fn sources(&self) -> BTreeMap<&Target, BTreeSet<(&str, &str)>> {
        let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for endpoint in self.catalogue.endpoints() {
            for (_, field, target) in self.catalogue.fields(endpoint) {
                all.entry(target).or_default().insert((endpoint, field));
            }
        }
        all
    }
}
