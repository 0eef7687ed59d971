//! What every flow needs: the program, emulators, a person in front of a browser, and a place to play.

pub(crate) mod api;
pub(crate) mod browser;
pub(crate) mod came;
mod cli;
mod emulator;
mod held_line;
pub(crate) mod house;
mod leaks;
mod stage;
pub(crate) mod web;

pub(crate) use self::cli::{Cli, Done, Running};
pub(crate) use self::emulator::Emulator;
pub(crate) use self::leaks::Leaks;
pub(crate) use self::stage::{LANTERN, SHIPPED, Stage};
pub(crate) use self::web::param;

use connector_core::Scope;
use connector_core::emulator::Consent;

/// The account of the connections most tests are about.
pub(crate) const MIRA: &str = "mira";

/// Somebody who allows everything.
pub(crate) fn person(name: &str) -> Consent {
    Consent { person: name.to_owned(), ..Consent::default() }
}

/// Somebody who allows everything but these.
pub(crate) fn unticking(name: &str, scopes: &[&str]) -> Consent {
    let unticked = scopes.iter().map(|scope| scope.parse::<Scope>().unwrap()).collect();
    Consent { unticked, ..person(name) }
}

/// Somebody who presses Cancel.
pub(crate) fn declining(name: &str) -> Consent {
    Consent { declined: true, ..person(name) }
}
