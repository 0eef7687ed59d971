//! Connections that lack what the configuration requires. No row says so: it follows from the configuration and what each grant holds.

use std::collections::BTreeMap;

use connector_core::PlatformId;
use connector_core::config::Config;
use connector_core::scope::{REQUIRED_SCOPE_MISSING, Wanted};

use super::{Finding, Installation, Kind};
use crate::configuration::Configuration;
use crate::store::{HeldScopes, Result, Store, each_held};
use crate::words::connections;

pub(super) async fn look(installation: &Installation, config: &Config, store: &dyn Store) -> Result<Vec<Finding>> {
    let configuration = Configuration::new(&installation.registry, config.settings.clone());
    let mut lacking = BTreeMap::<(PlatformId, String), u64>::new();
    each_held(store, None, |held| {
        if lacks(&configuration, &held) {
            *lacking.entry((held.platform, held.app)).or_default() += held.connections;
        }
    })
    .await?;
    Ok(lacking.iter().map(|(app, count)| finding(installation, app, *count)).collect())
}

fn lacks(configuration: &Configuration, held: &HeldScopes) -> bool {
    wanted(configuration, held).is_some_and(|wanted| !wanted.lacking(&held.scopes).is_empty())
}

fn wanted<'a>(configuration: &'a Configuration, held: &HeldScopes) -> Option<&'a Wanted> {
    Some(&configuration.platforms.get(&held.platform)?.settings.apps.get(&held.app)?.wanted)
}

fn finding(installation: &Installation, (platform, app): &(PlatformId, String), count: u64) -> Finding {
    let what = format!(
        "{} of the app `{app}` of {platform} lack a scope that it requires ({REQUIRED_SCOPE_MISSING})",
        connections(count)
    );
    let fix = format!(
        "`{}` asks their persons, or take the scope out of `required`",
        installation.command("reconnect --all-needed")
    );
    Finding::new(Kind::PeopleNeeded, what, fix).of_app(platform, app).of_connections(count)
}
