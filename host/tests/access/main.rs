//! Keeping access: one refresh for everybody, stored first, and what each answer does to a connection.
#![cfg(all(feature = "sqlite", feature = "testing"))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what helps a test may fail it")]

mod adopted;
mod callers;
mod crowds;
mod doubts;
mod races;
mod spooled;
mod support;
