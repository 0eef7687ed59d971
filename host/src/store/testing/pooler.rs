//! `PgBouncer` in transaction mode.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::daemon::{Daemon, find};
use super::skipped;

/// Fewer connections to the server than a store has to the pooler: transactions of one meet those of another.
const SCRIPT: &str = r#"
set -eu
dir=$(mktemp -d /tmp/connector-pgbouncer.XXXXXX)
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT
cat >"$dir/pgbouncer.ini" <<END
[databases]
* = host=$2 user=postgres
[pgbouncer]
unix_socket_dir = $dir
listen_port = 5432
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 500
logfile = $dir/log
END
start() {
    "$1" -q "$dir/pgbouncer.ini" >"$dir/start" 2>&1 </dev/null &
    pid=$!
    until [ -S "$dir/.s.PGSQL.5432" ]; do
        kill -0 "$pid" || { cat "$dir/start" "$dir/log"; exit 1; }
        sleep 0.02
    done
}
stop() {
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    rm -f "$dir/.s.PGSQL.5432"
}
start "$1"
echo "ready $dir"
while read -r order; do "$order" "$1"; done
"#;

/// So long that only a pooler that hangs is given up.
const DEADLINE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A pooler before a server.
#[derive(Debug)]
pub struct Pooler {
    daemon: Daemon,
}

impl Pooler {
    pub(super) fn start(server: &Path) -> Option<Self> {
        let Some(bin) = find(&["pgbouncer"], vec![PathBuf::from("/usr/sbin")]) else {
            return skipped("pgbouncer", "pgbouncer");
        };
        Some(Self { daemon: Daemon::start(SCRIPT, &[&bin.join("pgbouncer"), server]) })
    }

    /// Kills it, and with it every connection through it.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&self) {
        self.order("stop", false);
    }

    /// Starts it again where it was.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        self.order("start", true);
    }

    fn order(&self, order: &str, runs: bool) {
        self.daemon.order(order);
        let socket = self.daemon.dir.join(".s.PGSQL.5432");
        let looks = DEADLINE.as_millis() / LOOK_EVERY.as_millis();
        let seen = (0..looks).any(|_| {
            std::thread::sleep(LOOK_EVERY);
            socket.exists() == runs
        });
        assert!(seen, "the pooler does not {order}");
    }

    /// The URL that leads through the pooler to the database of this URL of its server.
    pub fn before(&self, url: &str) -> String {
        let server = url.split_once("?host=").map_or(url, |(server, _)| server);
        format!("{server}?host={}", self.daemon.dir.display())
    }
}
