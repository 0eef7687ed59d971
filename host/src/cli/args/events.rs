//! What is asked about events.

use clap::Subcommand;
use connector_core::http::Network;
use url::Url;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host events receivers add https://shop.example/hooks --types connection.state_changed,connection.disconnected
  connector-host events list --dead
  connector-host events listen --forward-to http://localhost:3000/hooks")]
pub(in crate::cli) struct Events {
    /// What to do
    #[command(subcommand)]
    pub(in crate::cli) action: EventsAction,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum EventsAction {
    /// Show events of the last 30 days, the latest last, and what became of each
    List {
        /// The connection: its id, the beginning of it, its reference, or the account's handle or name [default: all]
        #[arg(long, value_name = "CONNECTION")]
        connection: Option<String>,
        /// Those only that a receiver did not get within 72 hours
        #[arg(long)]
        dead: bool,
        /// The latest ones, so many
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
    },
    /// Send an event again, or all that a receiver did not get in time
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Resend {
        /// The event's id
        #[arg(group = "which")]
        event: Option<String>,
        /// All that a receiver did not get in time
        #[arg(long, group = "which")]
        dead: bool,
    },
    /// Send each new event to a program on this machine, until it is stopped
    ///
    /// For development: the signing secret is printed first. Receivers get what they get all the same.
    Listen {
        /// Where to, such as <http://localhost:3000/hooks>
        #[arg(long, value_name = "URL")]
        forward_to: Url,
    },
    /// Show who is told of events, add somebody, or remove one
    Receivers {
        /// What to do
        #[command(subcommand)]
        action: Option<ReceiversAction>,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ReceiversAction {
    /// Show every receiver
    List,
    /// Add a receiver, and print its signing secret once
    Add {
        /// Where events are sent: https, and a public address
        url: String,
        /// Which types of events, with commas between [default: all]
        #[arg(long, value_name = "TYPE,..", value_delimiter = ',')]
        types: Vec<String>,
        #[command(flatten)]
        open: OpenNetworks,
    },
    /// Give a receiver a new secret, and print it once; for a day events are signed with both
    RotateSecret {
        /// The receiver's id
        receiver: String,
    },
    /// Remove a receiver, with what was on its way there
    Remove {
        /// The receiver's id
        receiver: String,
    },
}

/// What receivers may reach besides public addresses.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct OpenNetworks {
    /// Let receivers of events be in this network too, such as 10.1.0.0/16 or 127.0.0.0/8; may be repeated
    #[arg(long, env = "CONNECTOR_PRIVATE_RECEIVERS", value_name = "CIDR", value_delimiter = ',')]
    pub(in crate::cli) allow_private_receivers: Vec<Network>,
}
