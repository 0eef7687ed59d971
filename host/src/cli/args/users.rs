//! What is asked about the people who sign in.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host admin create ada
  connector-host admin create ada --password-file - < password.txt")]
pub(in crate::cli) struct Admin {
    /// What to do
    #[command(subcommand)]
    pub(in crate::cli) action: AdminAction,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AdminAction {
    /// Add an admin, who sees every tenant, the settings and the users
    Create {
        /// What the admin signs in with
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
}

/// Where a password comes from.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PasswordSource {
    /// The file whose first line is the password, which nobody else may read; `-` reads standard input [default: ask at the terminal]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) password_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  connector-host users create grace --tenant acme
  connector-host users password grace
  connector-host users sign-out grace
  connector-host users hash-password --password-file password.txt")]
pub(in crate::cli) struct Users {
    /// What to do
    #[command(subcommand)]
    pub(in crate::cli) action: Option<UsersAction>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum UsersAction {
    /// Show everybody who ever could sign in
    List,
    /// Add a member, who sees the connections of one tenant, that of `--tenant`
    Create {
        /// What the member signs in with
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Give a user another password, and sign the user out everywhere
    Password {
        /// The user
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Let a user sign in no more, for good, and sign the user out everywhere
    Disable {
        /// The user
        name: String,
    },
    /// Sign a user out everywhere
    SignOut {
        /// The user
        name: String,
    },
    /// Print what is stored of a password, for `serve --admin-password-hash-file`
    ///
    /// Nothing is read and nothing is stored.
    HashPassword {
        #[command(flatten)]
        password: PasswordSource,
    },
}
