//! The files of the repository.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

/// A text file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where it is, from the root, with `/` between.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("this package is a folder of the repository").to_owned()
}

/// A file of the repository; empty if there is none.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// The text files under a place, in order. What is built and what git keeps are no part of the repository.
pub(crate) fn files(under: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(under), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "there are no files in {under}");
    found
}

/// The Rust files among them.
pub(crate) fn rust_files(under: &str) -> Vec<Source> {
    files_of("rs", under)
}

/// Those whose names end in this.
pub(crate) fn files_of(kind: &str, under: &str) -> Vec<Source> {
    let is_one = |file: &Source| Path::new(&file.path).extension().is_some_and(|found| found == kind);
    files(under).into_iter().filter(is_one).collect()
}

/// The Rust files in the `src` of every crate.
pub(crate) fn sources() -> Vec<Source> {
    rust_files("").into_iter().filter(|file| file.path.split('/').any(|part| part == "src")).collect()
}

/// The names of the folders at a place, in order.
pub(crate) fn folders(at: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(at)).unwrap();
    let folders = entries.map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn collect(place: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !matches!(path.file_name().and_then(|name| name.to_str()), Some(".git" | "target")) {
                collect(&path, found);
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root()).unwrap();
            let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
            found.push(Source { path: parts.join("/"), text });
        }
    }
}

impl Source {
    /// The lines with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The lines of code: without comments, and without the tests, which stand at the end of a file or in files of their own.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.path.split('/').any(|part| part == "tests.rs" || part.ends_with("_tests.rs"));
        let is_tests_module = |line: &str| line.starts_with("mod tests {") || line.starts_with("mod test {");
        self.lines()
            .take_while(move |(_, line)| !is_test && !is_tests_module(line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Where a line is, for people.
    pub(crate) fn at(&self, (number, line): (usize, &str)) -> String {
        format!("{}:{number}: {}", self.path, line.trim())
    }
}

/// Fails with everything that was found, and what to do about it.
pub(crate) fn assert_none<T: Display>(found: impl IntoIterator<Item = T>, what_to_do: &str) {
    let found: Vec<String> = found.into_iter().map(|one| one.to_string()).collect();
    assert!(found.is_empty(), "{what_to_do}:\n  {}", found.join("\n  "));
}
