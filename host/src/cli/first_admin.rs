//! How the first admin comes to be: by a token that `serve` tells, or by the hash of a password in a file.

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

/// An admin who is still to be made, and the token for it.
pub(super) struct FirstAdmin {
    pub(super) set_up: Arc<SetUp>,
    token: Secret,
}

impl FirstAdmin {
    /// The way to make one, where there is none.
    pub(super) async fn awaited(host: &Host, dir: &Path) -> Result<Option<Self>> {
        if host.has_admin().await? {
            SetUp::clear(dir);
            return Ok(None);
        }
        let (set_up, token) = SetUp::begin(host.context(), dir)?;
        Ok(Some(Self { set_up: Arc::new(set_up), token }))
    }

    /// The token is in its file alone.
    pub(super) fn json(&self, page: Option<&str>) -> Value {
        let file = self.set_up.file().display().to_string();
        json!({ "url": page, "token_file": file, "until": self.set_up.until.to_string() })
    }

    pub(super) fn text(&self, page: Option<&str>) -> String {
        let Some(page) = page else {
            return "Nobody may sign in yet: make an admin with `connector-host admin create NAME`".to_owned();
        };
        format!(
            "Nobody may sign in yet: make the first admin at {page}, on this machine, until {:.0}\n  with the token {}\n  which is also in {}",
            self.set_up.until,
            self.token.expose(),
            self.set_up.file().display()
        )
    }
}

/// The address of the page for it. `None` where this machine does not reach it by a name of its own.
pub(super) fn set_up_page(scheme: &str, at: SocketAddr) -> Option<String> {
    let host = match at.ip() {
        ip if ip.is_loopback() => at,
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), at.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), at.port()),
        _ => return None,
    };
    Some(format!("{scheme}://{host}/set-up"))
}

/// The hash of the admin's password, from its file.
pub(super) fn admin_hash(path: &Path) -> Result<Secret> {
    let refuse = |why: &dyn Display| {
        Error::Exposed(format!("the file `{}` of --admin-password-hash-file is of no use: {why}", path.display()))
    };
    let hash = password::of_file(path).map_err(|error| refuse(&error))?;
    check_hash(hash.expose()).map_err(|why| refuse(&why))?;
    Ok(hash)
}
