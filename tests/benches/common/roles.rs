//! Processes of a benchmark's program in other roles, and what such a process says about itself.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use connector_host::testing::Outcome;
use rustix::time::{ClockId, clock_gettime};

/// A process that ends when this is dropped.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs this program in another role, and reads its first line.
pub(crate) fn start(role: &[&str]) -> Outcome<(Running, String)> {
    let mut child = Command::new(std::env::current_exe()?).args(role).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let (running, mut line) = (Running(child), String::new());
    BufReader::new(output).read_line(&mut line)?;
    if line.is_empty() {
        return Err(format!("{role:?} ended without a word").into());
    }
    Ok((running, line.trim().to_owned()))
}

/// The processor time of this process so far, its threads included, in microseconds.
pub(crate) fn cpu() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    micros(Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or_default()))
}

/// The most memory it had, in kibibytes.
pub(crate) fn rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    most.and_then(|most| most.split_whitespace().next()).and_then(|most| most.parse().ok()).unwrap_or_default()
}

/// A time in microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
