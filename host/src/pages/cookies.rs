//! Cookies of this host: random texts that a browser shows, and no script can read.

use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use connector_core::Secret;

use crate::links::Site;

/// The length of a random text of 256 bits in base64.
const LENGTH: usize = 43;

/// What a cookie is called where browsers come by https, and elsewhere. The prefix keeps other hosts of the domain from setting it; browsers
/// take it over https alone.
pub(super) struct Name {
    pub(super) https: &'static str,
    pub(super) http: &'static str,
}

impl Name {
    fn of(&self, site: &Site) -> &'static str {
        if site.public_url().is_https() { self.https } else { self.http }
    }

    /// What the browser showed, if that is of the right form.
    pub(super) fn shown(&self, site: &Site, jar: &CookieJar) -> Option<Secret> {
        let text = jar.get(self.of(site))?.value();
        let fits = text.len() == LENGTH
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits.then(|| Secret::from(text))
    }

    /// Has the browser keep a text for as long as it is open.
    pub(super) fn set(&self, site: &Site, jar: CookieJar, text: &Secret) -> CookieJar {
        jar.add(self.made(site, text.expose().to_owned()))
    }

    /// Has the browser forget it.
    pub(super) fn unset(&self, site: &Site, jar: CookieJar) -> CookieJar {
        let mut cookie = self.made(site, String::new());
        cookie.make_removal();
        jar.add(cookie)
    }

    fn made(&self, site: &Site, text: String) -> Cookie<'static> {
        // The platform sends the browser back from its own pages, which `Strict` would take for somebody else's doing.
        let cookie = Cookie::build((self.of(site), text)).path("/").http_only(true).same_site(SameSite::Lax);
        cookie.secure(site.public_url().is_https()).build()
    }
}
