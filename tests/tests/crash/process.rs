//! A process under test, and what may happen to one.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use crate::arena::Victim;

/// So long that only a program that hangs is cut off.
const DEADLINE: Duration = Duration::from_mins(3);

/// A process that runs. It is killed should the test end before it does.
pub(crate) struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    lines: Receiver<String>,
    said: Vec<String>,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) said: String,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (tell, lines) = mpsc::channel();
        listen(child.stdout.take().unwrap(), tell.clone());
        listen(child.stderr.take().unwrap(), tell);
        let orders = child.stdin.take();
        Self { child, orders, lines, said: Vec::new() }
    }

    /// Writes a line to its standard input.
    pub(crate) fn order(&mut self, order: impl std::fmt::Display) {
        let orders = self.orders.as_mut().unwrap();
        orders.write_all(format!("{order}\n").as_bytes()).unwrap();
    }

    /// Waits for the next line that begins like this.
    pub(crate) fn line(&mut self, start: &str) -> String {
        self.line_or_end(start).unwrap_or_else(|| panic!("it never said `{start}`: {:?}", self.said))
    }

    /// The same of one that may end before: then `None`.
    pub(crate) fn line_or_end(&mut self, start: &str) -> Option<String> {
        loop {
            let line = match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => line,
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not say `{start}`: {:?}", self.said),
            };
            self.said.push(line.clone());
            if line.starts_with(start) {
                return Some(line);
            }
        }
    }

    /// Waits for as many of these lines.
    pub(crate) fn lines_of(&mut self, victims: &[Victim], start: &str) {
        for _ in victims {
            self.line(start);
        }
    }

    /// Sends a signal: `INT`, `STOP`, `CONT`, `KILL`.
    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").arg("-c").arg(kill).status().unwrap().success());
    }

    /// Waits until the system says that it is stopped.
    pub(crate) fn stopped(&self) {
        let path = format!("/proc/{}/stat", self.child.id());
        loop {
            let stat = std::fs::read_to_string(&path).unwrap();
            if stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends its input.
    pub(crate) fn no_more(&mut self) {
        self.orders = None;
    }

    /// Ends its input, and waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        self.no_more();
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => self.said.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs: {:?}", self.said),
            }
        }
        Ended { status: self.child.wait().unwrap(), said: std::mem::take(&mut self.said).join("\n") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// It ended by itself with this code.
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.said);
        self
    }

    /// It was killed.
    pub(crate) fn by_a_signal(&self) {
        assert_eq!(self.status.code(), None, "it was to be killed: {}", self.said);
    }
}

fn listen(stream: impl Read + Send + 'static, tell: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody listens any more once the test is over.
            let _ = tell.send(line);
        }
    });
}
