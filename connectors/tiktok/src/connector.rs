use connector_core::{ConfiguredConnector, Descriptor, Registration};

/// What this connector is.
pub const DESCRIPTOR: Descriptor = Descriptor { id: "tiktok", name: "TikTok", package: env!("CARGO_PKG_NAME") };

/// TikTok. Its `platform.toml` says all there is to say about OAuth, the profile and the counts.
const REGISTRATION: Registration =
    Registration::new(DESCRIPTOR, include_str!("../platform.toml"), ConfiguredConnector::build);

#[cfg(not(feature = "emulator"))]
inventory::submit! { REGISTRATION }
#[cfg(feature = "emulator")]
inventory::submit! { REGISTRATION.with_emulator(|| Box::new(crate::emulator::TikTokEmulator)) }
