//! Where the files of a configuration lie: the directories in which something happens when one of them says something else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// No chain of links is longer.
const LINKS_AT_MOST: usize = 32;

/// The directories to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// Those that are there, by their real names.
    pub(super) there: BTreeSet<PathBuf>,
    /// Those that are not; the nearest one above each is among the others.
    pub(super) gone: BTreeSet<PathBuf>,
}

impl Places {
    /// Of these files, whether they are there or not. A link is followed, because either of its ends may be put elsewhere.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut places = Self::default();
        for file in files {
            places.add(file);
        }
        places
    }

    fn add(&mut self, file: &Path) {
        let Ok(mut file) = std::path::absolute(file) else { return };
        for _ in 0..LINKS_AT_MOST {
            let Some(dir) = file.parent().map(Path::to_owned) else { return };
            self.add_dir(&dir);
            match fs::read_link(&file) {
                Ok(target) => file = dir.join(target),
                Err(_) => return,
            }
        }
    }

    fn add_dir(&mut self, dir: &Path) {
        let there = dir.ancestors().find_map(|dir| Some((dir, fs::canonicalize(dir).ok()?)));
        let Some((nearest, real)) = there else { return };
        self.there.insert(real);
        if nearest != dir {
            self.gone.insert(dir.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_gone_is_looked_for_in_the_nearest_one_above() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let file = root.join("a/b/x.toml");
        let places = |there: &str, gone: &[&str]| Places {
            there: [root.join(there)].into(),
            gone: gone.iter().map(|dir| root.join(dir)).collect(),
        };
        assert_eq!(Places::of([file.as_path()]), places("", &["a/b"]));
        fs::create_dir(root.join("a")).unwrap();
        assert_eq!(Places::of([file.as_path()]), places("a", &["a/b"]));
        fs::create_dir(root.join("a/b")).unwrap();
        assert_eq!(Places::of([file.as_path()]), places("a/b", &[]));
    }

    #[cfg(unix)]
    #[test]
    fn both_ends_of_a_link_are_watched() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        for dir in ["etc", "etc/..1", "etc/..2"] {
            fs::create_dir(root.join(dir)).unwrap();
        }
        fs::write(root.join("etc/..1/x.toml"), "").unwrap();
        symlink("..1", root.join("etc/..data")).unwrap();
        symlink("..data/x.toml", root.join("etc/x.toml")).unwrap();
        let there = |dirs: [&str; 2]| dirs.map(|dir| root.join(dir)).into();
        assert_eq!(Places::of([root.join("etc/x.toml").as_path()]).there, there(["etc", "etc/..1"]));
        symlink("..2", root.join("etc/next")).unwrap();
        fs::rename(root.join("etc/next"), root.join("etc/..data")).unwrap();
        assert_eq!(Places::of([root.join("etc/x.toml").as_path()]).there, there(["etc", "etc/..2"]));
        symlink("round.toml", root.join("round.toml")).unwrap();
        assert_eq!(Places::of([root.join("round.toml").as_path()]).there, [root.clone()].into());
    }
}
