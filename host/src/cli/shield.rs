//! Keeps what is in this process' memory from leaving it.

use std::io;

/// Turns core dumps off and, where the system can do so, keeps other programs of the same user from reading this one's memory. The
/// super-user can read it all the same.
#[cfg(unix)]
pub(super) fn raise() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "other systems can refuse")]
pub(super) fn raise() -> io::Result<()> {
    Ok(())
}
