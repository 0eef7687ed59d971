//! What the operator chose, for admins to see. It is changed in the files, not here.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use super::frame::Frame;
use super::viewer::Admin;
use super::{Pages, Shown, page};
use crate::configuration::ConfiguredPlatform;
use crate::data::{AppData, PlatformData, ScopeEntryData, texts};
use crate::doctor::{Area, Finding, Report};
use crate::redirect::callback_path;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    layers: Vec<String>,
    mistakes: Vec<String>,
    platforms: Vec<PlatformRow>,
    health: Option<Health>,
}

/// A platform with its apps and scopes.
struct PlatformRow {
    name: String,
    apps: Vec<AppRow>,
    scopes: Vec<ScopeEntryData>,
}

/// A registration at a platform.
struct AppRow {
    data: AppData,
    /// What has to be registered for it, if its flows end here.
    redirect_uri: String,
    /// Whose people connect under it, if not everybody's.
    tenants: Vec<String>,
}

/// What `doctor` found.
struct Health {
    findings: Vec<Row>,
    well: String,
    /// Why nobody could look.
    failed: Option<String>,
}

struct Row {
    severity: &'static str,
    area: &'static str,
    what: String,
    fix: String,
}

/// Shows it.
pub(super) async fn show(Admin(viewer): Admin, State(pages): State<Pages>) -> Shown {
    let health = match &pages.upkeep {
        Some(upkeep) => Some(Health::of(&upkeep.examine().await)),
        None => None,
    };
    let upkeep = pages.upkeep.as_ref();
    Ok(page(
        StatusCode::OK,
        &SettingsPage {
            layers: upkeep.map_or_else(Vec::new, |upkeep| upkeep.layers()),
            mistakes: upkeep.map_or_else(Vec::new, |upkeep| upkeep.mistakes()),
            platforms: pages.host.platforms().iter().map(|platform| PlatformRow::of(&pages, platform)).collect(),
            health,
            frame: Frame::new(&pages, viewer, "/settings"),
        },
    ))
}

impl PlatformRow {
    fn of(pages: &Pages, platform: &ConfiguredPlatform) -> Self {
        let id = platform.linked.id();
        let data = PlatformData::of_operator(platform, pages.host.is_emulated());
        let app = |data: AppData| {
            let settings = platform.settings.apps.get(&data.name);
            let fixed = settings.and_then(|settings| settings.redirect_uri.as_ref());
            let here = || pages.site.own(&callback_path(id, &data.name));
            AppRow {
                redirect_uri: fixed.cloned().unwrap_or_else(here).to_string(),
                tenants: settings.and_then(|settings| settings.tenants.as_ref()).map(texts).unwrap_or_default(),
                data,
            }
        };
        Self {
            name: data.name,
            apps: data.apps.into_iter().map(app).collect(),
            scopes: ScopeEntryData::all_of(id, &platform.settings),
        }
    }
}

impl Health {
    fn of(examined: &Result<Report, String>) -> Self {
        let report = match examined {
            Ok(report) => report,
            Err(why) => return Self { findings: Vec::new(), well: String::new(), failed: Some(why.clone()) },
        };
        let well: Vec<_> = report.well().into_iter().map(Area::as_str).collect();
        Self { findings: report.findings().into_iter().map(Row::of).collect(), well: well.join(", "), failed: None }
    }
}

impl Row {
    fn of(finding: &Finding) -> Self {
        Self {
            severity: finding.kind.severity().as_str(),
            area: finding.kind.area().as_str(),
            what: finding.what.clone(),
            fix: finding.fix.clone(),
        }
    }
}
