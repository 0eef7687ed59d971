//! TikTok for the connector framework: Login Kit OAuth and account metrics, by data, with an emulator in the box.

mod connector;
#[cfg(feature = "emulator")]
pub mod emulator;

pub use self::connector::DESCRIPTOR;
