use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::app::AppKind;
use crate::http::is_loopback;
use crate::{Error, Result};

/// Which redirect URIs the platform takes, by kind of app.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedirectFacts {
    /// The longest URI in characters.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// For apps registered as desktop. Absent: the platform has no such kind.
    #[serde(default)]
    pub desktop: Option<RedirectRule>,
    /// For apps registered as web. Absent: the platform has no such kind.
    #[serde(default)]
    pub web: Option<RedirectRule>,
}

/// Which redirect URIs are taken.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedirectRule {
    /// The schemes.
    pub schemes: Vec<String>,
    /// The only hosts, where there is a list.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whether a host on this machine is refused.
    #[serde(default)]
    pub loopback_refused: bool,
    /// Whether a port must be named.
    #[serde(default)]
    pub port: PortRule,
}

/// Whether a redirect URI must name a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PortRule {
    /// It may.
    #[default]
    Optional,
    /// It must.
    Required,
}

impl RedirectFacts {
    /// Refuses a redirect URI that the platform would refuse, with everything that is wrong with it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind) with what is wrong and what an app of this kind may have.
    pub fn check(&self, kind: AppKind, uri: &Url) -> Result<()> {
        let rule = match kind {
            AppKind::Desktop => self.desktop.as_ref(),
            AppKind::Web => self.web.as_ref(),
        };
        let Some(rule) = rule else {
            return Err(Error::config(format!("the platform has no apps of the kind {kind}")));
        };
        let mut faults = rule.faults(uri);
        if uri.query().is_some() || uri.fragment().is_some() {
            faults.push("it must have no query and no fragment".to_owned());
        }
        if let Some(max) = self.max_length.filter(|max| uri.as_str().chars().count() > *max) {
            faults.push(format!("it must be at most {max} characters long"));
        }
        if faults.is_empty() { Ok(()) } else { Err(refusal(kind, uri, &faults)) }
    }
}

impl RedirectRule {
    fn faults(&self, uri: &Url) -> Vec<String> {
        let host = uri.host_str().unwrap_or_default();
        let mut faults = Vec::new();
        if !self.schemes.iter().any(|scheme| scheme == uri.scheme()) {
            faults.push(format!("its scheme must be {}", self.schemes.join(" or ")));
        }
        if !self.hosts.is_empty() && !self.hosts.iter().any(|allowed| allowed == host) {
            faults.push(format!("its host must be {}", self.hosts.join(" or ")));
        }
        if self.loopback_refused && is_loopback(uri) {
            faults.push("its host must not be this machine".to_owned());
        }
        if self.port == PortRule::Required && uri.port().is_none() {
            faults.push("it must name a port".to_owned());
        }
        faults
    }
}

fn refusal(kind: AppKind, uri: &Url, faults: &[String]) -> Error {
    let mut shown = uri.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    let mut text =
        format!("the platform takes no redirect URI like {shown} for an app of the kind {kind}: {}", faults.join("; "));
    let _ = write!(text, ". Give another with --redirect-uri or `redirect_uri`, or change the app's `kind`");
    Error::config(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> RedirectFacts {
        let rule = |schemes: &[&str], hosts: &[&str], port| RedirectRule {
            schemes: schemes.iter().map(ToString::to_string).collect(),
            hosts: hosts.iter().map(ToString::to_string).collect(),
            loopback_refused: hosts.is_empty(),
            port,
        };
        RedirectFacts {
            max_length: Some(60),
            desktop: Some(rule(&["http", "https"], &["localhost", "127.0.0.1"], PortRule::Required)),
            web: Some(rule(&["https"], &[], PortRule::Optional)),
        }
    }

    fn fault(kind: AppKind, uri: &str) -> Option<String> {
        facts().check(kind, &uri.parse().unwrap()).err().map(|error| error.message().to_owned())
    }

    #[test]
    fn what_the_platform_takes_passes() {
        assert_eq!(fault(AppKind::Desktop, "http://127.0.0.1:5000/callback"), None);
        assert_eq!(fault(AppKind::Web, "https://example.com/callback"), None);
    }

    #[test]
    fn what_it_refuses_is_refused_with_the_rule() {
        for (kind, uri, rule) in [
            (AppKind::Desktop, "http://example.com:80/", "its host must be localhost or 127.0.0.1"),
            (AppKind::Desktop, "http://127.0.0.1/callback", "it must name a port"),
            (AppKind::Web, "http://example.com/", "its scheme must be https"),
            (AppKind::Web, "https://localhost/", "its host must not be this machine"),
            (AppKind::Web, "https://example.com/?a=b", "it must have no query and no fragment"),
            (
                AppKind::Web,
                "https://example.com/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "it must be at most 60 characters long",
            ),
        ] {
            let fault = fault(kind, uri).unwrap();
            assert!(fault.contains(rule), "{fault}");
        }
    }
}
