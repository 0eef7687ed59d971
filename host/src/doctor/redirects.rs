//! Whether browsers can be sent back to where the apps say.

use std::net::{Ipv4Addr, TcpListener};

use connector_core::AppKind;
use connector_core::config::Config;
use url::Url;

use super::installation::KnownApp;
use super::{Finding, Installation, Kind};
use crate::redirect::{local_port, loopback_uri};

/// Any port will do where the listener takes a free one.
const SOME_PORT: u16 = 49152;

pub(super) fn look(installation: &Installation, config: &Config) -> Vec<Finding> {
    installation.apps(config).flat_map(|app| of_app(config, &app)).collect()
}

fn of_app(config: &Config, app: &KnownApp<'_>) -> Vec<Finding> {
    let case = |kind, what: String, fix: String| {
        let (file, key) = (app.file(config, "redirect_uri"), app.key("redirect_uri"));
        Finding::new(kind, what, fix).at_key(file, key).of_app(app.linked.id(), app.name)
    };
    let fixed = app.settings.redirect_uri.as_ref();
    let uri = match (fixed, app.settings.kind) {
        (Some(uri), _) => uri.clone(),
        (None, AppKind::Web) => return vec![missing(config, app, case)],
        (None, AppKind::Desktop) => match loopback_uri(app.linked.id(), app.name, SOME_PORT) {
            Ok(uri) => uri,
            Err(error) => return vec![case(Kind::RedirectWrong, error.to_string(), write(config, app))],
        },
    };
    if let Err(error) = app.linked.protocol().redirect.check(app.settings.kind, &uri) {
        return vec![case(Kind::RedirectWrong, format!("{}: {}", app.title(), error.message()), write(config, app))];
    }
    let taken = fixed.and_then(taken_port).map(|port| {
        let what = format!("something listens at port {port} already, where {} wants its callbacks", app.title());
        let fix = format!(
            "end what listens there (`ss -ltnp 'sport = :{port}'` names it), or register another port and write it as `{}` in {}",
            app.key("redirect_uri"),
            app.file(config, "redirect_uri")
        );
        case(Kind::RedirectPortTaken, what, fix)
    });
    taken.into_iter().collect()
}

fn missing(config: &Config, app: &KnownApp<'_>, case: impl Fn(Kind, String, String) -> Finding) -> Finding {
    let what =
        format!("{} is of the kind web and has no redirect URI: every `connect` has to be given one", app.title());
    case(Kind::RedirectMissing, what, write(config, app))
}

fn write(config: &Config, app: &KnownApp<'_>) -> String {
    let example = match app.settings.kind {
        AppKind::Web => "https://YOUR.HOST/callback".to_owned(),
        AppKind::Desktop => "http://127.0.0.1:8740/callback".to_owned(),
    };
    format!(
        "register an address in {} and write it as `redirect_uri = \"{example}\"` under [platforms.{}.apps.{}] in {}",
        app.portal(),
        app.linked.id(),
        app.name,
        app.file(config, "redirect_uri")
    )
}

/// The port of a fixed URI on this machine, if somebody else has it.
fn taken_port(uri: &Url) -> Option<u16> {
    local_port(uri).filter(|port| {
        let refused = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).err();
        refused.is_some_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
    })
}
