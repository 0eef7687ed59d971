use connector_core::{ConfiguredConnector, Descriptor, Registration};

use super::LanternEmulator;

/// What this connector is.
pub const DESCRIPTOR: Descriptor = Descriptor { id: "lantern", name: "Lantern", package: env!("CARGO_PKG_NAME") };

inventory::submit! {
    Registration::new(DESCRIPTOR, include_str!("../../lantern/platform.toml"), ConfiguredConnector::build)
        .with_emulator(|| Box::new(LanternEmulator))
}
