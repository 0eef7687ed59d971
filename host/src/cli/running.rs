use std::collections::BTreeMap;
use std::sync::Mutex;

use connector_core::PlatformId;

use crate::emulate::Emulated;
use crate::host::Host;

/// The emulators of every platform that has one, by platform.
pub(super) type Emulators = BTreeMap<PlatformId, Emulated>;

/// What a command has started and must end in order: the host's work first, the emulators after it.
#[derive(Debug, Default)]
pub(super) struct Running {
    hosts: Mutex<Vec<Host>>,
    emulators: tokio::sync::Mutex<Vec<Emulators>>,
}

impl Running {
    /// A host that must be drained before the program ends.
    pub(super) fn host(&self, host: &Host) {
        if let Ok(mut hosts) = self.hosts.lock() {
            hosts.push(host.clone());
        }
    }

    /// Emulators that must outlive the hosts.
    pub(super) async fn emulators(&self, emulators: Emulators) {
        self.emulators.lock().await.push(emulators);
    }

    /// Waits for the hosts' work, then stops the emulators.
    pub(super) async fn finish(&self) {
        let hosts: Vec<Host> = self.hosts.lock().map(|mut hosts| hosts.drain(..).collect()).unwrap_or_default();
        for host in hosts {
            host.drain().await;
        }
        for emulated in self.emulators.lock().await.drain(..).flat_map(BTreeMap::into_values) {
            emulated.close().await;
        }
    }
}
