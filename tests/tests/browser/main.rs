//! The pages in a real browser: the consent page, connect links, and the connections of people who sign in. Chromium is driven by Playwright, in the
//! scripts beside this file; `watch.mjs` says what fails a page wherever it is seen.
//!
//! Without Chromium, Node or the packages on this machine the tests pass and say so, unless `CONNECTOR_TESTS_REQUIRE` names what is missing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chromium;
mod hostile;
mod links;
mod pictures;
#[path = "../flows/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the other flows use the rest of it")]
mod support;
mod walk;
