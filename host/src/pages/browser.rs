//! What a browser has of its own: a random text that only it and this host see. Nothing else is kept in a browser.

use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use connector_core::{Context, Secret};

use crate::error::Result;
use crate::links::Site;

/// The length of a random text of 256 bits in base64.
const LENGTH: usize = 43;

/// What the browser showed, if that is of the right form.
pub(super) fn shown(site: &Site, jar: &CookieJar) -> Option<Secret> {
    let text = jar.get(name(site))?.value();
    let fits =
        text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    fits.then(|| Secret::from(text))
}

/// What the browser has, which is made if it has none. It lasts as long as the browser is open.
pub(super) fn kept(cx: &Context, site: &Site, jar: CookieJar) -> Result<(CookieJar, Secret)> {
    if let Some(shown) = shown(site, &jar) {
        return Ok((jar, shown));
    }
    let fresh = cx.random_token()?;
    // The platform sends the browser back from its own pages, which `Strict` would take for somebody else's doing.
    let cookie = Cookie::build((name(site), fresh.expose().to_owned())).path("/").http_only(true);
    let cookie = cookie.same_site(SameSite::Lax).secure(site.public_url().is_https());
    Ok((jar.add(cookie), fresh))
}

/// The prefix keeps other hosts of the domain from setting it. Browsers take it over https alone, so on loopback it is without.
fn name(site: &Site) -> &'static str {
    if site.public_url().is_https() { "__Host-connector-browser" } else { "connector-browser" }
}
