//! What a page of connections costs the host: processor time of a `serve` for each page of a long list, and for one connection.
//!
//! `cargo bench -p connector-tests --bench page [-- <connections> <pages> <rounds>]`
//!
//! The host is the program itself in a process of its own, over a store in a file; this process is the browser of an admin. Every connection
//! has a reading, and those that are looked at have a count each hour for a month, of which the line is drawn.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod browser;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/program.rs"]
mod program;
#[path = "../plan/store.rs"]
mod store;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use connector_core::Context;
use connector_core::http::ReqwestTransport;
use connector_host::testing::{DatabaseFile, Outcome, TENANT};

use self::browser::Browser;
use self::common::{median, say};
use self::program::{Process, once};

/// The processor time of the host that a page may cost, in microseconds.
const MOST: f64 = 10_000.0;

/// The platform of the connections.
pub(crate) const PLATFORM: &str = "tiktok";

const PASSWORD: &str = "correct horse battery";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    // Cargo adds a flag of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => measure(10_000, 20, 5).await,
        [connections, pages, rounds] => measure(connections.parse()?, pages.parse()?, rounds.parse()?).await,
        _ => Err("usage: [<connections> <pages> <rounds>]".into()),
    }
}

async fn measure(connections: usize, pages: usize, rounds: usize) -> Outcome {
    let home = tempfile::tempdir()?;
    let password = home.path().join("password");
    std::fs::write(&password, PASSWORD)?;
    std::fs::set_permissions(&password, Permissions::from_mode(0o600))?;
    let (_emulator, _) = Process::start(&home, "emulator tiktok")?;
    once(&home, "admin create bench --password-file password --emulator")?;
    fill(&home.path().join("data/emulator"), connections).await?;
    let (host, told) = Process::start(&home, "serve --emulator --listen 127.0.0.1:0 --every 1h")?;
    let base = told["listening"].as_str().ok_or("no address")?.parse()?;
    let browser = Browser::sign_in(base, "bench", PASSWORD).await?;
    let places = browser.walk(&format!("/?tenant={TENANT}"), pages).await?;
    let one = browser.first_connection(&places[0]).await?;
    say(format_args!(
        "{connections} connections, {pages} pages, {rounds} rounds; microseconds of the host's processor time"
    ));
    say("round    page  one connection  nothing");
    let mut costs = Vec::new();
    for round in 1..=rounds {
        let page = host.cost(pages, browser.open_all(&places)).await?;
        let own = host.cost(pages, browser.open_all(&vec![one.clone(); pages])).await?;
        let nothing = host.cost(pages, browser.open_all(&vec!["/assets/theme.css".to_owned(); pages])).await?;
        say(format_args!("{round:5}  {page:6.0}  {own:14.0}  {nothing:7.0}"));
        costs.push(page);
    }
    say(format_args!("median {:.0} us a page, the target is at most {MOST}", median(&mut costs)));
    Ok(())
}

/// Connections with their readings, in a store that is there.
async fn fill(dir: &Path, connections: usize) -> Outcome {
    store::fill(&Context::system(Arc::new(ReqwestTransport::new())), dir, connections).await?;
    DatabaseFile::in_dir(dir).run(READINGS)?;
    Ok(())
}

/// A reading for everybody, and an hourly count of followers for those on the first pages.
const READINGS: &str = "
    BEGIN;
    INSERT INTO sample_feeds (tenant, last) SELECT DISTINCT tenant, 10000000 FROM connections WHERE true
        ON CONFLICT (tenant) DO UPDATE SET last = excluded.last;
    CREATE TEMP TABLE clock AS SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000 AS now;
    INSERT INTO readings (connection, observed_at, cells)
        SELECT number, now, json('{\"followers\":{\"value\":1284310},\"following\":{\"value\":312},\"likes_received\":{\"value\":48902117},\"posts\":{\"value\":842}}') FROM connections, clock;
    CREATE TEMP TABLE hours AS
        WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n < 720) SELECT n FROM counted;
    INSERT INTO samples (connection, metric, observed_at, value, feed, position)
        SELECT connection, metric, at, value, 1, row_number() OVER () FROM (
            SELECT number AS connection, 'followers' AS metric, now - n * 3600000 AS at, 1284310 - n AS value
            FROM connections, clock, hours WHERE n = 0 OR number < 1500
            UNION ALL
            SELECT number, metric, now, 7 FROM connections, clock,
                (SELECT 'following' AS metric UNION ALL SELECT 'likes_received' UNION ALL SELECT 'posts')
        );
    COMMIT;";
