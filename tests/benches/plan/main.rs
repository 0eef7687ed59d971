//! What it costs to compare two configurations over the connections of a store: processor time for each, and memory at a few and at many.
//!
//! `cargo bench -p connector-tests --bench plan [-- <few> <many> <rounds>]`
//!
//! Everybody has a process of its own, and all figures are of one run: the plan at few and at many connections, and beside it the plainest
//! way to find as much, which reads every grant whole and looks at one after the other.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/roles.rs"]
mod roles;
mod store;

use std::path::Path;
use std::sync::Arc;

use connector_core::config::Settings;
use connector_core::http::ReqwestTransport;
use connector_core::{Context, Registry};
use connector_host::ConfigFiles;
use connector_host::plan::Plan;
use connector_host::store::{Inventory as _, SqliteStore};
use connector_host::testing::Outcome;
use serde::{Deserialize, Serialize};

use self::common::{count, median, say};
use self::roles::{cpu, rss, start};

/// The processor time that a connection may cost, in microseconds.
const MOST_CPU: f64 = 20.0;

/// How much more memory many connections may take than few.
const MOST_MEMORY: f64 = 1.2;

/// The platform whose connections are counted.
pub(crate) const PLATFORM: &str = "tiktok";

/// What the candidate asks for: one scope less, and one that nobody was asked for.
const CANDIDATE: &str = r#"
[platforms.tiktok.apps.default]
scopes = ["user.info.basic", "user.info.profile", "video.upload", "video.publish", "video.list", "user.info.score"]

[platforms.tiktok.scopes."user.info.score"]
product     = "Login Kit"
description = "The score of the account"
fields.user_info = { score = "custom.tiktok.score" }
"#;

/// What a contender says about itself.
#[derive(Deserialize, Serialize)]
struct Figures {
    /// Processor time for each connection, in microseconds.
    cpu: f64,
    /// The most memory it had, in kibibytes.
    rss: u64,
    /// How many connections re-authentication would help.
    helped: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    // Cargo adds a flag of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["fill", dir, connections] => store::fill(&context(), Path::new(dir), connections.parse()?).await,
        ["plan", dir, connections] => plan(Path::new(dir), connections.parse()?).await,
        ["plain", dir, connections] => plain(Path::new(dir), connections.parse()?).await,
        [] => compare(1_000, 100_000, 5),
        [few, many, rounds] => compare(few.parse()?, many.parse()?, rounds.parse()?),
        _ => Err("usage: [<few> <many> <rounds>]".into()),
    }
}

fn context() -> Context {
    Context::system(Arc::new(ReqwestTransport::new()))
}

fn compare(few: usize, many: usize, rounds: usize) -> Outcome {
    let dir = tempfile::tempdir()?;
    let [small, large] = ["few", "many"].map(|name| dir.path().join(name).display().to_string());
    for (dir, connections) in [(&small, few), (&large, many)] {
        start(&["fill", dir, &connections.to_string()])?;
    }
    say(format_args!("{few} and {many} connections in {} shapes of scopes, {rounds} rounds", store::SHAPES));
    say("round  cpu few  cpu many  cpu plain, in microseconds a connection   KiB few  KiB many  KiB plain");
    let (mut costs, mut memory, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let (a, b) = (run("plan", &small, few)?, run("plan", &large, many)?);
        let plain = run("plain", &large, many)?;
        if b.helped != plain.helped || b.helped == 0 {
            return Err(format!("the plan finds {} whom asking helps, the plain way {}", b.helped, plain.helped).into());
        }
        say(format_args!(
            "{round:5}  {:7.2}  {:8.2}  {:9.2}                                {:8}  {:8}  {:9}",
            a.cpu, b.cpu, plain.cpu, a.rss, b.rss, plain.rss
        ));
        costs.push(b.cpu);
        ratios.push(plain.cpu / b.cpu);
        memory.push(kibibytes(b.rss) / kibibytes(a.rss));
    }
    say(format_args!("median {:.2} us a connection at {many}, the target is at most {MOST_CPU}", median(&mut costs)));
    say(format_args!(
        "median memory at {many} is {:.2} of that at {few}, the target is at most {MOST_MEMORY}",
        median(&mut memory)
    ));
    say(format_args!("the plain way takes {:.1} times as much", median(&mut ratios)));
    Ok(())
}

fn kibibytes(rss: u64) -> f64 {
    f64::from(u32::try_from(rss).unwrap_or(u32::MAX))
}

fn run(contender: &str, dir: &str, connections: usize) -> Outcome<Figures> {
    let (_process, line) = start(&[contender, dir, &connections.to_string()])?;
    Ok(serde_json::from_str(&line)?)
}

/// The registry, the configuration as it is shipped, and the candidate over it.
fn configurations(dir: &Path) -> Outcome<(Registry, Settings, Settings)> {
    let (registry, candidate) = (Registry::linked()?, dir.join("candidate.toml"));
    std::fs::write(&candidate, CANDIDATE)?;
    let files = ConfigFiles { overlays: vec![candidate], ..ConfigFiles::default() };
    let (now, then) = (ConfigFiles::default().load(&registry)?.settings, files.load(&registry)?.settings);
    Ok((registry, now, then))
}

async fn plan(dir: &Path, connections: usize) -> Outcome {
    let (registry, now, then) = configurations(dir)?;
    let store = SqliteStore::open(&context(), dir).await?;
    let began = cpu();
    let plan = Plan::of(&store, &registry, &now, &then).await?;
    let spent = cpu() - began;
    let counted: u64 = plan.apps.iter().map(|app| app.connections).sum();
    if counted != u64::try_from(connections)? {
        return Err(format!("{counted} connections were counted").into());
    }
    told(spent, connections, plan.apps.iter().map(|app| app.reauthentication_helps.1).sum())
}

/// Every grant as it is stored, and what the candidate wants against each.
async fn plain(dir: &Path, connections: usize) -> Outcome {
    let (_, _, then) = configurations(dir)?;
    let wanted = &then.platform(&PLATFORM.parse()?)?.app("default")?.wanted;
    let store = SqliteStore::open(&context(), dir).await?;
    let began = cpu();
    let grants = store.every_grant().await?;
    let helped = grants.iter().filter(|grant| wanted.drift(&grant.scopes).reauthentication_helps()).count();
    told(cpu() - began, connections, u64::try_from(helped)?)
}

fn told(spent: f64, connections: usize, helped: u64) -> Outcome {
    say(serde_json::to_string(&Figures { cpu: spent / count(connections), rss: rss(), helped })?);
    Ok(())
}
