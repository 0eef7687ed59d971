//! The command line, for whatever is linked into the program.

mod api_keys;
mod args;
mod ask;
mod audit;
mod backup;
mod browser;
mod config;
mod connect;
mod connections;
mod database;
mod demo;
mod disconnect;
mod docs;
mod doctor;
mod emulator;
mod events;
mod exit;
mod first_admin;
mod flow;
mod format;
mod init;
mod links;
mod list;
mod listen;
mod listener;
mod log;
mod metrics;
mod needed;
mod output;
mod password;
mod plan;
mod plan_text;
mod purge;
mod redirect;
mod reload;
mod restore;
mod running;
mod scopes;
mod serve;
mod setup;
mod shield;
mod signals;
mod standing;
mod store;
mod streams;
mod table;
mod tokens;
mod told;
mod transfer;
mod users;
mod vault;
mod view;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::Poll;

pub use zeroizing_alloc::ZeroAlloc;

use clap::Parser as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::args::{Args, Command, Config, ConfigAction};
use self::exit::Exit;
use self::output::Output;
use self::running::Running;
use self::setup::Setup;
use self::signals::Signals;
use crate::error::{Error, Result};

/// Runs the command line of this process and says how it ended. A program of a team's own that links more connectors is this one call.
///
/// Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 a person has to act; 4 the platform is out of reach, try again; 130
/// stopped by ctrl-C. `config plan` has 0 for nothing to change, 2 for something, and 1 for every error.
pub fn main() -> ExitCode {
    let shielded = shield::raise();
    let args = Args::parse();
    log::start(&args.global, matches!(args.command, Command::Serve(_)));
    let output = Output::new(&args.global);
    if let Err(error) = shielded {
        output.warn(format!("what is in memory could not be kept out of core dumps: {error}"));
    }
    let is_plan = args.command.is_plan();
    let outcome = Setup::new(args.global).and_then(|setup| dispatch(&setup, args.command, output));
    match outcome.and_then(shown) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.error(&error);
            if is_plan { Exit::Failed } else { Exit::of(&error) }.into()
        }
    }
}

/// Nobody may take a result for whole that could not be written.
fn shown(exit: Exit) -> Result<Exit> {
    match streams::lost() {
        Some(why) if exit == Exit::Done => {
            Err(Error::Machine(format!("what was asked for is done, but the result could not be written: {why}")))
        }
        _ => Ok(exit),
    }
}

/// Commands that read the configuration alone run as they are; the others get a runtime and a host.
fn dispatch(setup: &Setup, command: Command, output: Output) -> Result<Exit> {
    match command {
        Command::List(args) => list::run(setup, &args, output),
        Command::Scopes(args) => scopes::run(setup, &args, output),
        Command::Config(args) if args.is_in_files() => config::run(setup, &args, output),
        Command::Init(args) => init::run(setup, &args, output),
        Command::Docs(args) => docs::run(setup, &args, output),
        command => block_on(setup, command, output),
    }
}

fn block_on(setup: &Setup, command: Command, output: Output) -> Result<Exit> {
    let mut runtime = match command {
        // A look at the store may wait for a disk that hangs, and whoever asks whether all is well is answered meanwhile.
        Command::Serve(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Error::Machine(format!("no runtime can be started: {error}")))?;
    let exit = runtime.block_on(conduct(setup, command, output));
    // A read from the terminal that nobody answers must not keep the program from ending.
    runtime.shutdown_background();
    exit
}

/// Runs a command until it ends or is told to stop. What is under way is finished in any case, unless somebody insists.
async fn conduct(setup: &Setup, command: Command, output: Output) -> Result<Exit> {
    let (running, orders) = (Running::default(), Orders::default());
    let stops_by_itself = matches!(command, Command::Serve(_));
    let mut signals = Signals::new(stops_by_itself.then(|| Arc::clone(&orders.reread)));
    let mut work = Box::pin(unless_panics(perform(setup, &running, command, output, &orders)));
    let mut exit = tokio::select! {
        exit = &mut work => Some(exit),
        () = signals.next() => None,
    };
    if exit.is_none() {
        orders.stop.cancel();
        output.note("stopping; what is under way is finished first");
    }
    if exit.is_none() && stops_by_itself {
        exit = tokio::select! {
            exit = &mut work => Some(exit),
            () = signals.next() => return Ok(at_once(output)),
        };
    }
    drop(work);
    tokio::select! {
        () = running.finish() => exit.unwrap_or(Ok(Exit::Interrupted)),
        () = signals.next() => Ok(at_once(output)),
    }
}

/// What a command that runs for long is told meanwhile.
#[derive(Debug, Default)]
struct Orders {
    /// To begin nothing more.
    stop: CancellationToken,
    /// To read its configuration anew.
    reread: Arc<Notify>,
}

/// A command that panics fails, and what it has started is finished like that of any other.
async fn unless_panics(work: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    let mut work = pin!(work);
    let polled = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(polled) => polled,
        // What a panic says may hold anything, so it is not repeated.
        Err(_) => Poll::Ready(Err(Error::Machine("the command failed inside; please report it".to_owned()))),
    });
    polled.await
}

fn at_once(output: Output) -> Exit {
    output.warn("stopped at once; what was under way is settled by the next command");
    Exit::Interrupted
}

async fn perform(setup: &Setup, running: &Running, command: Command, output: Output, orders: &Orders) -> Result<Exit> {
    match command {
        Command::Connect(args) => connect::run(setup, running, &args, output).await,
        Command::Reconnect(args) => connect::again(setup, running, &args, output).await,
        Command::Disconnect(args) => disconnect::run(setup, running, &args, output).await,
        Command::Connections(args) => connections::run(setup, running, &args, output).await,
        Command::Audit(args) => audit::run(setup, running, &args, output).await,
        Command::Metrics(args) => metrics::run(setup, running, &args, output).await,
        Command::Tokens(args) => tokens::run(setup, running, &args, output).await,
        Command::ApiKeys(args) => api_keys::run(setup, running, &args, output).await,
        Command::Admin(args) => users::admin(setup, running, &args, output).await,
        Command::Users(args) => users::run(setup, running, &args, output).await,
        Command::Links(args) => links::run(setup, running, &args, output).await,
        Command::Events(args) => events::run(setup, running, &args, output, orders).await,
        Command::Serve(args) => serve::run(setup, running, &args, output, orders).await,
        Command::Emulator(args) => emulator::run(setup, running, &args, output).await,
        Command::Vault(args) => vault::run(setup, &args, output).await,
        Command::Demo(args) => demo::run(setup, running, &args, output).await,
        Command::Doctor(args) => doctor::run(setup, &args, output).await,
        Command::Store(args) => store::run(setup, &args, output).await,
        Command::Backup(args) => backup::run(setup, &args, output).await,
        Command::Restore(args) => restore::run(setup, &args, output).await,
        Command::Config(Config { action: Some(ConfigAction::Plan(args)) }) => plan::run(setup, &args, output).await,
        Command::Config(_) => reload::run(setup, output).await,
        Command::List(_) | Command::Scopes(_) | Command::Docs(_) | Command::Init(_) => Ok(Exit::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_that_panics_has_failed() {
        let error = unless_panics(async { panic!("with a secret") }).await.unwrap_err();
        assert_eq!(error.to_string(), "the command failed inside; please report it");
        assert_eq!(unless_panics(async { Ok(Exit::Done) }).await.unwrap(), Exit::Done);
    }
}
