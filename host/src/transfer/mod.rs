//! Moving access between this host and another program: connections imported from a file, and exported to one.
//!
//! A refresh token that rotates has one owner: two who refresh with it lose it. So what comes in is held, and nothing is sent with it,
//! until somebody says that the other owner has stopped; and what goes out is held from then on.

mod adopt;
mod export;
mod import;
mod line;
mod lines;

pub use self::export::{ExportOutcome, Exported, Exporting};
pub use self::import::{ImportOutcome, ImportedLine, Importer, Importing};
pub use self::lines::{Line, Lines};
