//! The contract of the connector framework: what a platform implements, what the host drives, and everything about OAuth, scopes and
//! metrics that data can say.
//!
//! It has no server and no database and names no platform. Start at [`Connector`].

mod abilities;
pub mod account;
pub mod app;
mod by_data;
pub mod config;
mod configured;
mod connector;
mod context;
pub mod emulator;
mod error;
pub mod grant;
pub mod http;
#[cfg(test)]
mod malformed_tests;
pub mod metrics;
#[cfg(test)]
mod mutations;
pub mod oauth;
pub mod platform;
mod read;
mod registry;
pub mod scope;
mod secret;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;

pub use self::abilities::{AbilityStatus, FieldStatus, abilities, fields, offers};
pub use self::app::{App, AppKind, PlatformId};
pub use self::by_data::ConfiguredConnector;
pub use self::configured::{ConfiguredAccounts, ConfiguredMetrics};
pub use self::connector::Connector;
pub use self::context::{Clock, Context, Random, SinceBoot, SystemClock, SystemRandom};
pub use self::error::{Error, ErrorKind, Result};
pub use self::registry::{Build, Descriptor, Linked, Platform, Registration, Registry};
pub use self::scope::{Scope, ScopeSet};
pub use self::secret::Secret;
