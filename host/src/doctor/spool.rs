//! Whether answers of a platform wait for being stored.

use std::path::Path;

use super::{Finding, Installation, Kind};
use crate::shell;
use crate::spool::Spool;

pub(super) fn look(installation: &Installation) -> Vec<Finding> {
    let dir = installation.dir.join("spool");
    let waiting = match Spool::waiting(&dir) {
        Ok(waiting) => waiting,
        Err(error) => {
            let fix = format!("let this user read it: `ls -ld {}`", shell::path(&dir));
            return vec![Finding::new(Kind::FileUnusable, error.to_string(), fix).at_path(&dir)];
        }
    };
    let entries = (waiting.entries > 0).then(|| {
        let what = format!(
            "{} answers of a platform are not stored yet, and hold tokens that exist nowhere else",
            waiting.entries
        );
        let fix = format!(
            "do not remove them: `{}` stores them, once the store takes rows",
            installation.command("connections")
        );
        Finding::new(Kind::SpoolWaiting, what, fix).at_path(&dir)
    });
    entries.into_iter().chain(waiting.damaged.iter().map(|path| damaged(installation, path))).collect()
}

fn damaged(installation: &Installation, path: &Path) -> Finding {
    let shown = path.display();
    let what = format!("`{shown}` holds an answer that was cut off or changed before it was stored");
    let fix = format!(
        "keep it until every connection works (`{}`), then `rm {}`",
        installation.command("connections"),
        shell::path(path)
    );
    Finding::new(Kind::SpoolDamaged, what, fix).at_path(path)
}
