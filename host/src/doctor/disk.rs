//! Whether the disk has room for what the platforms answer.

use std::path::Path;

use super::{Finding, Installation, Kind};
use crate::shell;

const MIB: u64 = 1024 * 1024;
/// With less, a database and its log cannot grow for long.
const LOW: u64 = 256 * MIB;
/// With less, nothing may be refreshed: the answer could not be kept.
const FULL: u64 = 16 * MIB;

pub(super) fn look(installation: &Installation) -> Vec<Finding> {
    let dir = installation.dir.ancestors().find(|dir| dir.is_dir());
    let found = dir.and_then(|dir| judged(dir, free(dir)?));
    found.into_iter().collect()
}

fn judged(dir: &Path, free: u64) -> Option<Finding> {
    let kind = match free {
        ..FULL => Kind::DiskFull,
        FULL..LOW => Kind::DiskLow,
        _ => return None,
    };
    let shown = dir.display();
    let what = format!("the disk of `{shown}` has {} MiB left", free / MIB);
    let fix = format!("free some room (`df -h {}`), or move the data directory to a larger disk", shell::path(dir));
    Some(Finding::new(kind, what, fix).at_path(dir))
}

/// The bytes that this user may still write.
#[cfg(all(target_os = "linux", feature = "sqlite"))]
fn free(dir: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Other systems are not asked.
#[cfg(not(all(target_os = "linux", feature = "sqlite")))]
fn free(_dir: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_told_of_before_it_is_full() {
        let kind = |free| judged(Path::new("/data"), free).map(|finding| finding.kind);
        assert_eq!((kind(0), kind(FULL)), (Some(Kind::DiskFull), Some(Kind::DiskLow)));
        assert_eq!((kind(LOW - 1), kind(LOW)), (Some(Kind::DiskLow), None));
    }
}
