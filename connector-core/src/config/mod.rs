//! What operators write: the scope catalogue and the apps, in layers.
//!
//! A [`Layer`] is a file in which everything is optional ([`ConfigFile`]), read and checked by itself. Layers are laid over each other by
//! three rules and then checked as a whole: a scalar or list replaces; a scope definition replaces whole; apps and platforms merge by
//! name. [`Config::of`] does both and remembers which layer each value came from.
//!
//! Secrets never pass through here: a file says where a secret is ([`ValueSource`]), and a secret written into one is refused without
//! being shown.

mod catalogue;
mod check;
mod diff;
mod entries;
mod file;
mod key;
mod layer;
mod load;
mod near;
mod origins;
mod overlay;
mod problem;
mod schema;
mod settings;
mod source;
mod source_file;

pub use self::catalogue::{ABILITIES, Ability, Catalogue, ScopeEntry, Target};
pub use self::diff::{Change, Edit, Edited};
pub use self::entries::Entry;
pub use self::file::{AppFile, ConfigFile, PlatformFile, ScopeFile, read_redirect_uri};
pub use self::key::Key;
pub use self::layer::{Layer, read_text};
pub use self::load::Config;
pub use self::origins::{LayerName, Origins};
pub use self::problem::{Problem, Problems};
pub use self::schema::config_schema;
pub(crate) use self::schema::file_schema;
pub use self::settings::{AppSettings, PlatformSettings, Settings};
pub use self::source::ValueSource;
pub use self::source_file::{IdSource, SecretSource};
