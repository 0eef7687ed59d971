//! What others call this host.

use std::fmt;
#[cfg(feature = "cli")]
use std::net::SocketAddr;
use std::str::FromStr;

use connector_core::http::is_loopback;
use url::Url;

/// The scheme, host and port under which others open this host, such as `https://connect.example.com`. Nothing else is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// Where a listener is opened from its own machine, for a host that nobody has named.
    #[cfg(feature = "cli")]
    pub(crate) fn of_listener(address: SocketAddr, is_tls: bool) -> Option<Self> {
        let scheme = if is_tls { "https" } else { "http" };
        let address = match address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v4.port())),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v6.port())),
            own => own,
        };
        Url::parse(&format!("{scheme}://{address}")).ok().map(Self)
    }

    /// Whether what is sent there cannot be read on the way.
    #[cfg(feature = "web")]
    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// This address of the host.
    pub(crate) fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }

    /// What a client may send as `Host`: with the port, and without where the scheme implies it.
    #[cfg(feature = "cli")]
    pub(crate) fn authorities(&self) -> impl Iterator<Item = String> {
        let host = self.0.host_str().unwrap_or_default().to_ascii_lowercase();
        let port = self.0.port_or_known_default().map(|port| format!("{host}:{port}"));
        let bare = self.0.port().is_none().then_some(host);
        port.into_iter().chain(bare)
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "write one such as https://connect.example.com";
        let url = Url::parse(text).map_err(|error| format!("{error}: {wanted}"))?;
        if !url.has_host() {
            return Err(format!("it has no host: {wanted}"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err(format!("http can be read on the way, and is for this machine alone: {wanted}")),
            _ => return Err(format!("it is no address of the web: {wanted}")),
        }
        // What a URL without a path was read as is told by how it prints.
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return Err(format!("it must hold no user or password: {wanted}"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("it must have no path, query or fragment: {wanted}"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for PublicUrl {
    /// As browsers write an origin: without a slash at the end, and without a port that the scheme implies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_call_a_host_is_an_origin_and_no_more() {
        for (text, origin) in [
            ("https://connect.example.com", "https://connect.example.com"),
            ("https://Connect.Example.com/", "https://connect.example.com"),
            ("https://connect.example.com:443", "https://connect.example.com"),
            ("https://connect.example.com:8443", "https://connect.example.com:8443"),
            ("http://localhost:9000", "http://localhost:9000"),
            ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
            ("http://[::1]:8787/", "http://[::1]:8787"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), origin);
        }
        for (text, why) in [
            ("http://connect.example.com", "read on the way"),
            ("http://localhost.example.com", "read on the way"),
            ("http://127.0.0.1.example.com", "read on the way"),
            ("https://connect.example.com/host", "no path"),
            ("https://connect.example.com/?a", "no path"),
            ("https://connect.example.com/#a", "no path"),
            ("https://mira:hush@connect.example.com", "no user"),
            ("https://@connect.example.com", "no user"),
            ("ftp://connect.example.com", "no address of the web"),
            ("connect.example.com", "such as https://"),
            ("", "such as https://"),
        ] {
            let error = text.parse::<PublicUrl>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    #[cfg(feature = "cli")]
    fn a_host_that_nobody_named_is_called_by_its_listener() {
        for (address, is_tls, origin) in [
            ("127.0.0.1:8787", false, "http://127.0.0.1:8787"),
            ("[::1]:80", false, "http://[::1]"),
            ("0.0.0.0:8787", true, "https://127.0.0.1:8787"),
        ] {
            assert_eq!(PublicUrl::of_listener(address.parse().unwrap(), is_tls).unwrap().to_string(), origin);
        }
    }
}
