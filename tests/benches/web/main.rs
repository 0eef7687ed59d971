//! What the API costs the host: processor time of a `serve` for a connect, for an access token, and for a route that does nothing.
//!
//! `cargo bench -p connector-tests --bench web [-- <connects> <reads> <rounds>]`
//!
//! The host is the program itself in a process of its own, over a store in a file, and so is the emulator; this process is product and
//! browser. A connect is two requests to the API, two to the platform, and everything that is stored on the way.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../common/mod.rs"]
mod common;
mod product;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use connector_host::testing::Outcome;
use serde_json::Value;
use tempfile::TempDir;

use self::common::{count, median, say};
use self::product::Product;

/// The processor time of the host that a connect may cost, in microseconds.
const MOST_CONNECT: f64 = 1_000.0;

/// How many times the processor time of a route that does nothing an access token may cost.
const MOST_TOKEN: f64 = 4.0;

const PROGRAM: &str = env!("CARGO_BIN_EXE_connector-host-lantern");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    // Cargo adds a flag of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(500, 20_000, 5).await,
        [connects, reads, rounds] => compare(connects.parse()?, reads.parse()?, rounds.parse()?).await,
        _ => Err("usage: [<connects> <reads> <rounds>]".into()),
    }
}

async fn compare(connects: usize, reads: usize, rounds: usize) -> Outcome {
    let home = tempfile::tempdir()?;
    let (_emulator, _) = Process::start(&home, "emulator tiktok")?;
    let key = once(&home, "api-keys create bench --rights all --emulator")?;
    let (host, told) = Process::start(&home, "serve --emulator --listen 127.0.0.1:0 --every 1h --key-rate 100000")?;
    let product = Product::new(told["listening"].as_str().ok_or("no address")?.parse()?, &key);
    let connection = product.connect().await?;
    say(format_args!("{connects} connects, {reads} reads, {rounds} rounds; microseconds of the host's processor time"));
    say("round  connect   token   empty  empty again  token / empty");
    let (mut costs, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let connect = host.cost(connects, product.connects(connects)).await?;
        let empty = host.cost(reads, product.empty(reads)).await?;
        let token = host.cost(reads, product.tokens(&connection, reads)).await?;
        let again = host.cost(reads, product.empty(reads)).await?;
        let ratio = token / f64::midpoint(empty, again);
        say(format_args!("{round:5}  {connect:7.0}  {token:6.1}  {empty:6.1}  {again:11.1}  {ratio:13.2}"));
        costs.push(connect);
        ratios.push(ratio);
    }
    say(format_args!("median {:.0} us a connect, the target is at most {MOST_CONNECT}", median(&mut costs)));
    say(format_args!(
        "median {:.2} times an empty route for a token, the target is at most {MOST_TOKEN}",
        median(&mut ratios)
    ));
    Ok(())
}

/// The program, which ends when this is dropped.
struct Process(Child);

impl Process {
    /// Starts it, and reads the document that it says first.
    fn start(home: &TempDir, args: &str) -> Outcome<(Self, Value)> {
        let mut child = command(home.path(), args).arg("--json").stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let process = Self(child);
        let document =
            serde_json::Deserializer::from_reader(output).into_iter().next().ok_or("it ended without a word")?;
        Ok((process, document?))
    }

    /// The processor time of one of some things that are done meanwhile, in microseconds.
    async fn cost(&self, number: usize, work: impl Future<Output = Outcome>) -> Outcome<f64> {
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
fn once(home: &TempDir, args: &str) -> Outcome<String> {
    let output = command(home.path(), args).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn command(home: &Path, args: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null()).stderr(Stdio::null());
    command.args(["--data-dir", "data"]).args(args.split_whitespace());
    command
}
