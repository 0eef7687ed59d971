//! Scopes that are wanted and that nobody can be asked for yet.

use connector_core::config::Config;
use connector_core::scope::list_scopes;

use super::installation::KnownApp;
use super::{Finding, Installation, Kind};

pub(super) fn look(installation: &Installation, config: &Config) -> Vec<Finding> {
    let waiting = installation.apps(config).filter(|app| !app.settings.wanted.pending.is_empty());
    waiting.map(|app| pending(config, &app)).collect()
}

fn pending(config: &Config, app: &KnownApp<'_>) -> Finding {
    let (file, key) = (app.file(config, "pending"), app.key("pending"));
    let scopes = list_scopes(&app.settings.wanted.pending);
    let what = format!("{} waits for the approval of {scopes}: nobody is asked for that yet", app.title());
    let fix = format!(
        "apply for it in {}; once it is approved, take it out of `{key}` in {file}, and `connector-host connections` says whom to ask again",
        app.portal()
    );
    Finding::new(Kind::ScopesPending, what, fix).at_key(file, key).of_app(app.linked.id(), app.name)
}
