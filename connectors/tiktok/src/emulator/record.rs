//! What the emulator has seen and handed out in this run.

use std::collections::{BTreeMap, VecDeque};

use connector_core::Secret;
use serde::Serialize;

const KEPT: usize = 10_000;

/// The requests seen, without anything secret.
#[derive(Debug, Default, Serialize)]
pub(super) struct Record {
    /// How many there were, including those no longer listed.
    seen: u64,
    /// How many refreshes gave new tokens.
    pub(super) refreshes: u64,
    /// How often a refresh token came that had been replaced.
    pub(super) reuses: u64,
    #[serde(skip)]
    grants: BTreeMap<u64, Asked>,
    /// The latest requests, oldest first.
    requests: VecDeque<Seen>,
}

/// The token requests with a refresh token of one grant.
#[derive(Debug, Default, Serialize)]
pub(super) struct Asked {
    /// How many have come.
    requests: u64,
    /// How many of them wait for their answer.
    in_flight: u32,
    /// The most that ever waited at the same time. Whoever keeps to one request at a time never makes it two.
    most_in_flight: u32,
    /// The SHA-256 of the refresh token that was handed out last.
    newest: String,
}

#[derive(Debug, Serialize)]
struct Seen {
    number: u64,
    at: i64,
    endpoint: &'static str,
    status: u16,
    #[serde(flatten)]
    note: Note,
}

/// What an endpoint says about a request.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Note {
    /// `ok`, or the error's code.
    pub(super) outcome: String,
    /// The app's name, where it is known.
    pub(super) app: Option<String>,
    /// The person's name, where it is known.
    pub(super) person: Option<String>,
    /// The grant type of a token request; the fields of a user info request.
    pub(super) detail: Option<String>,
}

impl Record {
    /// A token request with a refresh token of this grant has come.
    pub(super) fn asked(&mut self, grant: u64) {
        let asked = self.grants.entry(grant).or_default();
        asked.requests += 1;
        asked.in_flight += 1;
        asked.most_in_flight = asked.most_in_flight.max(asked.in_flight);
    }

    /// It was answered, or whoever sent it went away.
    pub(super) fn answered(&mut self, grant: u64) {
        self.grants.entry(grant).and_modify(|asked| asked.in_flight -= 1);
    }

    /// A refresh token was handed out.
    pub(super) fn handed_out(&mut self, grant: u64, refresh: &Secret) {
        self.grants.entry(grant).or_default().newest = refresh.digest();
    }

    /// The token requests with a refresh token, by grant.
    pub(super) fn grants(&self) -> &BTreeMap<u64, Asked> {
        &self.grants
    }

    pub(super) fn note(&mut self, at: i64, endpoint: &'static str, status: u16, note: Note) {
        self.seen += 1;
        if self.requests.len() >= KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(Seen { number: self.seen, at, endpoint, status, note });
    }
}

/// A code or token that was handed out.
#[derive(Debug)]
pub(super) struct Issued {
    /// `code`, `access_token`, `refresh_token` or `client_token`.
    pub(super) kind: &'static str,
    pub(super) app: String,
    /// Nobody, for a client token.
    pub(super) person: Option<String>,
    pub(super) at: i64,
    pub(super) value: Secret,
}
