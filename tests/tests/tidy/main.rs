//! Is the house in order? What no compiler checks: names that must not appear, lists that must be complete, docs that must be fresh.
//!
//! `UPDATE=1 cargo test -p connector-tests --test tidy` writes anew what is generated.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod connectors;
mod generated;
mod house;
mod link_line;
mod rules;
mod schema;
mod tree;
