//! Where the data directory lies.

use std::path::{Path, PathBuf};

use super::{Finding, Installation, Kind};
use crate::private_files;
use crate::shell;

/// Others may write, and nothing keeps them from renaming what is not theirs.
const WRITABLE: u32 = 0o022;
const STICKY: u32 = 0o1000;

pub(super) fn look(installation: &Installation) -> Vec<Finding> {
    let Ok(dir) = std::path::absolute(&installation.dir) else { return Vec::new() };
    let committed = work_tree(&dir).map(|tree| in_git(&dir, &tree));
    let parent = dir.parent().filter(|parent| dir.exists() && is_replaceable(private_files::open_to(parent)));
    committed.into_iter().chain(parent.map(|parent| replaceable(&dir, parent))).collect()
}

/// The work tree of a repository that a directory lies in.
fn work_tree(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().find(|ancestor| ancestor.join(".git").exists()).map(Path::to_owned)
}

fn in_git(dir: &Path, tree: &Path) -> Finding {
    let (shown, tree) = (dir.display(), tree.display());
    let what = format!(
        "the data directory `{shown}` lies in the git work tree `{tree}`: one `git add` away from publishing the keys"
    );
    let fix = format!(
        "move it (`mv {} …`) to a directory outside `{tree}` while nothing uses it, then name that with --data-dir or CONNECTOR_DATA_DIR",
        shell::path(dir)
    );
    Finding::new(Kind::DataInGit, what, fix).at_path(dir)
}

fn is_replaceable(mode: u32) -> bool {
    mode & WRITABLE != 0 && mode & STICKY == 0
}

fn replaceable(dir: &Path, parent: &Path) -> Finding {
    let (shown, above) = (dir.display(), parent.display());
    let what = format!("others may write to `{above}`, and so put another directory in place of `{shown}`");
    Finding::new(Kind::DataReplaceable, what, format!("chmod go-w {}", shell::path(parent))).at_path(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_for_everybody_that_keeps_names_apart_is_no_danger() {
        for (mode, replaceable) in [(0o077, true), (0o020, true), (0o055, false), (0o1077, false), (0, false)] {
            assert_eq!(is_replaceable(mode), replaceable, "{mode:o}");
        }
    }

    #[test]
    fn a_work_tree_is_found_above() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(work_tree(&inner).filter(|tree| tree.starts_with(dir.path())), None);
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        assert_eq!(work_tree(&inner).unwrap(), dir.path());
    }
}
