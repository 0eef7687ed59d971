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

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host docs
  connector-host docs README.md
  connector-host docs --check --dir .")]
pub(in crate::cli) struct Docs {
    /// Files whose blocks are written anew
    #[arg(value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Every Markdown file in this directory and below that has a block
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) dir: Option<PathBuf>,
    /// Change nothing, name the blocks that are stale, and end with exit code 1 if there are any
    #[arg(long)]
    pub(in crate::cli) check: bool,
}
