//! How the platforms' token endpoints treat the apps.

use connector_core::config::Config;

use super::installation::KnownApp;
use super::store::unreadable;
use super::{Finding, Installation, Kind};
use crate::store::AppHealth;

pub(super) async fn look(installation: &Installation, config: &Config) -> Vec<Finding> {
    let Some(store) = installation.open_store() else { return Vec::new() };
    let health = match store.app_health().await {
        Ok(health) => health,
        Err(error) => return vec![unreadable(installation, &error.into())],
    };
    installation.apps(config).filter_map(|app| of_app(installation, &app, &health)).collect()
}

fn of_app(installation: &Installation, app: &KnownApp<'_>, health: &[AppHealth]) -> Option<Finding> {
    let ready = installation.ready(app)?;
    let is_its = |health: &&AppHealth| {
        health.platform == *app.linked.id() && health.app == app.name && health.client_id == ready.client_id
    };
    let health = health.iter().find(is_its)?;
    let finding = match () {
        () if health.refuses(&ready.credentials_digest()) => refused(app, health),
        () if health.is_down() => silent(installation, app, health),
        () => return None,
    };
    Some(finding.of_app(app.linked.id(), app.name))
}

fn refused(app: &KnownApp<'_>, health: &AppHealth) -> Finding {
    let what = format!(
        "the platform has refused the id and secret of {} since {:.0}; no connection is lost by this",
        app.title(),
        health.since
    );
    let fix = format!(
        "copy both anew from {} to where `{}` and `{}` point; the next command tries them at once",
        app.portal(),
        app.key("client_id"),
        app.key("client_secret")
    );
    Finding::new(Kind::AppRefused, what, fix)
}

fn silent(installation: &Installation, app: &KnownApp<'_>, health: &AppHealth) -> Finding {
    let then = health.next_try_at.map(|at| format!(", and the next try is at {at:.0}")).unwrap_or_default();
    let what = format!("the platform has answered no token request of {} since {:.0}{then}", app.title(), health.since);
    let fix = format!("wait; `{}` asks again once that time has come", installation.command("tokens refresh --due"));
    Finding::new(Kind::PlatformSilent, what, fix)
}
