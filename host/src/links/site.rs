//! Where people reach this host with their browsers.

use connector_core::app::{App, PlatformId};
use connector_core::{Error as CoreError, Secret};
use url::Url;

use super::ReturnUrls;
use crate::error::Result;
use crate::public_url::PublicUrl;
use crate::redirect::callback_path;
#[cfg(feature = "web")]
use crate::store::ConnectLinkId;

/// The page that a browser comes back to in the end, where its person has signed in to this host.
#[cfg(feature = "web")]
pub(crate) const CONNECTED: &str = "/connected";

/// Where people reach this host with their browsers, and where they may be sent on to.
#[derive(Clone, Debug)]
pub struct Site {
    public_url: PublicUrl,
    return_urls: ReturnUrls,
}

impl Site {
    /// A host that browsers reach there.
    pub fn new(public_url: PublicUrl, return_urls: ReturnUrls) -> Self {
        Self { public_url, return_urls }
    }

    /// What others call the host.
    #[cfg(feature = "web")]
    pub(crate) fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    /// The address of a link. Who has it may use it.
    pub(crate) fn link(&self, token: &Secret) -> Url {
        self.public_url.at(&format!("/connect/{}", token.expose()))
    }

    /// A page of this host, by its path and the query behind it.
    #[cfg(feature = "web")]
    pub(crate) fn own(&self, place: &str) -> Url {
        let (path, query) = place.split_once('?').map_or((place, None), |(path, query)| (path, Some(query)));
        let mut url = self.public_url.at(path);
        url.set_query(query);
        url
    }

    /// Where a browser may be sent in the end.
    pub(super) fn return_urls(&self) -> &ReturnUrls {
        &self.return_urls
    }

    /// Whether an address is this host's own page for those who sign in.
    #[cfg(feature = "web")]
    pub(crate) fn is_own(&self, url: &Url) -> bool {
        let own = self.public_url.at(CONNECTED);
        url.origin() == own.origin() && url.path() == own.path()
    }

    /// The page that says how a link ended.
    #[cfg(feature = "web")]
    pub(crate) fn ended(&self, link: &ConnectLinkId) -> Url {
        self.public_url.at(&format!("/connect/ended/{link}"))
    }

    /// The page that says why a callback ended nothing, by its word.
    #[cfg(feature = "web")]
    pub(crate) fn ended_without_link(&self, why: &str) -> Url {
        let mut url = self.public_url.at("/connect/ended");
        url.query_pairs_mut().append_pair("why", why);
        url
    }

    /// Where the platform sends the browser back to.
    ///
    /// # Errors
    /// When the operator fixed another address for the app, which does not lead here.
    pub(crate) fn redirect_uri(&self, platform: &PlatformId, app: &App) -> Result<Url> {
        let uri = self.public_url.at(&callback_path(platform, &app.name));
        match &app.redirect_uri {
            Some(fixed) if *fixed != uri => Err(CoreError::config(format!(
                "the `redirect_uri` of the app `{}` of {platform} is {fixed}, which does not lead here: register {uri} for it and leave `redirect_uri` out, or let the product end its flows itself",
                app.name
            ))
            .into()),
            _ => Ok(uri),
        }
    }
}
