//! Connections that wait for somebody.

use std::collections::{BTreeMap, BTreeSet};

use connector_core::PlatformId;
use connector_core::config::Config;

use super::store::unreadable;
use super::{Finding, Installation, Kind, required};
use crate::shell;
use crate::store::{ConnectionState, GrantState, Result, StateCount, Store};
use crate::words::connections;

pub(super) async fn look(installation: &Installation, config: Option<&Config>) -> Vec<Finding> {
    let Some(store) = installation.open_store() else { return Vec::new() };
    match found(installation, config, store.as_ref()).await {
        Ok(findings) => findings,
        Err(error) => vec![unreadable(installation, &error.into())],
    }
}

async fn found(installation: &Installation, config: Option<&Config>, store: &dyn Store) -> Result<Vec<Finding>> {
    let counts = store.count_by_state().await?;
    let mut findings = Vec::new();
    // Every row is read only where somebody waits.
    if counts.iter().any(|count| count.state == ConnectionState::ReauthRequired) {
        findings.extend(lost(store).await?.into_iter().map(|(group, lost)| people_needed(installation, &group, &lost)));
    }
    if let Some(config) = config {
        findings.extend(required::look(installation, config, store).await?);
    }
    findings.extend(
        counts.iter().filter(|count| count.state == ConnectionState::Held).map(|count| held(installation, count)),
    );
    let doubts = store.count_doubts().await?;
    findings.extend((doubts > 0).then(|| in_doubt(installation, doubts)));
    Ok(findings)
}

/// Connections that need their person for one reason.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    platform: PlatformId,
    app: String,
    reason: String,
}

/// How many those are, and whose.
#[derive(Default)]
struct Lost {
    connections: u64,
    tenants: BTreeSet<String>,
}

async fn lost(store: &dyn Store) -> Result<BTreeMap<Group, Lost>> {
    let reasons: BTreeMap<_, _> = store
        .every_grant()
        .await?
        .into_iter()
        .filter_map(|grant| match grant.state {
            GrantState::ReauthRequired { reason } => Some((grant.id, reason)),
            _ => None,
        })
        .collect();
    let mut groups: BTreeMap<Group, Lost> = BTreeMap::new();
    for connection in store.every_connection().await? {
        let Some(reason) = reasons.get(&connection.grant_id).filter(|_| connection.disconnected_at.is_none()) else {
            continue;
        };
        let group = Group { platform: connection.platform, app: connection.app, reason: reason.clone() };
        let lost = groups.entry(group).or_default();
        lost.connections += 1;
        lost.tenants.insert(connection.tenant);
    }
    Ok(groups)
}

fn people_needed(installation: &Installation, group: &Group, lost: &Lost) -> Finding {
    let Group { platform, app, reason } = group;
    let what = format!(
        "{} of the app `{app}` of {platform}: their person has to allow access again ({reason})",
        connections(lost.connections)
    );
    let tenants: Vec<&str> = lost.tenants.iter().map(String::as_str).collect();
    let of = match tenants.as_slice() {
        ["default"] => String::new(),
        [tenant] => format!(" --tenant {}", shell::word(tenant)),
        _ => " --tenant TENANT".to_owned(),
    };
    let all = installation.command(&format!("connections list --state reauth_required{of}"));
    let ask = installation.command(&format!("reconnect CONNECTION{of}"));
    let fix = format!("`{all}` names them, `{ask}` asks the person of one");
    Finding::new(Kind::PeopleNeeded, what, fix).of_app(platform, app).of_connections(lost.connections)
}

fn held(installation: &Installation, count: &StateCount) -> Finding {
    let StateCount { platform, app, count, .. } = count;
    let what = format!(
        "{} of the app `{app}` of {platform} are on hold: nothing is sent with their tokens",
        connections(*count)
    );
    let adopt = installation.command(&format!("connections adopt --all --platform {platform}"));
    let fix = format!(
        "once no other program refreshes them, `{adopt}` (with `--tenant` for any but `default`; what was exported from here is named one by one)"
    );
    Finding::new(Kind::ConnectionsHeld, what, fix).of_app(platform, app).of_connections(*count)
}

fn in_doubt(installation: &Installation, doubts: u64) -> Finding {
    let what = format!(
        "{}: a refresh was not answered, so nobody knows whether the refresh token is spent",
        connections(doubts)
    );
    let fix = format!("nothing by hand: `serve` settles it, or `{}`", installation.command("tokens refresh --due"));
    Finding::new(Kind::RefreshesInDoubt, what, fix).of_connections(doubts)
}
