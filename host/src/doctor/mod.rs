//! What keeps an installation from working, or soon may, each with what to do about it.
//!
//! A doctor looks and changes nothing: no store is made, claimed or migrated, and no token or credential is sent anywhere. Each file here is
//! one thing that is looked at; [`Kind`] is the list of all that can be found.

mod apps;
mod certificates;
mod configuration;
mod connections;
mod credentials;
mod disk;
mod files;
mod finding;
mod home;
mod installation;
mod keys;
mod kind;
mod network;
mod platforms;
mod proxies;
mod redirects;
mod report;
mod required;
#[cfg(feature = "cli")]
mod running;
mod scopes;
mod spool;
mod store;
#[cfg(feature = "cli")]
mod tls;

use connector_core::config::Config;

use crate::error::Error;
use crate::store::StoreError;

pub use self::finding::{Finding, Place};
pub use self::installation::Installation;
pub use self::kind::{Area, Kind, Severity};
pub use self::report::Report;

/// Looks at all of it.
pub async fn examine(installation: &Installation) -> Report {
    let mut report = Report::default();
    let config = configuration::load(installation);
    match &config {
        Ok(config) => examine_platforms(installation, config, &mut report).await,
        Err(findings) => report.take(Area::Configuration, findings.clone()),
    }
    #[cfg(feature = "cli")]
    report.add(running::look(installation).await);
    #[cfg(feature = "cli")]
    report.add(tls::look());
    report.add(proxies::look());
    if !installation.is_emulated() {
        report.add(certificates::look());
        report.add(home::look(installation));
    }
    report.take(Area::Files, files::look(installation));
    report.add(disk::look(installation));
    examine_store(installation, config.ok().as_ref(), &mut report).await;
    report
}

/// A store that cannot be looked into says nothing about keys and connections.
async fn examine_store(installation: &Installation, config: Option<&Config>, report: &mut Report) {
    report.add(spool::look(installation));
    let found = store::look(installation).await;
    // One that was refused because of its files was not looked into, and is told of with those.
    if matches!(&installation.store, Err(Error::Store(StoreError::Exposed(_)))) {
        report.add(found);
    } else {
        report.take(Area::Store, found);
    }
    let (keys, connections) = (keys::look(installation).await, connections::look(installation, config).await);
    if installation.open_store().is_some() {
        report.take(Area::Keys, keys);
        report.take(Area::Connections, connections);
    } else {
        report.add(keys);
    }
}

/// What can be said once the configuration is right.
async fn examine_platforms(installation: &Installation, config: &Config, report: &mut Report) {
    report.take(Area::Configuration, configuration::look(installation, config));
    report.take(Area::Configuration, platforms::look(installation, config));
    report.take(Area::Configuration, scopes::look(installation, config));
    report.take(Area::Apps, redirects::look(installation, config));
    if !installation.is_emulated() {
        report.take(Area::Apps, credentials::look(installation, config));
    }
    report.take(Area::Apps, apps::look(installation, config).await);
    if !installation.offline {
        report.take(Area::Network, network::look(installation, config).await);
    }
}
