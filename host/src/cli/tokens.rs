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
    Value::Object(data)
}

fn text(tally: &Tally) -> String {
    if tally.total() == 0 {
        return "Nothing is due.".to_owned();
    }
    let mut text = format!("{} due:\n", tally.total());
    for kept in Kept::ALL.into_iter().filter(|kept| tally.any(*kept)) {
        let _ = writeln!(text, "  {:>6}  {}", tally.count(kept), words(kept));
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
        (Kept::NeedsPerson, Exit::Person),
    ];
    let ways = ways.into_iter().filter(|(kept, _)| tally.any(*kept));
    ways.fold(Exit::Done, |exit, (_, other)| exit.or_worse(other))
}
