//! The emulator over loopback, against the fixtures.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod consent;
mod lab;
mod oauth;
mod people;
mod running;
mod user_info;
