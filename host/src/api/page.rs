//! How much is given at once.

use std::fmt::Display;
use std::str::FromStr;

use super::problem::{Problem, Result};

/// How many things a page holds unless the request says.
const USUAL: u32 = 50;
/// How many it holds at most.
const MOST: u32 = 200;

/// How many things a page is to hold.
pub(super) fn limit(asked: Option<u32>) -> Result<u32> {
    match asked.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit),
        limit => Err(Problem::bad_request(format!("`limit` is {limit}: use 1 to {MOST}"))),
    }
}

/// Where a page goes on, by what the page before it said.
pub(super) fn cursor<K: FromStr<Err: Display>>(text: &str) -> Result<K> {
    text.parse().map_err(|error: K::Err| Problem::bad_value(error.to_string()))
}
