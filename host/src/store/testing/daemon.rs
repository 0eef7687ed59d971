//! A server in the background, which ends with the process that started it, however that ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// The servers refuse to run as the super-user.
const USER: &str = "postgres";

/// A server, and the directory it has for itself. It stops when this is dropped.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) dir: PathBuf,
    /// The script waits for its end, which comes with ours.
    alive: ChildStdin,
    _script: Child,
}

impl Daemon {
    /// Runs a script that makes a directory, starts a server in it, writes one line with its path, waits for the end of its input, and
    /// clears up.
    pub(super) fn start(script: &str, args: &[&Path]) -> Self {
        let mut command = as_user();
        command.args(["-c", script, "sh"]).args(args).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut script = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (alive, said) = (script.stdin.take(), script.stdout.take());
        let (Some(alive), Some(said)) = (alive, said) else { panic!("{command:?} has no pipes") };
        Self { dir: ready(said), alive, _script: script }
    }

    /// Gives the script a line to read.
    pub(super) fn order(&self, order: &str) {
        let written = (&self.alive).write_all(format!("{order}\n").as_bytes());
        written.unwrap_or_else(|error| panic!("the server takes no order: {error}"));
    }
}

/// The directory, once the server takes connections.
fn ready(said: std::process::ChildStdout) -> PathBuf {
    let (mut said, mut line) = (BufReader::new(said), String::new());
    let read = said.read_line(&mut line);
    if let Some(dir) = line.trim_end().strip_prefix("ready ") {
        return dir.into();
    }
    let rest = said.read_to_string(&mut line);
    panic!("the server did not start ({read:?}, {rest:?}): {line}");
}

fn as_user() -> Command {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root {
        return Command::new("sh");
    }
    let mut command = Command::new("runuser");
    command.args(["-u", USER, "--", "sh"]);
    command
}

/// The directory that holds all these programs: the first of those given and those in `PATH`.
pub(super) fn find(programs: &[&str], elsewhere: Vec<PathBuf>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs = elsewhere.into_iter().chain(std::env::split_paths(&path));
    dirs.find(|dir| programs.iter().all(|program| dir.join(program).is_file()))
}
