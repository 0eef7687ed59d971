//! A proxy that the environment names, and that nothing goes through. Its address may hold a password, so only the variable is told.

use super::{Finding, Kind};

const VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

pub(super) fn look() -> Vec<Finding> {
    named(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())).into_iter().collect()
}

fn named(is_set: impl Fn(&str) -> bool) -> Option<Finding> {
    let set: Vec<&str> = VARIABLES.into_iter().filter(|name| is_set(name)).collect();
    let first = set.first()?;
    let what =
        format!("{} is set, and no call to a platform goes through a proxy: each carries secrets", set.join(", "));
    let fix = format!("let this machine reach the platforms directly, and `unset {first}` to see this no more");
    Some(Finding::new(Kind::ProxyIgnored, what, fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_that_is_set_is_named() {
        assert!(named(|_| false).is_none());
        let what = named(|name| name.starts_with("http")).unwrap().what;
        assert!(what.starts_with("https_proxy, http_proxy is set"), "{what}");
    }
}
