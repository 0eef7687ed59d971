//! A `PostgreSQL` server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::daemon::{Daemon, find};
use super::{Pooler, skipped};

/// It listens on a socket in its own directory, as durable as any.
const SCRIPT: &str = r#"
set -eu
dir=$(mktemp -d /tmp/connector-postgres.XXXXXX)
clear_up() {
    "$1/pg_ctl" stop -D "$dir/data" -m immediate >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap 'clear_up "$1"' EXIT
{
    "$1/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync
    "$1/pg_ctl" start -w -D "$dir/data" -l "$dir/log" -o "-k $dir -c listen_addresses= -c max_connections=300 -c autovacuum=off -c max_wal_size=8GB"
} >"$dir/start" 2>&1 || { cat "$dir/start"; cat "$dir/log"; exit 1; }
echo "ready $dir"
cat >/dev/null
"#;

/// A server with nothing in it.
#[derive(Debug)]
pub struct Server {
    bin: PathBuf,
    daemon: Daemon,
    databases: AtomicU32,
}

impl Server {
    /// One more server, for a test that changes what all its databases have in common.
    ///
    /// # Panics
    /// When it does not start, or is required and missing.
    pub fn start() -> Option<Self> {
        let bin = find(&["initdb", "pg_ctl", "postgres", "psql"], debian());
        let Some(bin) = bin else { return skipped("postgres", "postgresql") };
        let daemon = Daemon::start(SCRIPT, &[&bin]);
        Some(Self { bin, daemon, databases: AtomicU32::new(0) })
    }

    /// Makes an empty database and gives its URL.
    ///
    /// # Panics
    /// When the server does not make it.
    pub fn fresh_database(&self) -> String {
        let name = format!("fresh_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.socket_dir().display())
    }

    /// The directory with the socket of the server, `.s.PGSQL.5432`.
    pub fn socket_dir(&self) -> &Path {
        &self.daemon.dir
    }

    /// Does in a database what only another program would do, and gives what it says.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn run(&self, database: &str, statement: &str) -> String {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", statement]);
        let output = psql.arg("-h").arg(self.socket_dir()).output();
        let output = output.unwrap_or_else(|error| panic!("psql: {error}"));
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// A pooler in transaction mode before this server.
    ///
    /// # Panics
    /// When it does not start, or is required and missing.
    pub fn pooler(&self) -> Option<Pooler> {
        Pooler::start(self.socket_dir())
    }
}

/// Debian keeps the programs of each version apart, the newest first here.
fn debian() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    versions.reverse();
    versions
}
