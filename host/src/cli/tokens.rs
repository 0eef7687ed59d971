use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

use super::args::{Tokens, TokensAction};
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use crate::error::Result;
use crate::keeper::{Event, Keep, Kept, Tally, Watch};

/// So many lines tell how far a pass is.
const LINES: usize = 20;

/// One pass over what is due.
pub(super) async fn run(setup: &Setup, running: &Running, args: &Tokens, output: Output) -> Result<Exit> {
    let TokensAction::Refresh { max_in_flight, .. } = args.action;
    let host = setup.host(running, output).await?;
    let shows = std::io::stderr().is_terminal() && !output.is_json();
    let watch = if shows { progress(output) } else { Arc::new(|_: &Event<'_>| {}) };
    let tally = host.keep(&Keep { max_in_flight, watch, ..Keep::default() }).await?;
    output.either(&data(&tally), || text(&tally));
    Ok(exit(&tally))
}

/// Tells people how far it is.
fn progress(output: Output) -> Watch {
    let (done, found) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Arc::new(move |event| match event {
        Event::Found(more) => drop(found.fetch_add(*more, Ordering::Relaxed)),
        Event::Done { .. } => {
            let (done, found) = (done.fetch_add(1, Ordering::Relaxed) + 1, found.load(Ordering::Relaxed));
            if done.is_multiple_of((found / LINES).max(1)) {
                output.note(format!("{done} of {found} ..."));
            }
        }
        _ => {}
    })
}

fn data(tally: &Tally) -> Value {
    let mut data = Map::new();
    data.insert("due".to_owned(), json!(tally.total()));
    data.extend(Kept::ALL.map(|kept| (kept.as_str().to_owned(), json!(tally.count(kept)))));
    data.insert("revocations_tried".to_owned(), json!(tally.revocations));
    data.insert("revocations_left".to_owned(), json!(tally.revocations_left));
    Value::Object(data)
}

fn text(tally: &Tally) -> String {
    let mut text = String::new();
    if tally.total() == 0 {
        text.push_str("No refresh is due.\n");
    } else {
        let _ = writeln!(text, "{} due:", tally.total());
    }
    for kept in Kept::ALL.into_iter().filter(|kept| tally.any(*kept)) {
        let _ = writeln!(text, "  {:>6}  {}", tally.count(kept), words(kept));
    }
    let (tried, left) = (tally.revocations, tally.revocations_left);
    match (tried, left) {
        (0, _) if tally.total() == 0 => "Nothing is due.".clone_into(&mut text),
        (0, _) => {}
        (_, 0) => drop(writeln!(text, "Revocations: {tried} tried, all done.")),
        _ => drop(writeln!(
            text,
            "Revocations: {tried} tried, {left} still pending: a later pass tries again; see `connector-host connections`."
        )),
    }
    text
}

fn words(kept: Kept) -> &'static str {
    match kept {
        Kept::Refreshed => "refreshed",
        Kept::Elsewhere => "seen to by another process",
        Kept::InDoubt => "in doubt: the platform did not answer, and a later pass asks again",
        Kept::Resting => "waiting: a later pass sees to it",
        Kept::OutOfReach => "the platform was out of reach",
        Kept::NeedsPerson => "the person has to connect again: see `connector-host connections`",
        Kept::AppRefused => "the platform refuses the app, or the app is not configured",
        Kept::NotOurs => "left alone: the store has become another installation's; see `connector-host store show`",
        Kept::KeyTrouble => "not refreshed: the keys at hand do not open their tokens; see `connector-host vault`",
        Kept::Failed => "failed: see the log, with -v",
        Kept::NothingToGain => "left alone: a refresh would bring nothing",
    }
}

fn exit(tally: &Tally) -> Exit {
    let ways = [
        (Kept::InDoubt, Exit::Later),
        (Kept::Resting, Exit::Later),
        (Kept::OutOfReach, Exit::Later),
        (Kept::Failed, Exit::Failed),
        (Kept::AppRefused, Exit::Usage),
        (Kept::NotOurs, Exit::Usage),
        (Kept::KeyTrouble, Exit::Usage),
        (Kept::NeedsPerson, Exit::Person),
    ];
    let ways = ways.into_iter().filter(|(kept, _)| tally.any(*kept));
    let revoked = if tally.revocations_left > 0 { Exit::Later } else { Exit::Done };
    ways.fold(revoked, |exit, (_, other)| exit.or_worse(other))
}
