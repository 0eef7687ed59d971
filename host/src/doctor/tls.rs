//! Whether the certificate that the environment names for `serve` is of use. Flags are seen by the start alone.

use std::ffi::OsString;

use super::{Finding, Kind};
use crate::serve::TlsFiles;

const CERT: &str = "CONNECTOR_TLS_CERT";
const KEY: &str = "CONNECTOR_TLS_KEY";

pub(super) fn look() -> Vec<Finding> {
    check(std::env::var_os(CERT), std::env::var_os(KEY)).into_iter().collect()
}

fn check(chain: Option<OsString>, key: Option<OsString>) -> Option<Finding> {
    let (chain, key) = match (chain, key) {
        (None, None) => return None,
        (Some(chain), Some(key)) => (chain, key),
        (Some(_), None) => return Some(half(CERT, KEY)),
        (None, Some(_)) => return Some(half(KEY, CERT)),
    };
    let files = TlsFiles { chain: chain.into(), key: key.into() };
    let fix =
        format!("put a certificate where {CERT} says and its key where {KEY} does, as PEM, the key with mode 0600");
    Some(Finding::new(Kind::ServeTlsUnusable, files.problem()?, fix).at_path(&files.key))
}

fn half(set: &str, missing: &str) -> Finding {
    let what = format!("{set} is set and {missing} is not, so `serve` does not start");
    Finding::new(Kind::ServeTlsUnusable, what, format!("set {missing}, or unset {set}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_goes_with_its_key() {
        let what = |chain: Option<&str>, key: Option<&str>| {
            check(chain.map(Into::into), key.map(Into::into)).map(|finding| finding.what)
        };
        assert_eq!(what(None, None), None);
        assert!(what(Some("/nowhere/chain"), None).unwrap().contains("CONNECTOR_TLS_KEY is not"));
        assert!(what(None, Some("/nowhere/key")).unwrap().contains("CONNECTOR_TLS_CERT is not"));
        assert!(what(Some("/nowhere/chain"), Some("/nowhere/key")).unwrap().contains("/nowhere/chain is of no use"));
    }
}
