//! The vault's keys: replaced under load, cut off and gone on with, lost, damaged, and where they come from.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what helps a test may fail it")]

mod bench;
mod command;
mod damage;
mod rotation;
