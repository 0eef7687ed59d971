//! The proxies that are trusted to say for whom they ask.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Where a proxy says for whom it asks, the nearest last. It is the one such header that is read, because a proxy that writes it
/// passes the others on as its clients made them.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What shows that a request came through a proxy.
const FORWARDING: [&str; 6] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];

/// The addresses of a trusted proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proxy(IpNet);

impl FromStr for Proxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let net: IpNet =
            net.map_err(|_| "write an address or a network, such as 127.0.0.1 or 10.0.0.0/24".to_owned())?;
        if net.prefix_len() == 0 {
            return Err("that is everybody: name the addresses of the proxy".to_owned());
        }
        Ok(Self(net))
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies(Vec<Proxy>);

impl Proxies {
    pub(super) fn new(proxies: &[Proxy]) -> Self {
        Self(proxies.to_vec())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is a trusted proxy's.
    pub(super) fn hold(&self, address: IpAddr) -> bool {
        self.0.iter().any(|Proxy(net)| net.contains(&address.to_canonical()))
    }

    /// Whether a connection of this address is taken: behind proxies, theirs and this machine's own alone.
    pub(super) fn admit(&self, address: IpAddr) -> bool {
        self.is_empty() || address.to_canonical().is_loopback() || self.hold(address)
    }

    /// Who asks: the last address that no trusted proxy has. What others say about that is not read.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let values = headers.get_all(FORWARDED_FOR).iter().rev().filter_map(|value| value.to_str().ok());
        for said in values.flat_map(|value| value.rsplit(',')) {
            if !self.hold(client) {
                break;
            }
            let Ok(address) = said.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        client
    }
}

/// Whether a request says that somebody passed it on.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDING.iter().any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn proxies(texts: &[&str]) -> Proxies {
        Proxies(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn client(proxies: &Proxies, peer: &str, said: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for said in said {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(said));
        }
        headers.insert("forwarded", HeaderValue::from_static("for=192.0.2.66"));
        headers.insert("x-real-ip", HeaderValue::from_static("192.0.2.66"));
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_for_whom_it_asks() {
        let behind = proxies(&["10.0.0.0/24", "127.0.0.1"]);
        for (peer, said, who) in [
            ("10.0.0.7", &["192.0.2.1"][..], "192.0.2.1"),
            ("::ffff:10.0.0.7", &["192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("10.0.0.7", &["192.0.2.66, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.7", &["192.0.2.66", "192.0.2.1"], "192.0.2.1"),
            ("10.0.0.7", &["192.0.2.66, 192.0.2.1, 10.0.0.9"], "192.0.2.1"),
            ("10.0.0.7", &["192.0.2.66, nonsense"], "10.0.0.7"),
            ("10.0.0.7", &[], "10.0.0.7"),
            ("10.0.1.7", &["192.0.2.66"], "10.0.1.7"),
            ("192.0.2.1", &["127.0.0.1"], "192.0.2.1"),
        ] {
            assert_eq!(client(&behind, peer, said), who, "{peer} {said:?}");
        }
        assert_eq!(client(&Proxies::default(), "127.0.0.1", &["192.0.2.66"]), "127.0.0.1");
    }

    #[test]
    fn behind_proxies_nobody_else_is_let_in() {
        let behind = proxies(&["10.0.0.0/24"]);
        for (address, is_admitted) in [
            ("10.0.0.1", true),
            ("::ffff:10.0.0.1", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("10.0.1.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(behind.admit(address.parse().unwrap()), is_admitted, "{address}");
        }
        assert!(Proxies::default().admit("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn a_proxy_is_named() {
        for text in ["0.0.0.0/0", "::/0", "example.com", "10.0.0.0/33", ""] {
            assert!(text.parse::<Proxy>().is_err(), "{text}");
        }
    }
}
