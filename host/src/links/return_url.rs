//! Where a browser may be sent in the end: to the addresses that the operator named, and nowhere else.

use std::fmt;
use std::str::FromStr;

use connector_core::http::is_loopback;
use url::Url;

use crate::error::{Error, Result};

/// The addresses that products may have browsers sent to: each is an origin, or an origin with a path under which everything is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnUrls(Vec<ReturnUrl>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnUrl(Url);

impl FromStr for ReturnUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| Err(format!("`{}` {why}", text.escape_debug()));
        match safe(text) {
            Err(why) => refuse(&why),
            Ok(url) if url.query().is_some() => refuse("has a query: name the address up to its path"),
            Ok(url) => Ok(Self(url)),
        }
    }
}

impl fmt::Display for ReturnUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl FromIterator<ReturnUrl> for ReturnUrls {
    fn from_iter<T: IntoIterator<Item = ReturnUrl>>(urls: T) -> Self {
        Self(urls.into_iter().collect())
    }
}

impl ReturnUrls {
    /// An address that a browser may be sent to.
    ///
    /// # Errors
    /// One that could be read as another address by a browser, or that the operator did not name.
    pub(crate) fn check(&self, text: &str) -> Result<Url> {
        let refuse = |why: String| Error::Request(format!("`return_url` {why}"));
        let url = safe(text).map_err(refuse)?;
        if self.0.iter().any(|allowed| allowed.holds(&url)) {
            return Ok(url);
        }
        Err(refuse("is at no address that the operator lets browsers be sent to (`serve --return-to`)".to_owned()))
    }
}

impl ReturnUrl {
    fn holds(&self, url: &Url) -> bool {
        let under =
            |path: &str| url.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        url.origin() == self.0.origin() && under(self.0.path().trim_end_matches('/'))
    }
}

/// An address that every reader takes for the same one: as it is written, so that nothing is left to be made of it.
fn safe(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|_| "is no absolute address".to_owned())?;
    if !url.has_host() || !matches!(url.scheme(), "https" | "http") {
        return Err("is no address of a web server".to_owned());
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err("is reached over the network, which takes https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("names a user".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a fragment, behind which nothing can be added".to_owned());
    }
    // An origin may be written without its slash.
    if url.as_str() != text && url.as_str() != format!("{text}/") {
        return Err(format!("has another form than it is sent in: write it as {url}"));
    }
    Ok(url)
}

#[cfg(test)]
#[path = "return_url_tests.rs"]
mod tests;
