//! The keys that programs show the API.

mod right;

pub use self::right::Right;
