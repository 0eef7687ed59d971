//! The names that this host answers to.

use std::collections::HashSet;
use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::header;
use axum::http::uri::Authority;

use crate::public_url::PublicUrl;

/// The names that a listener answers to, each as a client sends it, in lower case. They are compared whole, so that there is nothing to take apart.
#[derive(Clone, Debug)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// The names of this machine with the port of a listener there.
    pub(super) fn of_this_machine(address: SocketAddr, default_port: u16) -> Self {
        let own = address.ip().to_canonical();
        let own = own.is_loopback().then(|| SocketAddr::new(own, 0).to_string());
        let own = own.as_deref().and_then(|own| own.strip_suffix(":0"));
        let hosts = ["127.0.0.1", "localhost", "[::1]"].into_iter().chain(own);
        let port = address.port();
        let with_port = hosts.clone().map(|host| format!("{host}:{port}"));
        let bare = hosts.filter(|_| port == default_port).map(str::to_owned);
        Self(with_port.chain(bare).collect())
    }

    /// These, and what others call this host.
    pub(super) fn and(mut self, public: &PublicUrl) -> Self {
        self.0.extend(public.authorities());
        self
    }

    /// Whether a request was sent to one of them. A page whose own name was made to lead here sends that name.
    pub(super) fn hold(&self, request: &Request) -> bool {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        // A target with a name of its own goes before the header, so both have to be ours.
        let target = request.uri().authority().map(Authority::as_str);
        host.to_str().is_ok_and(|host| self.holds(host)) && target.is_none_or(|target| self.holds(target))
    }

    fn holds(&self, name: &str) -> bool {
        self.0.contains(&name.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_left_out_where_the_scheme_implies_it() {
        let names = Names::of_this_machine("127.0.0.1:80".parse().unwrap(), 80);
        assert!(names.holds("localhost") && names.holds("localhost:80") && !names.holds("localhost:8080"));
        let names = Names::of_this_machine("127.0.0.2:8787".parse().unwrap(), 80);
        assert!(names.holds("127.0.0.2:8787") && names.holds("[::1]:8787") && !names.holds("localhost"));
        let names = Names::of_this_machine("192.0.2.7:8787".parse().unwrap(), 80);
        assert!(!names.holds("192.0.2.7:8787"), "an address of others is no name");
        let names = names.and(&"https://connect.example.com".parse().unwrap());
        assert!(names.holds("Connect.Example.com") && names.holds("connect.example.com:443"));
        assert!(!names.holds("connect.example.com:8787"));
    }
}
