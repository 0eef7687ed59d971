use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use serde_json::Value;
use url::Url;

const PROGRAM: &str = env!("CARGO_BIN_EXE_connector-host-lantern");

/// Where a command puts what is for a moment, in its home directory.
pub(crate) const TEMPORARY: &str = "tmp";

/// So long that only a program that hangs is cut off.
const DEADLINE: Duration = Duration::from_mins(1);

/// One command of the program, with nothing of this machine's environment but where programs are.
pub(crate) struct Cli {
    command: Command,
    said: Sender<String>,
}

impl Cli {
    /// A command with a home directory of its own. What it says is told.
    pub(crate) fn new(home: &Path, said: Sender<String>) -> Self {
        Self::of(Command::new(PROGRAM), home, said)
    }

    fn of(mut command: Command, home: &Path, said: Sender<String>) -> Self {
        command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TMPDIR", home.join(TEMPORARY));
        command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, said }
    }

    /// Adds arguments, split at spaces.
    pub(crate) fn args(mut self, args: &str) -> Self {
        self.command.args(args.split_whitespace());
        self
    }

    /// Adds one argument as it stands.
    pub(crate) fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Lays a file over the configuration.
    pub(crate) fn overlay(self, path: impl AsRef<Path>) -> Self {
        self.arg("--overlay").arg(path.as_ref())
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes a variable away again.
    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// The same command as `nohup` starts it.
    pub(crate) fn nohup(self) -> Self {
        self.in_shell("trap '' HUP; exec \"$0\" \"$@\"")
    }

    /// A shell in place of the command, which the script knows as `"$0" "$@"`.
    pub(crate) fn in_shell(self, script: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, PROGRAM]).args(self.command.get_args());
        Self::of(shell, self.command.get_current_dir().unwrap(), self.said)
    }

    /// Opens standard input, to paste into.
    pub(crate) fn with_input(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// Nothing can be written to standard error, as when its terminal is gone.
    pub(crate) fn without_err(mut self) -> Self {
        self.command.stderr(full());
        self
    }

    /// Nothing can be written to standard output.
    pub(crate) fn without_out(mut self) -> Self {
        self.command.stdout(full());
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let (tell, said) = mpsc::channel();
        if let Some(out) = child.stdout.take() {
            listen(out, tell.clone(), Said::Out);
        }
        if let Some(err) = child.stderr.take() {
            listen(err, tell, Said::Err);
        }
        let input = child.stdin.take();
        let shown = format!("{:?}", self.command.get_args().collect::<Vec<_>>());
        Running { child, input, said, out: String::new(), err: String::new(), shown, log: self.said }
    }

    pub(crate) fn run(self) -> Done {
        self.start().done()
    }
}

/// A file on a disk without room.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// A line of a stream.
enum Said {
    Out(String),
    Err(String),
}

fn listen(stream: impl Read + Send + 'static, tell: Sender<Said>, said: fn(String) -> Said) {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            // Nobody listens any more once the test is over.
            let _ = tell.send(said(String::from_utf8_lossy(&line).into_owned()));
            line.clear();
        }
    });
}

/// A command that runs. It is killed should the test end before it does.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    said: Receiver<Said>,
    out: String,
    err: String,
    shown: String,
    log: Sender<String>,
}

impl Running {
    /// Waits for a line, on whichever stream, that holds these words.
    pub(crate) fn line(&mut self, words: &str) -> String {
        let holds = |line: &&str| line.contains(words);
        let found = |running: &Self| running.err.lines().chain(running.out.lines()).find(holds).map(str::to_owned);
        self.found(found, words)
    }

    /// Waits for the address that a browser is to open.
    pub(crate) fn url(&mut self) -> Url {
        let line = self.line("  http");
        line.trim().parse().unwrap()
    }

    /// Waits for so many addresses that browsers are to open.
    pub(crate) fn urls(&mut self, count: usize) -> Vec<Url> {
        let all = |running: &Self| {
            let lines = running.err.lines().chain(running.out.lines()).filter(|line| line.starts_with("  http"));
            Some(lines.map(|line| line.trim().parse().unwrap()).collect::<Vec<Url>>())
                .filter(|urls| urls.len() >= count)
        };
        self.found(all, "so many addresses")
    }

    /// Waits for a whole JSON document on standard output.
    pub(crate) fn document(&mut self) -> Value {
        self.found(|running| serde_json::from_str(&running.out).ok(), "a JSON document")
    }

    fn found<T>(&mut self, find: impl Fn(&Self) -> Option<T>, what: &str) -> T {
        loop {
            if let Some(found) = find(self) {
                return found;
            }
            assert!(self.listen(), "{} ended without {what}:\n{}{}", self.shown, self.out, self.err);
        }
    }

    /// Takes one line. False when there will be no more.
    fn listen(&mut self) -> bool {
        match self.said.recv_timeout(DEADLINE) {
            Ok(Said::Out(line)) => self.out.push_str(&line),
            Ok(Said::Err(line)) => self.err.push_str(&line),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => panic!("{} hangs:\n{}{}", self.shown, self.out, self.err),
        }
        true
    }

    /// Pastes a line.
    pub(crate) fn paste(&mut self, line: impl std::fmt::Display) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    /// What ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// What a service manager does.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// What a terminal does that goes away.
    pub(crate) fn hang_up(&self) {
        self.signal("HUP");
    }

    /// Tells the program to stop, in one of the ways there are.
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status().unwrap();
        assert!(kill.success());
    }

    /// What no program can do anything about.
    pub(crate) fn kill(mut self) -> Done {
        self.child.kill().unwrap();
        self.done()
    }

    /// Waits for the end.
    pub(crate) fn done(mut self) -> Done {
        while self.listen() {}
        let status = self.child.wait().unwrap();
        let done = Done {
            code: status.code(),
            out: std::mem::take(&mut self.out),
            err: std::mem::take(&mut self.err),
            shown: self.shown.clone(),
        };
        // A program that is no part of a stage tells nobody.
        let _ = self.log.send(format!("{}{}", done.out, done.err));
        done
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    shown: String,
}

impl Done {
    /// It went well.
    pub(crate) fn ok(self) -> Self {
        self.ends(0, &[])
    }

    /// It ended with this code, and said all of this, on whichever stream, wherever its lines break.
    pub(crate) fn ends(self, code: i32, words: &[&str]) -> Self {
        let said = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, Some(code), "{}:\n{said}", self.shown);
        for word in words {
            assert!(squeezed(&said).contains(&squeezed(word)), "{} does not say `{word}`:\n{said}", self.shown);
        }
        assert!(!said.contains("panicked"), "{}:\n{said}", self.shown);
        self
    }

    /// It said nothing of this.
    pub(crate) fn without(self, word: &str) -> Self {
        assert!(!self.out.contains(word) && !self.err.contains(word), "{}:\n{}{}", self.shown, self.out, self.err);
        self
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{}: {error}:\n{}", self.shown, self.out))
    }
}

/// A text with one space wherever it has any white space.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
