//! Lantern: a made-up platform that differs from the shipped ones wherever a platform can, with an emulator in the box.
//!
//! It is what a platform author writes: a `platform.toml`, a registration and accessors.

mod connector;
mod emulator;

pub use self::connector::DESCRIPTOR;
pub use self::emulator::LanternEmulator;

/// Its layer of the configuration: its app and its scope catalogue.
pub const CONFIG: &str = include_str!("../../lantern/platforms.toml");
