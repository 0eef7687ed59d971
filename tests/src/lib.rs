//! What the tests of the whole house share: a second platform that differs from the first wherever it can, and a host for test programs.

pub mod lantern;
#[cfg(feature = "host")]
pub mod rig;
