//! Which app a call is made under, with its credentials and base URLs.

use std::collections::BTreeMap;

use connector_core::app::{App, PlatformId};
use connector_core::config::{AppSettings, ValueSource};
use connector_core::emulator::EmulatorInfo;
use connector_core::{Error, Linked, Result, Secret};

/// Where apps are registered and what they talk to. Whatever is stored in one realm is out of reach of the others.
#[derive(Clone, Debug, Default)]
pub enum Realm {
    /// The platforms themselves, with the operator's credentials.
    #[default]
    Live,
    /// Emulators on this machine, with credentials of their own.
    Emulated(BTreeMap<PlatformId, EmulatorInfo>),
}

impl Realm {
    /// The app, ready for use.
    ///
    /// # Errors
    /// Missing credentials, naming the variable or file they are expected in; a platform without emulator in an emulated realm.
    pub(crate) fn app(&self, linked: &Linked, name: &str, settings: &AppSettings) -> Result<App> {
        let (client_id, client_secret, base_urls) = match self {
            Self::Live => {
                let (id, secret) = credentials(linked, name, settings)?;
                (id, secret, linked.protocol().base_urls.clone())
            }
            Self::Emulated(emulators) => {
                let info = emulators
                    .get(linked.id())
                    .ok_or_else(|| Error::config(format!("{} has no emulator", linked.name())))?;
                let app = info.apps.iter().find(|app| app.kind == settings.kind);
                let app = app.ok_or_else(|| {
                    Error::config(format!("the emulator of {} has no app of the kind {}", linked.name(), settings.kind))
                })?;
                (app.client_id.clone(), Some(app.client_secret.clone()), info.base_urls.clone())
            }
        };
        Ok(App {
            name: name.to_owned(),
            client_id,
            client_secret,
            kind: settings.kind,
            redirect_uri: settings.redirect_uri.clone(),
            pkce: settings.pkce,
            wanted: settings.wanted.clone(),
            base_urls,
        })
    }
}

/// The credentials of an app at the platform itself.
fn credentials(linked: &Linked, name: &str, settings: &AppSettings) -> Result<(String, Option<Secret>)> {
    let of = |what: &str| format!("the app `{name}` of {} has no {what}", linked.name());
    let id = read(settings.client_id.as_ref(), || of("client id"), linked, name)?;
    let secret = read(settings.client_secret.as_ref(), || of("client secret"), linked, name)?;
    Ok((id.expose().to_owned(), Some(secret)))
}

fn read(source: Option<&ValueSource>, missing: impl Fn() -> String, linked: &Linked, name: &str) -> Result<Secret> {
    let hint = format!(
        "`connector-host init {}` says where to get it; with --emulator everything runs without an account",
        linked.id()
    );
    match source {
        None => Err(Error::config(format!("{}: add it to [platforms.{}.apps.{name}]. {hint}", missing(), linked.id()))),
        Some(source) => source.read().map_err(|error| Error::config(format!("{}: {error}. {hint}", missing()))),
    }
}

/// The credentials an app lacks before it can be used, in words; nothing when it lacks none.
pub fn missing_credentials(settings: &AppSettings) -> Option<String> {
    let lacking: Vec<String> = credentials_of(settings)
        .into_iter()
        .filter_map(|Credential { what, source, .. }| match source {
            None => Some(format!("{what}: not in the configuration")),
            Some(source) => source.read().err().map(|error| format!("{what}: {error}")),
        })
        .collect();
    (!lacking.is_empty()).then(|| lacking.join("; "))
}

/// One of the two things that an app proves itself with.
pub(crate) struct Credential<'a> {
    /// How people call it.
    pub(crate) what: &'static str,
    /// Its key in the configuration.
    pub(crate) key: &'static str,
    /// Whether nobody may see it.
    pub(crate) is_secret: bool,
    /// Where it is.
    pub(crate) source: Option<&'a ValueSource>,
}

/// The id and the secret of an app, in this order.
pub(crate) fn credentials_of(settings: &AppSettings) -> [Credential<'_>; 2] {
    let (id, secret) = (settings.client_id.as_ref(), settings.client_secret.as_ref());
    [
        Credential { what: "client id", key: "client_id", is_secret: false, source: id },
        Credential { what: "client secret", key: "client_secret", is_secret: true, source: secret },
    ]
}
