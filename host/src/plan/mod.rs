//! What another configuration would mean for the connections of a store, before it is used. Nothing is changed, and nothing is sent.

mod app;
mod shapes;
mod side;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use connector_core::config::{AppSettings, Settings};
use connector_core::{PlatformId, Registry};

pub use self::app::{AppPlan, Extra, Presence, ScopePlan, Unlock};

use self::app::Comparison;
use self::shapes::Shapes;
use self::side::Side;
use crate::host::Host;
use crate::store::{HeldScopes, Result, Store, each_held};

/// What a candidate for the configuration would mean, app by app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The apps of both configurations, and those that only connections know, by platform and name.
    pub apps: Vec<AppPlan>,
}

impl Plan {
    /// Compares two configurations over every connection of a store, whosever it is. However many there are, what is kept in memory is as
    /// much as their scopes differ.
    ///
    /// # Errors
    /// What the store says.
    pub async fn of(store: &dyn Store, registry: &Registry, present: &Settings, candidate: &Settings) -> Result<Self> {
        Self::compare(store, None, Comparisons::new(registry, present, candidate, |_| true)).await
    }

    /// Over the connections of one tenant, or of all.
    async fn compare(store: &dyn Store, tenant: Option<&str>, mut apps: Comparisons<'_>) -> Result<Self> {
        let mut shapes = Shapes::default();
        each_held(store, tenant, |held| {
            shapes.add(held);
            if shapes.are_many() {
                shapes.take().for_each(|held| apps.count(&held));
            }
        })
        .await?;
        shapes.take().for_each(|held| apps.count(&held));
        Ok(Self { apps: apps.all.into_values().map(Comparison::into_plan).collect() })
    }

    /// Whether the candidate would change anything for a connection, or for a person who connects.
    pub fn changes(&self) -> bool {
        self.apps.iter().any(AppPlan::changes)
    }
}

impl Host {
    /// What a candidate would mean against what is in force, over the connections of one tenant.
    ///
    /// # Errors
    /// What the store says.
    pub async fn plan(&self, tenant: &str, candidate: &Settings) -> Result<Plan> {
        let present = self.configuration();
        let apps = Comparisons::new(self.registry(), &present.settings, candidate, |app| app.is_for(tenant));
        Plan::compare(self.store(), Some(tenant), apps).await
    }
}

/// A comparison for each app.
struct Comparisons<'a> {
    registry: &'a Registry,
    present: &'a Settings,
    candidate: &'a Settings,
    all: BTreeMap<(PlatformId, String), Comparison>,
}

impl<'a> Comparisons<'a> {
    /// Of every app like this that one of the two describes. Others come with connections under them.
    fn new(
        registry: &'a Registry,
        present: &'a Settings,
        candidate: &'a Settings,
        is_meant: impl Fn(&AppSettings) -> bool,
    ) -> Self {
        let platforms = [present, candidate].into_iter().flat_map(|settings| &settings.platforms);
        let apps = platforms.flat_map(|(id, platform)| platform.apps.iter().map(move |(name, app)| ((id, name), app)));
        // As it is where there is one: nobody learns of another's app by claiming it.
        let mut first = BTreeMap::new();
        for (name, app) in apps {
            first.entry(name).or_insert(app);
        }
        let names: Vec<_> = first.into_iter().filter(|(_, app)| is_meant(app)).map(|(name, _)| name).collect();
        let mut comparisons = Self { registry, present, candidate, all: BTreeMap::new() };
        for (platform, app) in names {
            comparisons.of(platform, app);
        }
        comparisons
    }

    fn count(&mut self, held: &HeldScopes) {
        self.of(&held.platform, &held.app).count(&held.scopes, held.connections);
    }

    fn of(&mut self, platform: &PlatformId, app: &str) -> &mut Comparison {
        let Self { registry, present, candidate, all } = self;
        all.entry((platform.clone(), app.to_owned())).or_insert_with(|| {
            let side = |settings| Side::of(registry, settings, platform, app);
            Comparison::new(platform, app, side(present), side(candidate))
        })
    }
}
