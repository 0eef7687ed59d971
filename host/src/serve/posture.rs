//! Where the host listens and for whom. Nobody but this machine reaches it, unless what is said on the way is protected.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;

use axum::Router;
use tokio::net::TcpListener;

use super::connections::{Door, Open, PATIENCE};
use super::guard::Guard;
use super::origin::Names;
use super::proxies::{Proxies, Proxy};
use super::slots::Most;
use super::tls::{Tls, TlsFiles};
use crate::error::{Error, Result};
use crate::public_url::PublicUrl;

/// How many connections one client may have, unless it is a trusted proxy.
const OF_ONE: usize = 128;

/// A free port of this machine.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What the operator asks for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// An address with a port.
    pub(crate) listen: String,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) public_url: Option<PublicUrl>,
    /// Where health and figures are told to anybody.
    pub(crate) health: Option<SocketAddr>,
    pub(crate) max_connections: NonZeroUsize,
}

/// The ports that were taken, and what they are for.
pub(crate) struct Posture {
    /// What others call this host.
    pub(crate) public_url: PublicUrl,
    /// Whether others can reach it, and nobody has said what they call it.
    pub(crate) is_nameless: bool,
    main: Door,
    health: Option<Door>,
    /// Where commands on this machine ask, if that is not the first one.
    control: Option<Door>,
}

/// What is answered at each of them.
pub(super) struct Routers {
    pub(super) main: Router,
    pub(super) health: Router,
    pub(super) control: Router,
}

/// The doors, open.
pub(super) struct Doors {
    pub(super) main: Open,
    pub(super) health: Option<Open>,
    pub(super) control: Option<Open>,
}

impl Posture {
    /// Takes the ports, so that they are known to be free before anything else begins.
    ///
    /// # Errors
    /// When one is taken, when what is sent to others would not be protected, and when the certificate is of no use.
    pub(crate) async fn take(asked: Asked) -> Result<Self> {
        let address = asked.address()?;
        let tls = asked.tls.as_ref().map(Tls::open).transpose()?;
        let most = Most { in_all: asked.max_connections.get(), of_one: OF_ONE };
        let plain = |listener| Door { listener, tls: None, proxies: Proxies::default(), most, patience: PATIENCE };
        let is_for_commands = tls.is_none() && address.ip().is_loopback();
        let control = if is_for_commands { None } else { Some(plain(bind(ANY_PORT, "--listen").await?)) };
        let health = match asked.health {
            Some(address) => Some(plain(bind(address, "--health-listen").await?)),
            None => None,
        };
        let main = Door { tls, proxies: Proxies::new(&asked.proxies), ..plain(bind(address, "--listen").await?) };
        let is_nameless = asked.public_url.is_none() && !address.ip().is_loopback();
        let own = || PublicUrl::of_listener(main.address().ok()?, main.tls.is_some());
        let public_url = asked.public_url.clone().or_else(own);
        let public_url = public_url.ok_or_else(|| Error::Machine("no address to be called by".to_owned()))?;
        Ok(Self { public_url, is_nameless, main, health, control })
    }

    /// Answers at each.
    ///
    /// # Errors
    /// When the system does not say where it listens.
    pub(super) fn open(self, routers: Routers) -> Result<Doors> {
        let guard = self.main.guard()?;
        let names = guard.names.map(|names| names.and(&self.public_url));
        let guard = Guard { names, is_https: self.public_url.is_https(), ..guard };
        Ok(Doors {
            main: self.main.open(guard.before(routers.main))?,
            health: self.health.map(|door| door.open_with(routers.health)).transpose()?,
            control: self.control.map(|door| door.open_with(routers.control)).transpose()?,
        })
    }
}

impl Asked {
    /// Where to listen.
    ///
    /// # Errors
    /// When others reach that and nothing protects what they are sent.
    fn address(&self) -> Result<SocketAddr> {
        let address: SocketAddr = self.listen.parse().map_err(|_| {
            Error::Request(format!(
                "`{}` is not an address with a port: write one such as 127.0.0.1:8787 or [::1]:8787",
                self.listen.escape_debug()
            ))
        })?;
        if address.ip().is_loopback() || self.tls.is_some() || !self.proxies.is_empty() {
            return Ok(address);
        }
        Err(Error::Exposed(format!(
            "{address} can be reached from other machines, and what it says can be read on the way: name a certificate with --tls-cert and --tls-key, or the proxy in front of it with --trusted-proxy, or listen at 127.0.0.1"
        )))
    }
}

impl Door {
    fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|error| Error::Machine(format!("no address: {error}")))
    }

    /// What is looked at here. Where others come to by whatever name they have for it, there is no list.
    fn guard(&self) -> Result<Guard> {
        let (address, is_https) = (self.address()?, self.tls.is_some());
        let names = Names::of_this_machine(address, if is_https { 443 } else { 80 });
        Ok(Guard { names: Some(names), proxies: self.proxies.clone(), is_https, patience: self.patience })
    }

    fn open_with(self, router: Router) -> Result<Open> {
        let mut guard = self.guard()?;
        if !self.address()?.ip().is_loopback() {
            guard.names = None;
        }
        self.open(guard.before(router))
    }
}

/// Takes a port.
///
/// # Errors
/// When it is taken.
async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::Machine(format!("{address} cannot be listened on: {error}; name another address with {flag}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(listen: &str) -> Asked {
        let max_connections = NonZeroUsize::MIN;
        Asked {
            listen: listen.to_owned(),
            tls: None,
            proxies: Vec::new(),
            public_url: None,
            health: None,
            max_connections,
        }
    }

    #[test]
    fn others_reach_it_only_where_what_they_are_sent_is_protected() {
        for address in ["127.0.0.1:8787", "127.0.0.2:0", "[::1]:8787"] {
            assert_eq!(asked(address).address().unwrap().to_string(), address);
        }
        let files = TlsFiles { chain: "chain".into(), key: "key".into() };
        for address in ["0.0.0.0:8787", "[::]:8787", "192.0.2.7:80", "[2001:db8::7]:80"] {
            let error = asked(address).address().unwrap_err();
            assert!(matches!(error, Error::Exposed(_)), "{error}");
            for flag in ["--tls-cert", "--tls-key", "--trusted-proxy", "127.0.0.1"] {
                assert!(error.to_string().contains(flag), "{error}");
            }
            assert!(Asked { tls: Some(files.clone()), ..asked(address) }.address().is_ok());
            assert!(Asked { proxies: vec!["10.0.0.1".parse().unwrap()], ..asked(address) }.address().is_ok());
        }
        for address in ["localhost:8787", "8787", ""] {
            assert!(asked(address).address().unwrap_err().to_string().contains("not an address with a port"));
        }
    }
}
