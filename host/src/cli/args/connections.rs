//! What is asked of the connections there are.

use std::path::PathBuf;

use clap::Subcommand;

use super::EXIT_CODES;
use crate::store::ConnectionState;
use crate::usual;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host connections
  connector-host connections list --state reauth_required
  connector-host connections show customer-17")]
pub(in crate::cli) struct Connections {
    /// What to do
    #[command(subcommand)]
    pub(in crate::cli) action: Option<ConnectionsAction>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConnectionsAction {
    /// Show all of them, a line each
    List(ListConnections),
    /// Show everything about one: state, profile, scopes, abilities
    Show {
        /// The connection: its id, the beginning of it, its reference, or the account's handle or name
        connection: String,
    },
    /// Take connections over from another program, which are then held
    ///
    /// A refresh token that is used once has one owner: two programs that refresh with it lose it. So the order is: (1) import; (2) stop the
    /// old owner from refreshing; (3) import once more, with the newest tokens; (4) `connections adopt`. Until then nothing is sent with what
    /// was imported.
    ///
    /// The file has one JSON object a line, with the keys `tenant`, `reference`, `account_id`, `access_token`, `refresh_token`,
    /// `expires_at`, `refresh_expires_at` and `granted_scopes`. Needed are `account_id` and one of the tokens. Times are written as 2026-11-22T12:00:00Z or as
    /// seconds since 1970. A line that is no good fails alone. Importing a file twice changes nothing, and a connection that works here is
    /// never overwritten. With `--json` each line has one object for its result, and the last object is the summary.
    Import(Import),
    /// Give connections to another program, and hold them here
    ///
    /// The file holds tokens that work: keep it from everybody, and delete it. It is what `connections import` reads. Each connection is held
    /// here from then on, because two owners of one refresh token lose it. The order is: (1) export; (2) import there; (3) adopt there. To take
    /// one back: stop the new owner, import its newest tokens here, then `connections adopt`.
    Export(Export),
    /// Take connections that are held into use
    ///
    /// From then on they are refreshed here, so nobody else may any more. The order is: (1) import; (2) stop the old owner from refreshing;
    /// (3) import once more, with the newest tokens; (4) adopt.
    Adopt(Adopt),
    /// Erase one account for good: its access, its connection, its history
    ///
    /// Its access is revoked first, now. What stays is the record that something was erased, and earlier records, which name nobody.
    Purge(Purge),
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXIT_CODES)]
pub(in crate::cli) struct ListConnections {
    /// Only those in this state: `active`, `held`, `reauth_required`, `disconnecting` or `disconnected`. With `reauth_required` the exit code is
    /// 3 when there are any, for a program that tells somebody
    #[arg(long)]
    pub(in crate::cli) state: Option<ConnectionState>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Import {
    /// The file to read, or - for standard input
    pub(in crate::cli) file: PathBuf,
    /// The platform, as `list` names it
    #[arg(long)]
    pub(in crate::cli) platform: String,
    /// The app of the configuration that the tokens were made under
    #[arg(long, default_value = usual::APP, value_name = "NAME")]
    pub(in crate::cli) app: String,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Export {
    /// The file to make, which must not be there yet, or - for standard output
    pub(in crate::cli) file: PathBuf,
    /// The platform, as `list` names it
    #[arg(long)]
    pub(in crate::cli) platform: String,
    /// The app of the configuration
    #[arg(long, default_value = usual::APP, value_name = "NAME")]
    pub(in crate::cli) app: String,
    /// Also export what is held here already
    #[arg(long)]
    pub(in crate::cli) held: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Adopt {
    /// The connection: its id, the beginning of it, its reference, or the account's id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(in crate::cli) connection: Option<String>,
    /// All that were imported, of one platform; what was exported from here is adopted by name alone
    #[arg(long, requires = "platform")]
    pub(in crate::cli) all: bool,
    /// The platform, as `list` names it
    #[arg(long, requires = "all")]
    pub(in crate::cli) platform: Option<String>,
    /// Also if it was exported from here: nobody else has imported it, or whoever did never refreshes it again
    #[arg(long, conflicts_with = "all")]
    pub(in crate::cli) exported: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Purge {
    /// The connection: its id, the beginning of it, its reference, or the account's handle or name
    pub(in crate::cli) connection: String,
    /// Really do it
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Also if its access cannot be revoked, and stays alive at the platform
    #[arg(long)]
    pub(in crate::cli) leave_access: bool,
}
