//! Where a platform sends the browser back to, on this machine.

use connector_core::PlatformId;
use url::Url;

use crate::error::{Error, Result};

/// The redirect URI of an app whose callback comes to this port.
pub(crate) fn loopback_uri(platform: &PlatformId, app: &str, port: u16) -> Result<Url> {
    let uri = format!("http://127.0.0.1:{port}{}", callback_path(platform, app));
    uri.parse().map_err(|error| Error::Machine(format!("{uri} is no address: {error}")))
}

/// The port of a URI that a process of this machine can listen on.
pub(crate) fn local_port(uri: &Url) -> Option<u16> {
    let here = matches!(uri.host_str(), Some("127.0.0.1" | "localhost"));
    uri.port().filter(|_| here && uri.scheme() == "http")
}

/// The path of the callback: one for each platform and app, so that an answer of one is never taken for another's.
pub(crate) fn callback_path(platform: &PlatformId, app: &str) -> String {
    format!("/oauth/callback/{platform}/{app}")
}
