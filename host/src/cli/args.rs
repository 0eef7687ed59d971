use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};
use jiff::SignedDuration;
use url::Url;

/// Links people's social accounts, keeps the links alive, and reads honest metrics.
///
/// Without an account anywhere, begin with `connector-host demo`. With an app of your own, `connector-host init <platform>` says what to
/// do. Every command takes `--emulator`, which puts it on a local stand-in for the platform, with data of its own.
#[derive(Debug, Parser)]
#[command(
    name = "connector-host",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 a person has to act, 4 platform out of reach, 130 ctrl-C."
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Global {
    /// The operator's configuration: apps and scopes [default: social-platforms.toml in the user's configuration directory]
    #[arg(long, global = true, env = "CONNECTOR_CONFIG", value_name = "FILE", help_heading = "Global options")]
    pub(super) config: Option<PathBuf>,
    /// One more configuration file over it; may be repeated, the last one on top
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(super) overlay: Vec<PathBuf>,
    /// Where connections and keys are kept [default: the user's data directory]
    #[arg(long, global = true, env = "CONNECTOR_DATA_DIR", value_name = "DIR", help_heading = "Global options")]
    pub(super) data_dir: Option<PathBuf>,
    /// Use the platforms' emulators on this machine, with data of their own
    #[arg(long, global = true, help_heading = "Global options")]
    pub(super) emulator: bool,
    /// Whose connections these are
    #[arg(long, global = true, default_value = "default", value_name = "NAME", help_heading = "Global options")]
    pub(super) tenant: String,
    /// Print data as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub(super) json: bool,
    /// Print results only
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub(super) quiet: bool,
    /// Say more, such as which files are read; twice for a trace of what is done
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub(super) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the platforms, what they can do, and what they lack to be used
    List(List),
    /// Show the scopes of a platform, what each unlocks, and whether an app asks for it
    Scopes(Scopes),
    /// Connect an account in the browser
    Connect(Connect),
    /// Ask the person of a connection again, for everything the configuration wants
    Reconnect(Reconnect),
    /// Give a connection up, here and at the platform
    Disconnect(Disconnect),
    /// Show connections, their state and what they lack
    Connections(Connections),
    /// Show counts of connected accounts: fresh ones are stored, older ones fetched
    Metrics(Metrics),
    /// Check the configuration, or show what it says and which file says so
    Config(Config),
    /// Print a configuration to begin with, and what to do in the platform's portal
    Init(Init),
    /// Run a platform's emulator until it is stopped
    Emulator(Emulator),
    /// Play the whole story on an emulator: connect, metrics, more scopes by configuration alone, ask again
    Demo(Demo),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {}

#[derive(Debug, clap::Args)]
pub(super) struct Scopes {
    /// What to do
    #[command(subcommand)]
    pub(super) action: Option<ScopesAction>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ScopesAction {
    /// List them
    List {
        /// Of this platform only
        platform: Option<String>,
    },
}

/// How a person is sent to the platform and back.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Browse {
    /// Print the address instead of opening a browser; the redirect may also be pasted here
    #[arg(long)]
    pub(super) no_browser: bool,
    /// Print the address that would be opened, and start nothing
    #[arg(long)]
    pub(super) print_url: bool,
    /// The port to listen on for the redirect [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
    /// The redirect URI registered for the app, for an app of the kind web
    #[arg(long, value_name = "URI")]
    pub(super) redirect_uri: Option<Url>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  connector-host connect <platform> --reference customer-17\n  connector-host connect <platform> --emulator --no-browser"
)]
pub(super) struct Connect {
    /// The platform, as `list` names it
    pub(super) platform: String,
    /// The app of the configuration
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub(super) app: String,
    /// Your own id for the connection
    #[arg(long, value_name = "TEXT")]
    pub(super) reference: Option<String>,
    #[command(flatten)]
    pub(super) browse: Browse,
}

#[derive(Debug, clap::Args)]
pub(super) struct Reconnect {
    /// The connection: its id, the beginning of it, its reference, or the account's handle or name
    pub(super) connection: String,
    /// Accept another account than the connection's, and connect it as well
    #[arg(long)]
    pub(super) other_account: bool,
    #[command(flatten)]
    pub(super) browse: Browse,
}

#[derive(Debug, clap::Args)]
pub(super) struct Disconnect {
    /// The connection: its id, the beginning of it, its reference, or the account's handle or name
    pub(super) connection: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Connections {
    /// What to do
    #[command(subcommand)]
    pub(super) action: Option<ConnectionsAction>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConnectionsAction {
    /// List them
    List,
    /// Show everything about one
    Show {
        /// The connection: its id, the beginning of it, its reference, or the account's handle or name
        connection: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Metrics {
    /// The connection: its id, the beginning of it, its reference, or the account's handle or name [default: all]
    pub(super) connection: Option<String>,
    /// How old a stored value may be, such as 30s, 15m, 6h
    #[arg(long, default_value = "15m", value_name = "TIME", value_parser = parse_duration)]
    pub(super) max_age: SignedDuration,
}

#[derive(Debug, clap::Args)]
pub(super) struct Config {
    /// What to do
    #[command(subcommand)]
    pub(super) action: Option<ConfigAction>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigAction {
    /// Say whether the configuration is right, and what is wrong
    Check,
    /// Print what the configuration says, all files together
    Show {
        /// Also print which file says so
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// The platform, as `list` names it [default: all]
    pub(super) platform: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Emulator {
    /// The platform, as `list` names it
    pub(super) platform: String,
    /// The port to listen on [default: the one it had last, else a free one]
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// The platform whose story is told [default: the first that has one]
    pub(super) platform: Option<String>,
}

/// Reads a duration with one unit: `30s`, `15m`, `6h`, `2d`, or plain `0`.
fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "" if digits == "0" => 0,
        _ => return Err("write a number and a unit: 30s, 15m, 6h or 2d".to_owned()),
    };
    let number: u32 = digits.parse().map_err(|_| "write a number and a unit: 30s, 15m, 6h or 2d".to_owned())?;
    Ok(SignedDuration::from_secs(i64::from(number) * seconds))
}
