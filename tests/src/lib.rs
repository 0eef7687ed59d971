//! What the tests of the whole house share: a second platform that differs from the first wherever it can, a host for test programs, and
//! what is said where something is missing.

pub mod lantern;
pub mod missing;
#[cfg(feature = "host")]
pub mod rig;
