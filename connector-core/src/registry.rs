//! How a connector makes itself known, and how the host finds it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::app::PlatformId;
use crate::config::Catalogue;
use crate::connector::Connector;
use crate::emulator::Emulator;
use crate::platform::Protocol;
use crate::{Error, Result};

/// What a connector is, said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The platform's id: `[a-z][a-z0-9_]*`.
    pub id: &'static str,
    /// The platform's name for people.
    pub name: &'static str,
    /// The package that holds the connector: `env!("CARGO_PKG_NAME")`.
    pub package: &'static str,
}

/// What a connector is built of: its protocol facts, and the scopes the operator's catalogue describes.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The facts of the connector's `platform.toml`.
    pub protocol: Arc<Protocol>,
    /// The scopes and what they unlock.
    pub catalogue: Arc<Catalogue>,
}

/// Builds a connector. It does no I/O.
pub type Build = fn(&Platform) -> Arc<dyn Connector>;

/// A connector's entry in the list of what is linked: constant data and function pointers, so that nothing runs before `main`.
///
/// ```
/// use connector_core::{ConfiguredConnector, Descriptor, Registration};
///
/// const DESCRIPTOR: Descriptor = Descriptor { id: "example", name: "Example", package: env!("CARGO_PKG_NAME") };
///
/// // In a connector this is `include_str!("../platform.toml")`.
/// const PLATFORM: &str = "verified_on = \"2026-11-22\"";
///
/// inventory::submit! { Registration::new(DESCRIPTOR, PLATFORM, ConfiguredConnector::build) }
/// ```
#[derive(Clone, Copy)]
pub struct Registration {
    descriptor: Descriptor,
    platform_toml: &'static str,
    build: Build,
    emulator: Option<fn() -> Box<dyn Emulator>>,
}

inventory::collect!(Registration);

impl Registration {
    /// An entry. `platform_toml` is the text of the connector's `platform.toml`.
    pub const fn new(descriptor: Descriptor, platform_toml: &'static str, build: Build) -> Self {
        Self { descriptor, platform_toml, build, emulator: None }
    }

    /// Adds the platform's emulator.
    pub const fn with_emulator(mut self, emulator: fn() -> Box<dyn Emulator>) -> Self {
        self.emulator = Some(emulator);
        self
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("descriptor", &self.descriptor).finish_non_exhaustive()
    }
}

/// A linked connector: its registration, with the protocol facts read.
#[derive(Clone, Debug)]
pub struct Linked {
    id: PlatformId,
    registration: Registration,
    protocol: Arc<Protocol>,
}

impl Linked {
    /// The platform's id.
    pub fn id(&self) -> &PlatformId {
        &self.id
    }

    /// The platform's name for people.
    pub fn name(&self) -> &'static str {
        self.registration.descriptor.name
    }

    /// The package that holds the connector.
    pub fn package(&self) -> &'static str {
        self.registration.descriptor.package
    }

    /// The protocol facts.
    pub fn protocol(&self) -> &Arc<Protocol> {
        &self.protocol
    }

    /// Builds the connector with the operator's catalogue.
    pub fn build(&self, catalogue: Arc<Catalogue>) -> Arc<dyn Connector> {
        (self.registration.build)(&Platform { protocol: Arc::clone(&self.protocol), catalogue })
    }

    /// The platform's emulator, if the connector ships one.
    pub fn emulator(&self) -> Option<Box<dyn Emulator>> {
        self.registration.emulator.map(|make| make())
    }
}

/// The connectors there are, by id.
#[derive(Clone, Debug, Default)]
pub struct Registry(BTreeMap<PlatformId, Linked>);

impl Registry {
    /// The connectors linked into this program.
    ///
    /// # Errors
    /// As [`Registry::new`].
    pub fn linked() -> Result<Self> {
        Self::new(inventory::iter::<Registration>().copied())
    }

    /// The given connectors.
    ///
    /// # Errors
    /// When an id is not legal or is used twice, or a platform file cannot be read. It names the packages.
    pub fn new(registrations: impl IntoIterator<Item = Registration>) -> Result<Self> {
        let mut all: BTreeMap<PlatformId, Linked> = BTreeMap::new();
        for registration in registrations {
            let Descriptor { id, package, .. } = registration.descriptor;
            let id: PlatformId = id.parse().map_err(|error: Error| error.context(package))?;
            let protocol = Protocol::parse(registration.platform_toml)
                .map_err(|error| error.context(format!("{package}/platform.toml")))?;
            if let Some(other) = all.get(&id) {
                return Err(Error::config(format!(
                    "the platform id `{id}` is taken twice: by the packages {} and {package}",
                    other.package()
                )));
            }
            all.insert(id.clone(), Linked { id, registration, protocol: Arc::new(protocol) });
        }
        Ok(Self(all))
    }

    /// The connectors, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Linked> {
        self.0.values()
    }

    /// The connector of a platform.
    ///
    /// # Errors
    /// An unknown id, with the ids there are.
    pub fn get(&self, id: &str) -> Result<&Linked> {
        self.0.get(id).ok_or_else(|| {
            let ids = self.0.keys().map(PlatformId::as_str).collect::<Vec<_>>().join(", ");
            let there_are = if ids.is_empty() { "none is".to_owned() } else { format!("linked: {ids}") };
            Error::config(format!(
                "no connector for the platform `{}` is linked into this program; {there_are}",
                id.escape_debug()
            ))
        })
    }
}
