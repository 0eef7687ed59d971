//! The program in a process of its own, and what it costs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use connector_host::testing::Outcome;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::count;

const PROGRAM: &str = env!("CARGO_BIN_EXE_connector-host-lantern");

/// The program, which ends when this is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it, and reads the document that it says first.
    pub(crate) fn start(home: &TempDir, args: &str) -> Outcome<(Self, Value)> {
        let mut child = command(home.path(), args).arg("--json").stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let process = Self(child);
        let document =
            serde_json::Deserializer::from_reader(output).into_iter().next().ok_or("it ended without a word")?;
        Ok((process, document?))
    }

    /// The processor time of one of some things that are done meanwhile, in microseconds.
    pub(crate) async fn cost(&self, number: usize, work: impl Future<Output = Outcome>) -> Outcome<f64> {
        let before = self.cpu()?;
        work.await?;
        Ok((self.cpu()? - before) / count(number))
    }

    /// The processor time of the process so far, in microseconds, its threads included.
    fn cpu(&self) -> Outcome<f64> {
        let mut spent = 0.0;
        for task in std::fs::read_dir(PathBuf::from(format!("/proc/{}/task", self.0.id())))? {
            // In nanoseconds, which `stat` is not.
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            spent += text.split_whitespace().next().ok_or("no time")?.parse::<f64>()? / 1e3;
        }
        Ok(spent)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the program once, and gives what it says.
pub(crate) fn once(home: &TempDir, args: &str) -> Outcome<String> {
    let output = command(home.path(), args).output()?;
    if !output.status.success() {
        return Err(format!("`{args}` ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn command(home: &Path, args: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null()).stderr(Stdio::null());
    command.args(["--data-dir", "data"]).args(args.split_whitespace());
    command
}
