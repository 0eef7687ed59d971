//! What a test of a host works with: a platform that does not exist, [`Example`], an installation of the host there, [`Installation`], and
//! the file of its store as another program has it, [`DatabaseFile`]. Nothing here can fail by itself, so an error is a failed test.

mod connect;
#[cfg(feature = "sqlite")]
mod database_file;
mod example;
mod grant;
#[cfg(feature = "sqlite")]
mod installation;

pub use self::connect::{begin, callback, connect, connected, request};
#[cfg(feature = "sqlite")]
pub use self::database_file::{DatabaseFile, WriteLock};
pub use self::example::Example;
pub use self::grant::{allowed, sealed};
#[cfg(feature = "sqlite")]
pub use self::installation::Installation;

/// What a step gives, or what went wrong.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Whose connections they are.
pub const TENANT: &str = "default";
