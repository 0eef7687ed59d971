//! Passwords as people give them to a command: by a file, or at the terminal where nobody sees them.

use std::io::{BufRead as _, IsTerminal as _, Read};
use std::path::Path;

use connector_core::Secret;

use super::args::PasswordSource;
use super::output::Output;
use crate::error::{Error, Result};
use crate::private_files::{self, Access};

/// The most that is read.
const LARGEST: u64 = 64 * 1024;

/// A password, by the way that was chosen.
///
/// # Errors
/// When there is none to be had that way.
pub(super) async fn read(source: &PasswordSource, output: Output) -> Result<Secret> {
    match &source.password_file {
        Some(path) if path == Path::new("-") => of_input("standard input").await,
        Some(path) => of_file(path),
        None => at_terminal(output).await,
    }
}

/// The first line that somebody types or sends. An order to stop is heard meanwhile.
async fn of_input(name: &'static str) -> Result<Secret> {
    let read = tokio::task::spawn_blocking(move || first_line(std::io::stdin().lock(), name)).await;
    read.map_err(|_| Error::Machine(format!("{name} cannot be read")))?
}

/// The first line of a file that nobody else may read.
///
/// # Errors
/// When there is no such file, others may read it, or it holds no line.
pub(super) fn of_file(path: &Path) -> Result<Secret> {
    let name = format!("`{}`", path.display());
    let file = private_files::open(path, Access::Handed)?;
    first_line(file.ok_or_else(|| Error::Request(format!("there is no file {name}")))?, &name)
}

fn first_line(from: impl Read, name: &str) -> Result<Secret> {
    let mut line = String::new();
    let read = std::io::BufReader::new(from.take(LARGEST)).read_line(&mut line);
    let line = Secret::from(line);
    read.map_err(|error| Error::Machine(format!("{name} cannot be read: {error}")))?;
    match line.expose().trim_end_matches(['\r', '\n']) {
        "" => Err(Error::Request(format!("{name} begins with an empty line, and not with what is needed"))),
        text => Ok(Secret::from(text)),
    }
}

/// Asks twice: nobody sees what is typed.
async fn at_terminal(output: Output) -> Result<Secret> {
    if !std::io::stdin().is_terminal() {
        let why = "there is no terminal to ask for the password at: pass --password-file FILE, or - for standard input";
        return Err(Error::Request(why.to_owned()));
    }
    let first = hidden("Password, of at least 12 characters: ", output).await?;
    if hidden("Once more: ", output).await?.matches(first.expose()) {
        return Ok(first);
    }
    Err(Error::Request("the two passwords are not the same: nothing was changed".to_owned()))
}

async fn hidden(question: &str, output: Output) -> Result<Secret> {
    output.note(question);
    let _hidden = terminal::Hidden::hide()?;
    of_input("the terminal").await
}

#[cfg(unix)]
mod terminal {
    use rustix::stdio::stdin;
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    use crate::error::{Error, Result};

    /// Nothing that is typed is shown for as long as this value lives.
    pub(super) struct Hidden(Termios);

    impl Hidden {
        pub(super) fn hide() -> Result<Self> {
            let failed = |error| Error::Machine(format!("the terminal cannot hide what is typed: {error}"));
            let before = tcgetattr(stdin()).map_err(failed)?;
            let mut hiding = before.clone();
            hiding.local_modes.remove(LocalModes::ECHO);
            tcsetattr(stdin(), OptionalActions::Flush, &hiding).map_err(failed)?;
            Ok(Self(before))
        }
    }

    impl Drop for Hidden {
        fn drop(&mut self) {
            // There is nothing else to be done about a terminal that has gone away.
            let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
        }
    }
}

#[cfg(not(unix))]
mod terminal {
    use crate::error::{Error, Result};

    pub(super) struct Hidden;

    impl Hidden {
        pub(super) fn hide() -> Result<Self> {
            let why = "on this system nothing that is typed can be hidden: pass --password-file FILE, or - for standard input";
            Err(Error::Request(why.to_owned()))
        }
    }
}
