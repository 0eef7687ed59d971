//! What stands around every page of somebody who has signed in.

use url::form_urlencoded::Serializer;

use super::Pages;
use super::viewer::Viewer;
use crate::usual::TENANT;

/// The head of a page: who looks, and where they are.
pub(super) struct Frame {
    pub(super) viewer: Viewer,
    /// The path of the place of the head that this page is at.
    pub(super) place: &'static str,
    /// How many mistakes keep the configuration files from being taken up, where the viewer can do something about it.
    pub(super) mistakes: usize,
}

impl Frame {
    pub(super) fn new(pages: &Pages, viewer: Viewer, place: &'static str) -> Self {
        let upkeep = pages.upkeep.as_ref().filter(|_| viewer.is_admin);
        Self { mistakes: upkeep.map_or(0, |upkeep| upkeep.mistakes().len()), viewer, place }
    }
}

impl Viewer {
    /// The address of a place of this host, for the tenant that is looked at.
    pub(super) fn href(&self, path: &str) -> String {
        self.href_with(path, &[])
    }

    /// The same, with more behind it.
    pub(super) fn href_with(&self, path: &str, pairs: &[(&str, &str)]) -> String {
        let tenant = Some(self.tenant.as_str()).filter(|tenant| self.is_admin && *tenant != TENANT);
        address(path, tenant, pairs)
    }

    /// What the addresses of places carry behind their path.
    pub(super) fn query(&self) -> String {
        self.href("")
    }
}

/// A path with what is behind it.
pub(super) fn address(path: &str, tenant: Option<&str>, pairs: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(tenant.map(|tenant| ("tenant", tenant))).extend_pairs(pairs);
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_carries_what_it_has_to() {
        assert_eq!(address("/", None, &[]), "/");
        assert_eq!(address("", Some("shop"), &[]), "?tenant=shop");
        assert_eq!(address("/", Some("a&b"), &[("state", "held")]), "/?tenant=a%26b&state=held");
    }
}
