use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host config plan more-scopes.toml
  git show main:social-platforms.toml > now.toml
  connector-host --config now.toml config plan --replace social-platforms.toml

Exit codes:
  0  nothing would change for any connection or person
  2  something would, or the options are wrong
  1  failed, or the file is wrong")]
pub(in crate::cli) struct Plan {
    /// The file
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    /// The file stands in place of the operator's, not over it; overlays stay over it
    #[arg(long)]
    pub(in crate::cli) replace: bool,
}
