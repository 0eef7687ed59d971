//! Stores for tests: one in memory, [`MemoryStore`], which needs nothing; a `PostgreSQL` server of one's own and a pooler before it, from
//! the programs of this machine.
//!
//! ```no_run
//! # use connector_host::store::testing;
//! let Some(server) = testing::postgres() else { return };
//! let url = server.fresh_database();
//! ```
//!
//! Without the programs there is none; a test that gets none has said so and proves nothing. Where `CONNECTOR_TESTS_REQUIRE` names what
//! is missing, `postgres` or `pgbouncer`, in its list with commas, that is a failure.

mod daemon;
mod memory;
mod pooler;
mod server;

use std::io::Write as _;
use std::sync::OnceLock;

pub use self::memory::MemoryStore;
pub use self::pooler::Pooler;
pub use self::server::Server;

/// The server of this process, started by the first who asks and gone with the process.
///
/// # Panics
/// When it does not start, or is required and missing.
pub fn postgres() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(Server::start).as_ref()
}

/// Says that a test proved nothing here, or fails where it must not be skipped.
fn skipped<T>(name: &str, package: &str) -> Option<T> {
    let required = std::env::var("CONNECTOR_TESTS_REQUIRE").unwrap_or_default();
    let required = required.split(',').any(|required| required.trim() == name);
    assert!(!required, "{name} is missing, and CONNECTOR_TESTS_REQUIRE names it");
    // Not what a test prints, for that is shown only when it fails.
    _ = writeln!(std::io::stderr(), "skipped: {name} is missing; install the package {package}");
    None
}
