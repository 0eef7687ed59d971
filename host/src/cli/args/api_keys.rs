//! What is asked about API keys.

use std::collections::BTreeSet;

use clap::Subcommand;
use jiff::SignedDuration;

use super::parse_duration;
use crate::api_keys::Right;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host api-keys create shop-backend --rights connections:read,tokens:read --expires-in 90d
  connector-host api-keys create server --rights all --any-tenant
  connector-host api-keys revoke shop-backend")]
pub(in crate::cli) struct ApiKeys {
    /// What to do
    #[command(subcommand)]
    pub(in crate::cli) action: Option<ApiKeysAction>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ApiKeysAction {
    /// Show every key there ever was, and how it stands
    List,
    /// Make a key, and print its secret once
    ///
    /// The secret is alone on standard output, so that it can be sent straight to where it is kept. Only a digest of it is stored: nobody can
    /// show it again. The key is for the connections of one tenant, that of `--tenant`, unless it is the key of a server.
    Create(CreateApiKey),
    /// Take a key back: whoever shows it is not let in any more
    Revoke {
        /// The key: its name or its id
        key: String,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CreateApiKey {
    /// What you call it; no other active key has the name
    pub(in crate::cli) name: String,
    /// What it allows, with commas between: connections:read, connections:write, tokens:read, metrics:read, config:read, audit:read,
    /// events:read, events:write; or all
    #[arg(long, value_name = "RIGHT,..", value_parser = rights)]
    pub(in crate::cli) rights: Option<BTreeSet<Right>>,
    /// Make the key of a server, which names the tenant with every request
    #[arg(long)]
    pub(in crate::cli) any_tenant: bool,
    /// After how long it is of no use, such as 12h or 90d [default: never]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(in crate::cli) expires_in: Option<SignedDuration>,
}

/// Reads `all`, or rights with commas between them.
fn rights(text: &str) -> Result<BTreeSet<Right>, String> {
    if text == "all" {
        return Ok(Right::ALL.into());
    }
    text.split(',').map(|word| word.trim().parse::<Right>().map_err(|why| format!("{why}; or all"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_words_with_commas_between() {
        assert_eq!(rights("all"), Ok(Right::ALL.into()));
        assert_eq!(rights("tokens:read"), Ok([Right::TokensRead].into()));
        let two = [Right::AuditRead, Right::TokensRead];
        assert_eq!(rights("tokens:read, audit:read,tokens:read"), Ok(two.into()));
        for text in ["", "tokens", "tokens:read,", "all,tokens:read", "tokens:read audit:read"] {
            let error = rights(text).unwrap_err();
            assert!(error.contains("connections:read") && error.ends_with("or all"), "{error}");
        }
    }

    #[test]
    fn the_help_names_every_right() {
        use clap::Args as _;
        let command = CreateApiKey::augment_args(clap::Command::new("create"));
        let about =
            command.get_arguments().find(|argument| argument.get_id() == "rights").and_then(clap::Arg::get_help);
        let about = about.map(ToString::to_string).unwrap_or_default();
        assert!(about.contains(&Right::list(Right::ALL, ", ")), "{about}");
    }
}
