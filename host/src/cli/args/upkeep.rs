//! What is asked of whoever looks after an installation: keeping access, the store, its keys, what happened.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};

use super::{EXIT_CODES, OpenNetworks, parse_duration};
use crate::cli::audit::Since;
use crate::keeper::Keep;
use crate::vault::KeyId;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
Examples:
  connector-host tokens refresh --due
  connector-host tokens refresh --due --max-in-flight 4 --json",
    after_long_help = format!("Examples:\n  connector-host tokens refresh --due\n  connector-host tokens refresh --due --max-in-flight 4 --json\n\n{EXIT_CODES}")
)]
pub(in crate::cli) struct Tokens {
    /// What to do
    #[command(subcommand)]
    pub(in crate::cli) action: TokensAction,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TokensAction {
    /// Refresh what is due
    ///
    /// Only what is due is refreshed: where a platform takes each refresh token once, every refresh is one more chance to lose an answer, so
    /// there is no way to refresh a token that is still good.
    Refresh {
        /// Everything that is due: tokens that would die, tokens of apps with `keep_fresh`, and those in doubt
        #[arg(long, required = true)]
        due: bool,
        /// How many connections are refreshed at the same time
        #[arg(long, default_value_t = Keep::MAX_IN_FLIGHT, value_name = "N")]
        max_in_flight: NonZeroUsize,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host serve
  connector-host serve --listen 127.0.0.1:9000 --every 1m --log-format json")]
pub(in crate::cli) struct Serve {
    /// Where to answer, on this machine alone; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    pub(in crate::cli) listen: String,
    /// How long after a pass the next one begins, such as 30s or 2m
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli) every: SignedDuration,
    /// How many connections are refreshed at the same time
    #[arg(long, default_value_t = Keep::MAX_IN_FLIGHT, value_name = "N")]
    pub(in crate::cli) max_in_flight: NonZeroUsize,
    /// How many refreshes begin in a second at most, also after hours of standstill
    #[arg(long, default_value = "20", value_name = "N", value_parser = parse_rate)]
    pub(in crate::cli) max_rate: NonZeroU32,
    /// Do not follow the configuration's files: read them anew on a hangup and on `config reload` alone
    #[arg(long)]
    pub(in crate::cli) no_watch: bool,
    #[command(flatten)]
    pub(in crate::cli) open: OpenNetworks,
}

fn parse_rate(text: &str) -> Result<NonZeroU32, String> {
    let rate = text.parse().ok().filter(|rate: &NonZeroU32| rate.get() <= Keep::MOST_PER_SECOND);
    rate.ok_or_else(|| format!("write a number from 1 to {}", Keep::MOST_PER_SECOND))
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host store show
  connector-host store adopt --instance prod
  connector-host store restored --since 2026-11-22T06:00:00Z")]
pub(in crate::cli) struct Store {
    /// What to do
    #[command(subcommand)]
    pub(in crate::cli) action: Option<StoreAction>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum StoreAction {
    /// Show where it is, whose it is, and how much is in it
    Show,
    /// Make it that of the installation that `--instance` names
    ///
    /// For when the installation it belongs to is gone for good: that one must never run again with its own copy of the data.
    Adopt {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Say that the database has been put back to an earlier state by other means than `restore`
    ///
    /// Every refresh token from before that time that can be used once only may be spent. Its next use asks the platform once.
    Restored {
        /// When the backup was made that was put back, such as 2026-11-22T06:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Timestamp,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host backup /media/backup/store-2026-11-22.db
  connector-host backup store.backup --data-dir playground")]
pub(in crate::cli) struct Backup {
    /// The file to make; there must be none of that name
    pub(in crate::cli) file: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host restore /media/backup/store-2026-11-22.db
  connector-host restore store.backup --json")]
pub(in crate::cli) struct Restore {
    /// The file that `backup` made
    pub(in crate::cli) file: PathBuf,
    /// Take a backup of another store than the one that is there
    #[arg(long)]
    pub(in crate::cli) other_instance: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host audit customer-17
  connector-host audit --event refresh_token_rejected --since 7d --json")]
pub(in crate::cli) struct Audit {
    /// The connection: its id, the beginning of it, its reference, or the account's handle or name; the whole id of one that was purged
    /// [default: all]
    pub(in crate::cli) connection: Option<String>,
    /// One kind of event only, such as `connected`, `token_refreshed`, `reauth_required`, `disconnected`
    #[arg(long, value_name = "EVENT")]
    pub(in crate::cli) event: Option<String>,
    /// From this time on, such as 2026-11-22T12:00:00Z, or how long ago: 30m, 6h, 2d
    #[arg(long, value_name = "TIME", value_parser = Since::parse)]
    pub(in crate::cli) since: Option<Since>,
    /// The latest ones, so many
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(in crate::cli) limit: u32,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host vault
  connector-host vault rotate
  connector-host vault retire")]
pub(in crate::cli) struct Vault {
    /// What to do
    #[command(subcommand)]
    pub(in crate::cli) action: Option<VaultAction>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum VaultAction {
    /// Show each key, how many sealed values use it, and where the keys come from
    Keys,
    /// Add a key and seal everything anew with it
    ///
    /// Keep a copy of the key file as it is before and after. To be stopped on the way costs nothing: everything opens at any moment, and
    /// `--resume` goes on.
    ///
    /// Keys that come from the environment or from a credential, and those of a database that several machines may share, are for you to
    /// write: `--to` makes the line of a new key. First put it behind the others on every host, then in front of them, start the hosts anew
    /// each time, and seal everything anew with `--resume`. Whoever has only one host puts it in front at once.
    Rotate {
        /// Add no key: go on with a rotation that was stopped
        #[arg(long, conflicts_with = "to")]
        resume: bool,
        /// Write the line of a new key to this new file, and change nothing else
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Take an older key away that nothing is sealed with any more
    ///
    /// Refused while any stored value uses it. A host that cannot reach the store holds an answer that it has sealed for up to a quarter of an
    /// hour: wait so long after the rotation. Keep a copy of the key for as long as you keep backups of the database from before the rotation.
    Retire {
        /// The key, as `vault keys` shows it [default: the only older one]
        key: Option<KeyId>,
    },
}
