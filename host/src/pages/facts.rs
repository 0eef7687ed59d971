//! What is stored about the connections of a page besides their rows.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::chart;
use crate::error::Result;
use crate::host::Host;
use crate::store::{
    AppHealth, Connected, ConnectionId, ConnectionState, GrantId, LastValues, Reading, RevocationRecord, Sample,
};

/// All of it, read at once: a page of many connections asks the store no more often than one of a few.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) now: Timestamp,
    /// The apps that something is wrong with.
    pub(super) apps: Vec<AppHealth>,
    /// What is left to tell platforms.
    pub(super) revocations: HashMap<GrantId, RevocationRecord>,
    pub(super) readings: BTreeMap<ConnectionId, Reading>,
    pub(super) values: BTreeMap<ConnectionId, LastValues>,
    /// What is drawn.
    pub(super) trends: BTreeMap<ConnectionId, Vec<Sample>>,
}

impl Facts {
    /// About these connections.
    pub(super) async fn of(host: &Host, connected: &[&Connected]) -> Result<Self> {
        let (store, now) = (host.store(), host.context().now());
        let ids: Vec<_> = connected.iter().map(|connected| connected.connection.id.clone()).collect();
        Ok(Self {
            now,
            apps: store.app_health().await?,
            revocations: revocations(host, connected).await?,
            readings: store.latest_readings(&ids).await?,
            values: store.all_last_values(&ids).await?,
            trends: chart::trends(host, &ids, now).await?,
        })
    }
}

/// Those of what is being given up: nearly always nothing.
async fn revocations(host: &Host, connected: &[&Connected]) -> Result<HashMap<GrantId, RevocationRecord>> {
    let mut found = HashMap::new();
    for connected in connected.iter().filter(|connected| connected.state() == ConnectionState::Disconnecting) {
        let id = &connected.grant.id;
        if let Some(job) = host.store().revocation_of(id).await? {
            found.insert(id.clone(), job);
        }
    }
    Ok(found)
}
