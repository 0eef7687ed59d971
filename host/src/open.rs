//! The one way a host comes to its parts.

use std::path::PathBuf;
use std::sync::Arc;

use connector_core::config::Settings;
use connector_core::{Context, Registry};

use crate::apps::Realm;
use crate::error::Result;
use crate::host::{Host, Parts};
use crate::refresh::Replayed;
use crate::spool::Spool;
use crate::store::Store;
use crate::vault::{KeySource, Unlocked, unlock};

/// What a host is opened with.
#[derive(Debug)]
pub struct Opening {
    /// The connectors.
    pub registry: Registry,
    /// The apps and scopes.
    pub settings: Settings,
    /// Where the apps are registered.
    pub realm: Realm,
    /// Where connections are kept.
    pub store: Arc<dyn Store>,
    /// Where the keys are that seal the tokens. A file is made if nothing has been sealed yet.
    pub keys: KeySource,
    /// The directory where an answer rests that the store does not take. Without one it is in memory alone meanwhile.
    pub spool: Option<PathBuf>,
    /// Transport, clock, randomness.
    pub cx: Context,
}

/// A host that is ready.
#[derive(Debug)]
pub struct Opened {
    /// The host.
    pub host: Host,
    /// The key file, if it was made just now: whoever runs this should be told to keep a copy of it, apart from the database.
    pub made: Option<PathBuf>,
    /// What became of answers that an earlier process could not store.
    pub replayed: Replayed,
    /// How many grants are in use again whose tokens did not open before their key was put back.
    pub recovered: usize,
}

impl Host {
    /// Makes the store this process' own if it is nobody's, comes to its keys, and mends what earlier processes
    /// left: answers that they could not store, and grants whose key has been put back.
    ///
    /// # Errors
    /// When the keys are missing, unsafe or another store's, or when store or spool cannot be used.
    pub async fn open(opening: Opening) -> Result<Opened> {
        let Opening { registry, settings, realm, store, keys, spool, cx } = opening;
        store.claim_ownership().await?;
        let spool = spool.map(|dir| Spool::open(&dir)).transpose()?;
        let Unlocked { vault, made } = unlock(&cx, &keys, &store).await?;
        let host = Self::new(Parts { registry, settings, realm, store, vault, cx, spool });
        let replayed = host.replay_spool().await?;
        let recovered = host.recover_lost().await?;
        Ok(Opened { host, made, replayed, recovered })
    }
}
