//! What a browser has of its own: a random text that only it and this host see.

use axum_extra::extract::CookieJar;
use connector_core::{Context, Secret};

use super::cookies::Name;
use crate::error::Result;
use crate::links::Site;

const COOKIE: Name = Name { https: "__Host-connector-browser", http: "connector-browser" };

/// What the browser showed, if that is of the right form.
pub(super) fn shown(site: &Site, jar: &CookieJar) -> Option<Secret> {
    COOKIE.shown(site, jar)
}

/// What the browser has, which is made if it has none. It lasts as long as the browser is open.
pub(super) fn kept(cx: &Context, site: &Site, jar: CookieJar) -> Result<(CookieJar, Secret)> {
    if let Some(shown) = shown(site, &jar) {
        return Ok((jar, shown));
    }
    let fresh = cx.random_token()?;
    Ok((COOKIE.set(site, jar, &fresh), fresh))
}
