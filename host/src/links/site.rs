//! Where people reach this host with their browsers.

use connector_core::app::{App, PlatformId};
use connector_core::{Error as CoreError, Secret};
use url::Url;

use super::ReturnUrls;
use crate::error::{Error, Result};
use crate::redirect::callback_path;
use crate::store::ConnectLinkId;

/// Where people reach this host with their browsers, and where they may be sent on to.
#[derive(Clone, Debug)]
pub struct Site {
    origin: Url,
    return_urls: ReturnUrls,
}

impl Site {
    /// A host that browsers reach at this origin: scheme, name and port, with nothing behind it.
    ///
    /// # Errors
    /// An address with more than that, or over http to another machine.
    pub fn new(origin: Url, return_urls: ReturnUrls) -> Result<Self> {
        let bare = origin.path() == "/" && origin.query().is_none() && origin.fragment().is_none();
        let named = origin.has_host() && origin.username().is_empty() && origin.password().is_none();
        if !bare || !named || !matches!(origin.scheme(), "http" | "https") {
            return Err(Error::Request(format!(
                "`{origin}` is no origin: write scheme and name alone, such as https://connect.example.com"
            )));
        }
        if origin.scheme() == "http" && !is_loopback(&origin) {
            return Err(Error::Request(format!("`{origin}` is reached over the network, which takes https")));
        }
        Ok(Self { origin, return_urls })
    }

    /// Whether browsers come over https.
    pub(crate) fn is_https(&self) -> bool {
        self.origin.scheme() == "https"
    }

    /// The origin as browsers write it.
    pub(crate) fn origin(&self) -> String {
        self.origin.origin().ascii_serialization()
    }

    /// Where a browser may be sent in the end.
    pub(crate) fn return_urls(&self) -> &ReturnUrls {
        &self.return_urls
    }

    /// The address of a link. Who has it may use it.
    pub(crate) fn link(&self, token: &Secret) -> Url {
        self.at(&format!("/connect/{}", token.expose()))
    }

    /// The page that says how a link ended.
    pub(crate) fn ended(&self, link: &ConnectLinkId) -> Url {
        self.at(&format!("/connect/ended/{link}"))
    }

    /// The page that says why a callback ended nothing, by its word.
    pub(crate) fn ended_without_link(&self, why: &str) -> Url {
        let mut url = self.at("/connect/ended");
        url.query_pairs_mut().append_pair("why", why);
        url
    }

    /// Where the platform sends the browser back to.
    ///
    /// # Errors
    /// When the operator fixed another address for the app, which does not lead here.
    pub(crate) fn redirect_uri(&self, platform: &PlatformId, app: &App) -> Result<Url> {
        let uri = self.at(&callback_path(platform, &app.name));
        match &app.redirect_uri {
            Some(fixed) if *fixed != uri => Err(CoreError::config(format!(
                "the `redirect_uri` of the app `{}` of {platform} is {fixed}, which does not lead here: register {uri} for it and leave `redirect_uri` out, or let the product end its flows itself",
                app.name
            ))
            .into()),
            _ => Ok(uri),
        }
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.origin.clone();
        url.set_path(path);
        url
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(origin: &str) -> Result<Site> {
        Site::new(origin.parse().unwrap(), ReturnUrls::default())
    }

    #[test]
    fn an_origin_is_scheme_name_and_port() {
        for origin in [
            "https://connect.example.com",
            "https://connect.example.com:8443/",
            "http://127.0.0.1:8787",
            "http://[::1]:1",
        ] {
            site(origin).unwrap();
        }
        for origin in [
            "http://connect.example.com",
            "https://connect.example.com/here",
            "https://connect.example.com/?a",
            "https://user@connect.example.com",
            "ftp://connect.example.com",
            "data:text/html,hello",
        ] {
            assert!(site(origin).is_err(), "{origin}");
        }
    }
}
