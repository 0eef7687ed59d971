//! The command line, for whatever is linked into the program.

mod args;
mod ask;
mod audit;
mod backup;
mod browser;
mod config;
mod connect;
mod connections;
mod demo;
mod disconnect;
mod emulator;
mod exit;
mod flow;
mod format;
mod init;
mod list;
mod listener;
mod metrics;
mod output;
mod purge;
mod redirect;
mod restore;
mod running;
mod scopes;
mod setup;
mod shield;
mod standing;
mod store;
mod table;
mod told;
mod transfer;
mod vault;
mod view;

use std::process::ExitCode;

pub use zeroizing_alloc::ZeroAlloc;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use self::args::{Args, Command};
use self::exit::Exit;
use self::output::Output;
use self::running::Running;
use self::setup::Setup;
use crate::error::{Error, Result};

/// Runs the command line of this process and says how it ended. A program of a team's own that links more connectors is this one call.
///
/// Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 a person has to act; 4 the platform is out of reach, try again; 130
/// stopped by ctrl-C.
pub fn main() -> ExitCode {
    let shielded = shield::raise();
    let args = Args::parse();
    start_log(args.global.verbose);
    let output = Output::new(&args.global);
    if let Err(error) = shielded {
        output.warn(format!("what is in memory could not be kept out of core dumps: {error}"));
    }
    let outcome = Setup::new(args.global).and_then(|setup| dispatch(&setup, args.command, output));
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.error(&error);
            Exit::of(&error).into()
        }
    }
}

/// The log goes to standard error, quietly unless `-v` or `RUST_LOG` says otherwise.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "error",
        1 => "connector_host=info,connector_core=info,warn",
        _ => "connector_host=debug,connector_core=debug,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}

/// Commands that read the configuration alone run as they are; the others get a runtime and a host.
fn dispatch(setup: &Setup, command: Command, output: Output) -> Result<Exit> {
    match command {
        Command::List(args) => list::run(setup, &args, output),
        Command::Scopes(args) => scopes::run(setup, &args, output),
        Command::Config(args) => config::run(setup, &args, output),
        Command::Init(args) => init::run(setup, &args, output),
        command => block_on(setup, command, output),
    }
}

fn block_on(setup: &Setup, command: Command, output: Output) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Machine(format!("no runtime can be started: {error}")))?;
    let exit = runtime.block_on(async {
        let running = Running::default();
        let exit = tokio::select! {
            exit = serve(setup, &running, command, output) => exit,
            () = interrupted() => {
                output.note("stopping; what is under way is finished first");
                Ok(Exit::Interrupted)
            }
        };
        running.finish().await;
        exit
    });
    // A read from the terminal that nobody answers must not keep the program from ending.
    runtime.shutdown_background();
    exit
}

async fn serve(setup: &Setup, running: &Running, command: Command, output: Output) -> Result<Exit> {
    match command {
        Command::Connect(args) => connect::run(setup, running, &args, output).await,
        Command::Reconnect(args) => connect::again(setup, running, &args, output).await,
        Command::Disconnect(args) => disconnect::run(setup, running, &args, output).await,
        Command::Connections(args) => connections::run(setup, running, &args, output).await,
        Command::Audit(args) => audit::run(setup, running, &args, output).await,
        Command::Metrics(args) => metrics::run(setup, running, &args, output).await,
        Command::Emulator(args) => emulator::run(setup, running, &args, output).await,
        Command::Vault(args) => vault::run(setup, &args, output).await,
        Command::Demo(args) => demo::run(setup, running, &args, output).await,
        Command::Store(args) => store::run(setup, &args, output).await,
        Command::Backup(args) => backup::run(setup, &args, output).await,
        Command::Restore(args) => restore::run(setup, &args, output).await,
        Command::List(_) | Command::Scopes(_) | Command::Config(_) | Command::Init(_) => Ok(Exit::Done),
    }
}

/// Ends when the person presses ctrl-C or the system asks the program to end; where the system cannot say so, never.
async fn interrupted() {
    let terminated = async {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            if let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
            {
                tokio::select! {
                    _ = terminate.recv() => return,
                    _ = hangup.recv() => return,
                }
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
