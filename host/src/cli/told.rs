//! What people are told of how a flow ended.

use connector_core::scope::list_scopes;
use connector_core::{ErrorKind, Scope};

use super::exit::Exit;
use super::format;
use super::listener::Page;
use super::output::Output;
use crate::data::LinkedData;
use crate::error::Result;
use crate::flow::{Completed, Finished};
use crate::store::{Link, Linked};

/// What the person in the browser is told.
pub(super) fn page(outcome: &Result<Completed>) -> Page {
    match outcome {
        Ok(Completed { finished: Ok(finished), lacking, .. }) => {
            let names: Vec<&str> =
                finished.linked.iter().filter_map(|linked| linked.connection.profile.label()).collect();
            let text = if names.is_empty() {
                "The account is connected.".to_owned()
            } else {
                format!("{} is connected.", names.join(" and "))
            };
            connected(text, lacking)
        }
        Ok(Completed { finished: Err(error), .. }) => Page::ill("Allowed, but not connected yet", error.to_string()),
        Err(error) if error.kind() == Some(&ErrorKind::Declined) => {
            Page::ill("Not connected", "Nothing was connected: the person did not allow access.".to_owned())
        }
        Err(error) => Page::ill("Not connected", error.to_string()),
    }
}

fn connected(text: String, lacking: &[Scope]) -> Page {
    if lacking.is_empty() {
        return Page::well("Connected", text);
    }
    let scopes = list_scopes(lacking);
    let text =
        format!("{text} What it needs most was not allowed, though, and has to be before it can be used: {scopes}.");
    Page::ill("Connected, and something is missing", text)
}

impl Completed {
    /// How a command ends whose flow ended so.
    pub(super) fn exit(&self) -> Exit {
        match &self.finished {
            Err(error) => Exit::of(error),
            Ok(_) if self.lacking.is_empty() => Exit::Done,
            Ok(_) => Exit::Person,
        }
    }
}

/// What the person at the terminal is told.
pub(super) fn told(completed: &Completed, output: Output) -> Exit {
    let finished = match &completed.finished {
        Ok(finished) => finished,
        Err(error) => {
            output.warn(format!("access was allowed and is kept, but it could not be linked to an account: {error}"));
            output.note("`connector-host connections` tries again.");
            return completed.exit();
        }
    };
    let data: Vec<_> = finished.linked.iter().map(LinkedData::from).collect();
    output.either(&data, || text(finished, completed));
    if let Some(granted) = completed.granted.as_ref().filter(|granted| !completed.requested.is_subset(granted)) {
        output.note(format!("Asked for, and not granted: {}.", list_scopes(completed.requested.difference(granted))));
    }
    warn_of_lost(finished, output);
    warn_of_lacking(finished, &completed.lacking, output);
    completed.exit()
}

/// Says what is missing that the configuration requires, and how it is allowed after all.
fn warn_of_lacking(finished: &Finished, lacking: &[Scope], output: Output) {
    for linked in finished.linked.iter().filter(|_| !lacking.is_empty()) {
        output.warn(format!(
            "the configuration requires {}, which was not allowed: until it is, the connection counts as reauth_required. Its access is kept; `connector-host reconnect {}` asks again.",
            list_scopes(lacking),
            linked.connection.id
        ));
    }
}

/// What the person at the terminal is told of grants that were linked later than they were made. It is no result of the command.
pub(super) fn told_late(late: &[Finished], output: Output) {
    for finished in late {
        for linked in &finished.linked {
            output.note(format!("{} (access had been allowed before).", what_became(linked)));
        }
        warn_of_lost(finished, output);
    }
}

fn warn_of_lost(finished: &Finished, output: Output) {
    if !finished.lost.is_empty() {
        output.warn(format!(
            "this consent allows less than the one before: {} is no longer granted.",
            list_scopes(&finished.lost)
        ));
    }
}

fn what_became(linked: &Linked) -> String {
    let what = match linked.link {
        Link::New => "Connected",
        Link::Reconnected | Link::Kept => "Reconnected",
    };
    let connection = &linked.connection;
    let name = format::text(connection.profile.label().unwrap_or(&connection.account_id));
    format!("{what} {name} ({}): {}", connection.platform, connection.id)
}

fn text(finished: &Finished, completed: &Completed) -> String {
    let scopes =
        completed.granted.as_ref().map_or_else(|| "the platform does not say which scopes".to_owned(), list_scopes);
    let lines = finished
        .linked
        .iter()
        .map(|linked| format!("{}\n{}", what_became(linked), format::folded("  granted: ", &scopes)));
    lines.collect::<Vec<_>>().join("\n")
}
