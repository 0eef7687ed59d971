mod api_keys;
mod connections;
mod events;
mod links;
mod plan;
mod serve;
mod upkeep;
mod users;

use std::convert::Infallible;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use connector_core::Secret;
use jiff::SignedDuration;
use url::Url;

use crate::store::InstanceName;
use crate::usual;

pub(super) use self::api_keys::{ApiKeys, ApiKeysAction, CreateApiKey};
pub(super) use self::connections::{Adopt, Connections, ConnectionsAction, Export, Import, ListConnections, Purge};
pub(super) use self::events::{Events, EventsAction, OpenNetworks, ReceiversAction};
pub(super) use self::links::{CreateLink, Links, LinksAction};
pub(super) use self::plan::{Docs, Plan};
pub(super) use self::serve::Serve;
pub(super) use self::upkeep::{Audit, Backup, Restore, Store, StoreAction, Tokens, TokensAction, Vault, VaultAction};
pub(super) use self::users::{Admin, AdminAction, PasswordSource, Users, UsersAction};

/// The exit codes, where a program reads them.
const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    wrong usage or configuration
  3    a person has to act: consent was refused, an account has to be connected
       again, a scope is not granted, or the platform restricts the account
  4    the platform is out of reach or asks to wait; try again
  78   `serve` would be within reach of others with no protection, or its certificate
       or the hash of the admin's password is of no use
  130  stopped by ctrl-C";

const CONNECT_EXAMPLES: &str = "\
Examples:
  connector-host connect <platform> --reference customer-17
  connector-host connect <platform> --emulator --no-browser";

const METRICS_EXAMPLES: &str = "\
Examples:
  connector-host metrics
  connector-host metrics customer-17 --max-age 1h --json";

/// Whose connections they are unless somebody says.
pub(super) use crate::usual::TENANT;

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
    after_help = "`connector-host <command> --help` says more, with examples and every option.",
    after_long_help = EXIT_CODES
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes. The short help shows what changes the meaning of a command, the long one all of it.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The operator's configuration: apps and scopes [default: social-platforms.toml in the user's configuration directory]
    #[arg(long, global = true, env = "CONNECTOR_CONFIG", value_name = "FILE", hide_short_help = true)]
    pub(super) config: Option<PathBuf>,
    /// One more configuration file over it; may be repeated, the last one on top
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(super) overlay: Vec<PathBuf>,
    /// Where connections and keys are kept [default: the user's data directory]
    #[arg(long, global = true, env = "CONNECTOR_DATA_DIR", value_name = "DIR", hide_short_help = true)]
    pub(super) data_dir: Option<PathBuf>,
    /// The name of this installation, such as `prod`. The first start with a name keeps it in the store; from then on a start under
    /// another name, such as on a copy of the data, only shows what is stored
    #[arg(long, global = true, env = "CONNECTOR_INSTANCE", value_name = "NAME", hide_short_help = true)]
    pub(super) instance: Option<InstanceName>,
    /// The `PostgreSQL` database that several processes share, as postgres://USER:PASSWORD@HOST:PORT/DATABASE [default: a file in the data
    /// directory]. Other users of this machine see what is in a command line: give a URL with a password by the variable. The key file
    /// stays in the data directory of each machine, and has to be the same on all
    #[arg(
        long,
        global = true,
        env = "CONNECTOR_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        value_parser = secret,
        hide_short_help = true
    )]
    pub(super) database: Option<Secret>,
    /// The file with the keys that tokens are sealed with [default: vault.key in the data directory]. The keys themselves may be in
    /// `CONNECTOR_VAULT_KEY` instead, or in the systemd credential `vault.key`. An emulator's data always has a file of its own
    #[arg(long, global = true, env = "CONNECTOR_VAULT_KEY_FILE", value_name = "FILE", hide_short_help = true)]
    pub(super) vault_key: Option<PathBuf>,
    /// Use the platforms' emulators on this machine, with data of their own
    #[arg(long, global = true)]
    pub(super) emulator: bool,
    /// Whose connections these are: a customer or a team of your product. A connection made for one tenant is seen by no command for
    /// another. Whoever has only one set of connections never needs it
    #[arg(long, global = true, default_value = TENANT, value_name = "NAME", hide_short_help = true, value_parser = NonEmptyStringValueParser::new())]
    pub(super) tenant: String,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Print results only
    #[arg(short, long, global = true, hide_short_help = true)]
    pub(super) quiet: bool,
    /// Say more, such as which files are read; twice for a trace of what is done
    #[arg(short, long, global = true, action = ArgAction::Count, hide_short_help = true)]
    pub(super) verbose: u8,
    /// The form of the log on standard error: lines for people, or a JSON object a line
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT", hide_short_help = true)]
    pub(super) log_format: LogFormat,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl Command {
    /// Whether its exit code 2 says something else than that the configuration is wrong.
    pub(super) fn is_plan(&self) -> bool {
        matches!(self, Self::Config(Config { action: Some(ConfigAction::Plan(_)) }))
    }
}

