//! What is asked about connect links.

use clap::Subcommand;
use jiff::SignedDuration;

use super::parse_duration;
use crate::links::ReturnUrl;
use crate::public_url::PublicUrl;
use crate::store::ConnectLinkState;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host links list --state open
  connector-host links create <platform> --reference customer-17 --dry-run
  connector-host links create <platform> --reference customer-17 --return-url https://shop.example/linked")]
pub(in crate::cli) struct Links {
    /// What to do
    #[command(subcommand)]
    pub(in crate::cli) action: LinksAction,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LinksAction {
    /// Show those there are, the latest first
    ///
    /// Each is kept for thirty days after its time. The address of none is shown again.
    List {
        /// Only those in this state: `open`, `started`, `failed`, `connected`, `waiting`, `cancelled` or `expired`
        #[arg(long)]
        state: Option<ConnectLinkState>,
        /// The latest ones, so many
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: u32,
    },
    /// Make a link for one person, and print it once
    ///
    /// The person opens it in their own browser and connects an account there, with no login here. The first browser that uses it has it. A
    /// `serve` on the same data has to be reachable for that browser.
    Create(Box<CreateLink>),
    /// Take a link back
    Cancel {
        /// The link's id
        link: String,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CreateLink {
    /// The platform, as `list` names it
    pub(in crate::cli) platform: String,
    /// The app of the configuration
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub(in crate::cli) app: String,
    /// Your own id for the connection, such as a customer's number
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reference: Option<String>,
    /// Where the browser goes in the end, with `connection_id` or `error` [default: a page that says how it ended]
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) return_url: Option<ReturnUrl>,
    /// After how long it is of no use, such as 30m or 2d, up to 7d
    #[arg(long, default_value = "24h", value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli) expires_in: SignedDuration,
    /// What browsers call the host [default: that of the `serve` that runs on this data]
    #[arg(long, env = "CONNECTOR_PUBLIC_URL", value_name = "URL")]
    pub(in crate::cli) public_url: Option<PublicUrl>,
    /// Show what it would ask for, where the platform sends the browser back to, and when it would end; make nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}
