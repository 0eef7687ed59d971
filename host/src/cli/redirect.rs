//! Where a platform sends the browser back to.

use connector_core::AppKind;
use connector_core::app::{App, PlatformId};
use url::Url;

use super::args::Browse;
use crate::error::{Error, Result};
use crate::redirect::loopback_uri;

/// The port in an address that is only printed.
pub(super) const PRINTED_PORT: u16 = 8740;

/// The redirect URI that the operator fixed.
pub(super) fn fixed_uri(app: &App, browse: &Browse) -> Option<Url> {
    browse.redirect_uri.clone().or_else(|| app.redirect_uri.clone())
}

/// The redirect URI of a flow that listens on this port, unless the operator fixed one.
pub(super) fn redirect_uri(app: &App, platform: &PlatformId, browse: &Browse, port: u16) -> Result<Url> {
    if let Some(uri) = fixed_uri(app, browse) {
        return Ok(uri);
    }
    if app.kind == AppKind::Web {
        return Err(Error::Request(format!(
            "the app `{}` is of the kind web, whose redirect URI only you know: give it with --redirect-uri, or as `redirect_uri` in the configuration, exactly as registered",
            app.name
        )));
    }
    loopback_uri(platform, &app.name, port)
}
