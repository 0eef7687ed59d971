#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), deny(unused_crate_dependencies))]

#[cfg(feature = "web")]
pub mod api;
mod api_keys;
mod apps;
#[cfg(feature = "web")]
mod bearer;
#[cfg(feature = "web")]
mod buckets;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "web")]
mod client;
mod configuration;
mod cursor;
#[cfg(feature = "web")]
mod data;
pub mod docs;
pub mod doctor;
mod emulate;
mod error;
#[cfg(feature = "web")]
pub mod events;
mod flow;
#[cfg(feature = "web")]
mod format;
mod host;
mod insist;
pub mod keeper;
mod kill_points;
mod layers;
#[cfg(feature = "platforms")]
mod linked;
mod links;
mod listing;
#[cfg(feature = "cli")]
mod loopback;
mod metrics;
mod moment;
mod notice;
mod open;
#[cfg(feature = "web")]
pub mod pages;
pub mod plan;
mod private_files;
mod pseudonym;
mod public_url;
mod redirect;
mod refresh;
#[cfg(feature = "cli")]
mod reload;
mod restore;
mod revoke;
mod scopes;
#[cfg(feature = "cli")]
mod serve;
mod shell;
mod spool;
#[cfg(feature = "web")]
mod standing;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tokens;
mod transfer;
#[cfg(feature = "web")]
mod users;
#[cfg(feature = "web")]
mod usual;
pub mod vault;
mod words;

pub use self::api_keys::{NewApiKey, Right};
pub use self::apps::{Realm, missing_credentials};
pub use self::configuration::ConfiguredPlatform;
pub use self::cursor::CursorError;
pub use self::emulate::Emulated;
pub use self::error::{Error, Result};
pub use self::flow::{
    Asking, Callback, CameTo, Completed, ConnectRequest, Disconnected, FLOW_LIFE, Finished, Revocation, ScopeRefused,
    Started, authorize_url,
};
pub use self::host::{Host, Parts};
pub use self::layers::{ConfigFiles, default_file, embedded};
pub use self::links::{
    CONNECT_LINK_LIFE, ConnectLinkPlan, LONGEST_CONNECT_LINK_LIFE, NewConnectLink, ReturnUrl, ReturnUrls, Site,
};
pub use self::metrics::{Metrics, Shown};
pub use self::open::{Opened, Opening};
pub use self::private_files::FileError;
pub use self::public_url::PublicUrl;
pub use self::refresh::Replayed;
#[cfg(feature = "sqlite")]
pub use self::restore::{Carried, Restore, Restored, restore, stores_kept_aside};
pub use self::restore::{Doubt, Doubted, doubt_after_restore};
pub use self::spool::{Spool, SpoolError};
pub use self::transfer::{
    ExportOutcome, Exported, Exporting, ImportOutcome, ImportedLine, Importer, Importing, Line, Lines,
};
#[cfg(feature = "web")]
pub use self::users::{NewUser, SetUp};
