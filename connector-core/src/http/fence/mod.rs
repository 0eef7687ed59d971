//! Which addresses a request may go to whose URL somebody else named: public ones, and networks that the operator opens.
//!
//! It stands at two places. The URL is checked, with an address that is written in it, because no resolver is asked for those. A name is
//! checked where it is looked up for a connection, and the addresses that pass are the ones connected to, so that a name which leads
//! elsewhere a moment later makes no difference.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use async_trait::async_trait;
use url::{Host, Url};

/// The longest URL that is taken, in bytes.
const LONGEST: usize = 2_000;

/// The highest port that only a system's own services may have.
const LAST_SYSTEM_PORT: u16 = 1_024;

/// Keeps requests from addresses that are not public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    open: Vec<Network>,
}

impl Fence {
    /// Lets requests through to public addresses, and to these networks.
    pub fn with_open(open: impl IntoIterator<Item = Network>) -> Self {
        Self { open: open.into_iter().collect() }
    }

    /// Checks what a URL says by itself: https, or http where a network is open; no user, no fragment; the usual port or one above 1024; no
    /// address that is kept from requests.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn check(&self, url: &Url) -> Result<(), String> {
        let is_tls = match url.scheme() {
            "https" => true,
            "http" if !self.open.is_empty() => false,
            scheme => return Err(format!("it begins with `{scheme}:`, and only https is taken")),
        };
        if url.as_str().len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it has a user in it: whoever receives is to check the signature instead".to_owned());
        }
        if url.fragment().is_some() {
            return Err("it has a fragment, which is never sent".to_owned());
        }
        if let Some(port) = url.port().filter(|port| *port <= LAST_SYSTEM_PORT) {
            return Err(format!(
                "the port {port} is kept for other services: use 443, or one above {LAST_SYSTEM_PORT}"
            ));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(name)) if is_this_machine(name) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Some(Host::Domain(name)) if !name.is_empty() => return Ok(()),
            _ => return Err("it names no host".to_owned()),
        };
        if self.lets_through(address, is_tls) { Ok(()) } else { Err(refused(address)) }
    }

    /// Whether a request may go to an address. Without TLS it may go to networks that were opened alone.
    pub fn lets_through(&self, address: IpAddr, is_tls: bool) -> bool {
        let address = address.to_canonical();
        (is_tls && is_public(address)) || self.open.iter().any(|network| network.contains(address))
    }

    /// The addresses of a name that a request may go to.
    pub(super) async fn addresses(
        &self,
        lookup: &dyn Lookup,
        name: &str,
        is_tls: bool,
    ) -> std::io::Result<Vec<IpAddr>> {
        let found = lookup.addresses(name).await?;
        let open = found.iter().copied().filter(|address| self.lets_through(*address, is_tls)).collect::<Vec<_>>();
        match found.first() {
            Some(first) if open.is_empty() => {
                // Whoever named it may not know where names lead within this network.
                tracing::debug!(name, address = %first, "a name leads to an address that is kept from requests");
                Err(std::io::Error::other("it leads to no public address"))
            }
            _ => Ok(open),
        }
    }
}

fn refused(address: IpAddr) -> String {
    format!("it leads to {address}, which is no public address: the operator has to open that network for receivers")
}

/// Whether a name is this machine's own, whatever a resolver says.
fn is_this_machine(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Looks names up.
#[async_trait]
pub(super) trait Lookup: Send + Sync {
    /// The addresses of a name.
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
pub(super) struct System;

#[async_trait]
impl Lookup for System {
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// A network, written as `10.1.0.0/16` or as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Everything on this machine.
    pub const LOOPBACK: [Self; 2] = [
        Self { address: IpAddr::V4(Ipv4Addr::LOCALHOST), prefix: 8 },
        Self { address: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 },
    ];

    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => in_v4(other, own, self.prefix),
            (IpAddr::V6(own), IpAddr::V6(other)) => in_v6(other, own, self.prefix),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is no network: write one such as 10.1.0.0/16 or ::1/128", text.escape_debug());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(front, back)| (front, Some(back)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if prefix > most { Err(wrong()) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Whether an address is one host's, and every machine of the Internet means the same host by it.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|(network, prefix)| in_v4(address, *network, *prefix)),
        IpAddr::V6(address) => {
            in_v6(address, GLOBAL_V6, 3)
                && !SPECIAL_V6.iter().any(|(network, prefix)| in_v6(address, *network, *prefix))
        }
    }
}

/// The registry of special addresses (RFC 6890 and what came after it), with multicast and what is reserved.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// What is given out at all. All else, such as `::1`, `fe80::/10`, `fc00::/7`, `64:ff9b::/96` and multicast, lies outside.
const GLOBAL_V6: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

/// What within it leads elsewhere or nowhere: Teredo and other protocols, documentation, 6to4.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn in_v4(address: Ipv4Addr, network: Ipv4Addr, prefix: u32) -> bool {
    let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or_default();
    address.to_bits() & mask == network.to_bits() & mask
}

fn in_v6(address: Ipv6Addr, network: Ipv6Addr, prefix: u32) -> bool {
    let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or_default();
    address.to_bits() & mask == network.to_bits() & mask
}

#[cfg(test)]
mod tests;
