//! Whether the certificates that the environment names are there. Without them every https host is out of reach.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Finding, Kind};

pub(super) fn look() -> Vec<Finding> {
    let file = std::env::var_os("SSL_CERT_FILE").and_then(|value| missing("SSL_CERT_FILE", &value, Path::is_file));
    let dir = std::env::var_os("SSL_CERT_DIR").and_then(|value| missing("SSL_CERT_DIR", &value, Path::is_dir));
    file.into_iter().chain(dir).collect()
}

/// Nothing, unless none of the places that a variable names is there.
fn missing(variable: &str, value: &OsStr, is_there: fn(&Path) -> bool) -> Option<Finding> {
    let places: Vec<PathBuf> = std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()).collect();
    let first = places.first().filter(|_| !places.iter().any(|path| is_there(path)))?;
    let what = format!("{variable} names `{}`, which is not there", first.display());
    let fix = format!("set {variable} to the certificates of your system, or unset it: `unset {variable}`");
    Some(Finding::new(Kind::CaBundleMissing, what, fix).at_path(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_there_is_enough() {
        let look = |value: &str| missing("X", OsStr::new(value), Path::is_dir).map(|finding| finding.what);
        assert_eq!(look(""), None);
        assert_eq!(look("/nowhere:/"), None);
        assert_eq!(look("/nowhere").as_deref(), Some("X names `/nowhere`, which is not there"));
    }
}
