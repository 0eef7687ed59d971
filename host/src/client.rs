//! Who asks, as far as a server knows it.

use std::net::{IpAddr, Ipv6Addr};

/// Who asks, as far as the server knows it, for the throttle and the log: an extension of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub IpAddr);

impl Client {
    /// What one client has for itself: an address, or with IPv6 a network of many.
    pub(crate) fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        }
    }
}

/// Whether a request came from this machine to a name of it, and nobody passed it on: an extension of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FromHere(pub(crate) bool);
