//! Tests that need something this machine may not have.

use std::io::Write as _;
use std::process::Command;

/// Whether a program is on this machine, and does this. Where it is not, the test is [`skipped`].
pub fn is_there(program: &str, args: &[&str], what_to_do: &str) -> bool {
    let is_there = Command::new(program).args(args).output().is_ok_and(|done| done.status.success());
    if !is_there {
        skipped(program, what_to_do);
    }
    is_there
}

/// Says that a test proved nothing here.
///
/// # Panics
/// Where the variable `CONNECTOR_TESTS_REQUIRE` names what is missing, among others with commas between.
pub fn skipped(name: &str, why: &str) {
    let required = std::env::var("CONNECTOR_TESTS_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|required| required.trim() == name);
    assert!(!is_required, "{name} is missing, and CONNECTOR_TESTS_REQUIRE names it: {why}");
    say(&format!("skipped: {name} is missing: {why}"));
}

/// Prints past the harness, which shows what a test prints only when it fails.
pub fn say(line: &str) {
    _ = writeln!(std::io::stderr(), "{line}");
}