impl Config {
    /// Whether the files say all of it: nothing has to be waited for.
    pub(super) fn is_in_files(&self) -> bool {
        matches!(self.action, None | Some(ConfigAction::Check | ConfigAction::Show { .. }))
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the platforms, what they can do, and what they lack to be used
    ///
    /// Reads the configuration alone: nothing is sent, and no data directory is needed.
    List(List),
    /// Show the scopes of a platform, what each unlocks, and which app asks for it
    ///
    /// What an app asks for is its list `scopes` in the configuration, without what is under `pending`. To ask for more, add a scope there;
    /// `connections` then says who is to be asked again.
    Scopes(Scopes),
    /// Connect an account in the browser
    ///
    /// A browser opens at the platform, a person allows what the app asks for, and the browser comes back to this program. An account that is
    /// connected already keeps its connection's id and its history.
    Connect(Connect),
    /// Ask the person of a connection again, for everything the configuration wants
    ///
    /// For a connection that `connections` shows as `reauth_required`, or whose app has come to want more scopes. The connection keeps its id
    /// and its history; another account than its own is refused.
    Reconnect(Reconnect),
    /// Give a connection up, here and at the platform
    ///
    /// Its tokens are unusable at once. The platform is told; should it be out of reach, later commands tell it. Where other connections use
    /// the same access, it stays until the last one is given up.
    Disconnect(Disconnect),
    /// Show connections, their state and what they lack
    ///
    /// The list has one line for each, and a hint where a person has to be asked again. `show` has everything about one: its scopes, and what
    /// it can be used for.
    Connections(Connections),
    /// Show counts of connected accounts: fresh ones are stored, older ones fetched
    ///
    /// Each count comes with its age. One that cannot be had says why, and is never 0 instead.
    Metrics(Metrics),
    /// Show what the store is, or make it this installation's
    ///
    /// A store belongs to the installation that `--instance` names. A copy of it that is started elsewhere only shows what is stored, because
    /// a refresh token can be used by one of the two only.
    Store(Store),
    /// Copy the store into a file, while others use it
    ///
    /// The key file is not in it: without it the copy is of no use, and with it the copy is all that is needed, so keep the two apart. A
    /// database on a server is copied by its own tools, such as `pg_dump`; after one of those copies is restored, run `store restored`.
    Backup(Backup),
    /// Put a backup in place of the store
    ///
    /// Nothing else may use the store meanwhile. What is there is kept aside. Refresh tokens that were used since the backup was made are
    /// spent: those connections are named, and their next use asks the platform once.
    Restore(Restore),
    /// Show what happened, the latest last
    ///
    /// Every consent, refresh, change of a state, import, export and disconnect is on record, with no secret in it. Records are added and
    /// never changed.
    Audit(Audit),
    /// Refresh the tokens that are due, once, as a scheduler would ask for
    ///
    /// Access is kept alive while nobody uses it, doubts are settled, and revocations that are pending are tried again. Any number of these may
    /// run at the same time, also beside `serve`.
    Tokens(Tokens),
    /// Show the keys that programs show the API, make one, or take one back
    ///
    /// A key says for whose connections it is and what it allows. Its secret is printed when it is made and never again: the store has a
    /// digest alone.
    ApiKeys(ApiKeys),
    /// Make somebody an admin of the pages, whether or not a host runs
    Admin(Admin),
    /// Show who may sign in to the pages, add somebody, or shut somebody out
    ///
    /// An admin sees every tenant, a member one of them.
    Users(Users),
    /// Make a link for a person who has no login here, or take one back
    Links(Links),
    /// Show what a product is told, send it again, forward it to a program of yours, or say who is told
    ///
    /// An event tells of a connection that is new, stands otherwise than before, was given up, or was counted. A running `serve` sends each,
    /// signed, to every receiver of the tenant, for up to 72 hours.
    Events(Events),
    /// Keep access alive until it is stopped, and tell how it goes
    ///
    /// Does what `tokens refresh --due` does, again and again. GET /healthz, /readyz and /metrics (`OpenMetrics`) say how it goes. When it is
    /// stopped it begins nothing more, and ends once what is under way is through; a second signal ends it at once.
    ///
    /// A changed configuration is taken up as soon as its files are written, on a hangup, and by `config reload`; one that is wrong is
    /// refused, and the one before stays in use.
    Serve(Serve),
    /// Check the configuration, show what it says and which file says so, plan a change of it, or have a running `serve` take it up
    ///
    /// Read are the built-in file, the operator's file over it, and each `--overlay` over that. Secrets are not in it, only where they are.
    Config(Config),
    /// Print the lists of platforms and scopes for your docs, or keep them fresh in files
    ///
    /// They follow from what is linked and the configuration. In a Markdown file a list stands between the lines `<!-- generated: NAME -->` and
    /// `<!-- /generated -->`; names are `platforms`, `scopes`, `scopes <platform>`, and `findings` for what `doctor` can find. Without a file all of
    /// them are printed.
    Docs(Docs),
    /// Find what keeps this installation from working, or soon may, and say what to do about each
    ///
    /// Looks at the configuration, the credentials of the apps, redirect URIs, the way to the platforms, files and their modes, keys, store and
    /// connections, and changes nothing. Each host of a platform is asked once for the head of an answer, with no token and no credential; with
    /// `--offline` nothing is sent at all. Exit code 0: nothing, or notes alone; 3: somebody has to do something.
    Doctor(Doctor),
    /// Print a configuration to begin with, and what to do in the platform's portal
    ///
    /// The checklist is in the comments. It is always a file, also with `--json`.
    Init(Init),
    /// Run a platform's emulator until it is stopped
    ///
    /// Commands with `--emulator` start one for themselves. One that keeps running is for a program of your own, and for looking at its page in
    /// a browser; commands on the same data directory then use it.
    Emulator(Emulator),
    /// Show the keys that tokens are sealed with, or replace them while hosts run
    ///
    /// A rotation adds a key and seals everything anew with it; hosts that run meanwhile take the new key over by themselves. `retire` then
    /// takes the older key away.
    Vault(Vault),
    /// Play the whole story on an emulator: connect, metrics, more scopes by configuration alone, ask again
    ///
    /// Needs no account, and shows the command for each step. It plays in `demo` under the data directory and leaves everything there.
    Demo(Demo),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host list
  connector-host list --emulator --json")]
pub(super) struct List {}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host scopes
  connector-host scopes list <platform> --json")]
pub(super) struct Scopes {
    /// What to do
    #[command(subcommand)]
    pub(super) action: Option<ScopesAction>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ScopesAction {
    /// Show every scope that the configuration describes, or those of one platform
    List {
        /// The platform, as `list` names it [default: all]
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
    #[arg(long, value_name = "URI", value_parser = connector_core::config::read_redirect_uri)]
    pub(super) redirect_uri: Option<Url>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = CONNECT_EXAMPLES, after_long_help = format!("{CONNECT_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Connect {
    /// The platform, as `list` names it
    pub(super) platform: String,
    /// The app of the configuration
    #[arg(long, default_value = usual::APP, value_name = "NAME")]
    pub(super) app: String,
    /// Your own id for the connection, such as a customer's number; later commands take it in place of the connection's id
    #[arg(long, value_name = "TEXT")]
    pub(super) reference: Option<String>,
    #[command(flatten)]
    pub(super) browse: Browse,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host reconnect customer-17
  connector-host reconnect customer-17 --no-browser
  connector-host reconnect --all-needed --print-urls")]
pub(super) struct Reconnect {
    /// The connection: its id, the beginning of it, its reference, or the account's handle or name
    #[arg(required_unless_present = "all_needed", conflicts_with = "all_needed")]
    pub(super) connection: Option<String>,
    #[command(flatten)]
    pub(super) all: Everybody,
    /// Accept another account than the connection's, and connect it as well
    #[arg(long)]
    pub(super) other_account: bool,
    #[command(flatten)]
    pub(super) browse: Browse,
}

/// Which connections are meant when none is named.
#[derive(Debug, clap::Args)]
pub(super) struct Everybody {
    /// Every connection that is `reauth_required`, or that would gain by asking again: one after the other
    #[arg(long, conflicts_with = "print_url")]
    pub(super) all_needed: bool,
    /// Print an address for each at once, and take whichever person comes back until all have, or this is stopped
    #[arg(long, requires = "all_needed")]
    pub(super) print_urls: bool,
    /// Of this platform only
    #[arg(long, requires = "all_needed", value_name = "PLATFORM")]
    pub(super) platform: Option<String>,
    /// Of this app only
    #[arg(long, requires = "all_needed", value_name = "NAME")]
    pub(super) app: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host disconnect customer-17
  connector-host disconnect customer-17 --json")]
pub(super) struct Disconnect {
    /// The connection: its id, the beginning of it, its reference, or the account's handle or name
    pub(super) connection: String,
}

#[derive(Debug, clap::Args)]
#[command(after_help = METRICS_EXAMPLES, after_long_help = format!("{METRICS_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Metrics {
    /// The connection: its id, the beginning of it, its reference, or the account's handle or name [default: all]
    pub(super) connection: Option<String>,
    /// How old a stored value may be, such as 30s, 15m, 6h; 0 fetches all anew [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) max_age: Option<SignedDuration>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host config check --overlay more-scopes.toml
  connector-host config show --origin
  connector-host config plan more-scopes.toml
  connector-host config reload")]
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
    /// Say what a file would mean for the connections there are, before it is used
    ///
    /// The configuration as it is, is compared with the one that the file would make, over every connection of the store, whosever it is:
    /// whom asking again would help, what would be missing until then, and what people have granted beyond the lists. Nothing is changed,
    /// and nothing is sent.
    ///
    /// The file is laid over the present configuration like one more `--overlay`. An overlay takes no app, platform or definition of a scope
    /// away; a file that is an edited copy of the operator's own does, and is compared with `--replace`.
    Plan(Plan),
    /// Have the `serve` that runs on this data read its files anew
    ///
    /// It reads the files it was started with, and takes them up whole or not at all: then it goes on as it is, and what is wrong is printed
    /// here (exit code 2). It does the same by itself when one of the files changes, and on a hangup.
    Reload,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host doctor
  connector-host doctor --offline --json")]
pub(super) struct Doctor {
    /// Send nothing: leave out whether the platforms can be reached and what time it is there
    #[arg(long)]
    pub(super) offline: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host init <platform>
  connector-host init > social-platforms.toml")]
pub(super) struct Init {
    /// The platform, as `list` names it [default: all]
    pub(super) platform: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host emulator <platform>
  connector-host emulator <platform> --port 9000 --json")]
pub(super) struct Emulator {
    /// The platform, as `list` names it
    pub(super) platform: String,
    /// The port to listen on [default: the one it had last, else a free one]
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host demo
  connector-host demo <platform> --data-dir playground")]
pub(super) struct Demo {
    /// The platform whose story is told [default: the first that has one]
    pub(super) platform: Option<String>,
}

/// Takes what must not be repeated in an error.
#[expect(clippy::unnecessary_wraps, reason = "the command line asks for a result")]
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::from(text))
}

/// Reads a duration with one unit: `30s`, `15m`, `6h`, `2d`, or plain `0`.
pub(super) fn parse_duration(text: &str) -> Result<SignedDuration, String> {
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
