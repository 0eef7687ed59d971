//! The first admin, as whoever starts a host comes to one.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use connector_core::Secret;
use serde_json::{Value, json};

use super::password;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::users::{SetUp, check_hash};

/// The hash of the admin's password, from its file.
pub(super) fn admin_hash(path: &Path) -> Result<Secret> {
    let refuse = |why: &dyn Display| {
        Error::Exposed(format!("the file `{}` of --admin-password-hash-file is of no use: {why}", path.display()))
    };
    let hash = password::of_file(path).map_err(|error| refuse(&error))?;
    check_hash(hash.expose()).map_err(|why| refuse(&why))?;
    Ok(hash)
}

/// The way to make the first admin, where there is none.
pub(super) async fn first_admin(host: &Host, dir: &Path) -> Result<Option<(Arc<SetUp>, Secret)>> {
    if host.has_admin().await? {
        return Ok(None);
    }
    let (set_up, token) = SetUp::begin(host.context(), dir)?;
    Ok(Some((Arc::new(set_up), token)))
}

/// How the first admin is made, for whoever started the host.
pub(super) struct SetUpTold<'s> {
    set_up: &'s SetUp,
    token: &'s Secret,
    /// The address of the page; none where this machine does not reach it by a name of its own.
    url: Option<String>,
}

impl<'s> SetUpTold<'s> {
    pub(super) fn new(set_up: &'s SetUp, token: &'s Secret, scheme: &str, at: SocketAddr) -> Self {
        let host = match at.ip() {
            ip if ip.is_loopback() => Some(at),
            IpAddr::V4(ip) if ip.is_unspecified() => Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), at.port())),
            IpAddr::V6(ip) if ip.is_unspecified() => Some(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), at.port())),
            _ => None,
        };
        Self { set_up, token, url: host.map(|host| format!("{scheme}://{host}/set-up")) }
    }

    /// The token is in its file alone.
    pub(super) fn json(&self) -> Value {
        let file = self.set_up.file().display().to_string();
        json!({ "url": self.url, "token_file": file, "until": self.set_up.until.to_string() })
    }

    pub(super) fn text(&self) -> String {
        let Some(url) = &self.url else {
            return "\nNobody may sign in yet: make an admin with `connector-host admin create NAME`".to_owned();
        };
        format!(
            "\nNobody may sign in yet: make the first admin at {url}, on this machine, until {:.0}\n  with the token {}\n  which is also in {}",
            self.set_up.until,
            self.token.expose(),
            self.set_up.file().display()
        )
    }
}
