use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use connector_core::emulator::{Consent, Emulator as _};
use connector_host::store::SqliteStore;
use connector_host::testing::DatabaseFile;
use connector_tests::lantern::LanternEmulator;
use connector_tiktok::emulator::TikTokEmulator;
use http::header::LOCATION;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::cli::{Cli, Done, Running, TEMPORARY};
use super::emulator::Emulator;
use super::held_line::HeldLine;
use super::leaks::Leaks;
use super::web::Web;

/// The configuration that is shipped.
pub(crate) const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/social-platforms.toml");

/// The configuration of the second platform.
pub(crate) const LANTERN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lantern/platforms.toml");

/// A home directory, a data directory in it, and emulators that run in processes of their own.
pub(crate) struct Stage {
    pub(crate) tiktok: Emulator,
    _lantern: Emulator,
    pub(crate) web: Web,
    said: (Sender<String>, Receiver<String>),
    // Last, so that it outlives what runs in it.
    home: TempDir,
}

/// How a flow ended, at the terminal and in the browser.
pub(crate) struct Visit {
    pub(crate) done: Done,
    pub(crate) page: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(TEMPORARY)).unwrap();
        let said = mpsc::channel();
        let start = |platform: &str| {
            let command = Cli::new(home.path(), said.0.clone()).args("--data-dir data --json emulator");
            Emulator::start(command.arg(platform))
        };
        Self { tiktok: start("tiktok"), _lantern: start("lantern"), web: Web::new(), said, home }
    }

    /// A command on the emulators, under the shipped configuration.
    pub(crate) fn cli(&self, args: &str) -> Cli {
        self.bare("--emulator --data-dir data --config").arg(SHIPPED).args(args)
    }

    /// The same on another data directory.
    pub(crate) fn cli_in(&self, dir: &str, args: &str) -> Cli {
        self.bare("--emulator --data-dir").arg(dir).arg("--config").arg(SHIPPED).args(args)
    }

    /// Another data directory on the same emulators, for as long as the locks are held that say that they run.
    pub(crate) fn another_dir(&self, name: &str) -> Vec<File> {
        let dir = self.path(name);
        for dir in [&dir, &dir.join("emulator")] {
            DirBuilder::new().mode(0o700).create(dir).unwrap();
        }
        let lock = |platform: &str| {
            let notice = format!("{platform}.running.json");
            std::fs::copy(self.realm().join(&notice), dir.join("emulator").join(&notice)).unwrap();
            let mut options = OpenOptions::new();
            let path = dir.join(format!("emulator/{platform}.lock"));
            let lock = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
            lock.lock().unwrap();
            lock
        };
        ["tiktok", "lantern"].map(lock).into()
    }

    /// A command on the platforms themselves, under the shipped configuration.
    pub(crate) fn live(&self, args: &str) -> Cli {
        self.bare("--data-dir data --config").arg(SHIPPED).args(args)
    }

    /// A command as it stands.
    pub(crate) fn bare(&self, args: &str) -> Cli {
        Cli::new(self.home.path(), self.said.0.clone()).args(args)
    }

    /// Writes a file for a command to read.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Where commands on the emulators keep their data.
    pub(crate) fn realm(&self) -> PathBuf {
        self.path("data/emulator")
    }

    /// The store of the emulated realm, beside whichever commands use it.
    pub(crate) fn store(&self) -> SqliteStore {
        self.web.wait(SqliteStore::open(&self.web.cx, &self.realm())).unwrap()
    }

    /// Lets the refresh tokens of all grants begin the last quarter of their lives.
    pub(crate) fn let_tokens_be_due(&self) {
        self.by_others(
            "UPDATE grants SET issued_at = issued_at - 4 * (refresh_expires_at - issued_at) WHERE refresh_expires_at IS NOT NULL",
        );
    }

    /// Lets the access tokens of all grants be at their end.
    pub(crate) fn let_access_expire(&self) {
        self.by_others("UPDATE grants SET access_expires_at = issued_at");
    }

    /// Lets the time pass for which the platform asked to wait.
    pub(crate) fn app_is_well_again(&self) {
        self.by_others("DELETE FROM app_health");
    }

    /// Does what only another program would do to the database.
    pub(crate) fn by_others(&self, statements: &str) {
        DatabaseFile::in_dir(&self.realm()).run(statements).unwrap();
    }

    /// The last step of the schema of the store.
    pub(crate) fn schema_step(&self) -> i64 {
        DatabaseFile::in_dir(&self.realm()).number("PRAGMA user_version").unwrap()
    }

    /// Does something while another program holds the right to write to the database. Nothing may be searched meanwhile, see `WriteLock`.
    pub(crate) fn while_others_write<T>(&self, work: impl FnOnce() -> T) -> T {
        let _lock = DatabaseFile::in_dir(&self.realm()).lock(Duration::from_secs(5)).unwrap();
        work()
    }

    /// Lays the test's own line to the token endpoint, on which an answer can be held back.
    pub(crate) fn held_line(&self) -> HeldLine {
        let line = HeldLine::to(&self.tiktok.base, "/v2/oauth/token/");
        self.retell(|known| known["base_urls"]["api"] = json!(line.base.as_str()));
        line
    }

    /// Changes what commands are told of the first platform's emulator.
    pub(crate) fn retell(&self, change: impl FnOnce(&mut Value)) {
        let notice = self.realm().join("tiktok.running.json");
        let mut known: Value = serde_json::from_slice(&std::fs::read(&notice).unwrap()).unwrap();
        change(&mut known);
        std::fs::write(&notice, known.to_string()).unwrap();
    }

    /// Runs a command that sends somebody to the consent page, and walks there.
    pub(crate) fn walk(&self, command: Cli, consent: &Consent) -> Visit {
        let mut running = command.start();
        let back = self.consent(&mut running, consent);
        let page = self.visit(&back);
        Visit { done: running.done(), page }
    }

    /// Walks the consent page of a command that runs, and gives the address the browser is sent back to.
    pub(crate) fn consent(&self, running: &mut Running, consent: &Consent) -> Url {
        self.consent_at(&running.url(), consent)
    }

    /// Walks the consent page at an address, and gives the address the browser is sent back to.
    pub(crate) fn consent_at(&self, url: &Url, consent: &Consent) -> Url {
        let walk = async {
            if url.path().starts_with("/oauth/") {
                LanternEmulator.consent(&self.web.cx, url, consent).await
            } else {
                TikTokEmulator.consent(&self.web.cx, url, consent).await
            }
        };
        self.web.wait(walk).unwrap()
    }

    /// Opens an address at a command's listener and follows where it leads. Gives the text of the page.
    pub(crate) fn visit(&self, url: &Url) -> String {
        let sent_on = self.web.get(url);
        assert_eq!(
            (sent_on.status, sent_on.body.len()),
            (303, 0),
            "no page is shown at the address that holds the code"
        );
        let next = url.join(sent_on.headers[LOCATION].to_str().unwrap()).unwrap();
        assert_eq!(next.query(), None, "the page the browser ends at has no code in its address");
        let answer = self.web.get(&next);
        let escapes = [("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
        let page = String::from_utf8(answer.body).unwrap();
        escapes.iter().fold(page, |page, (escape, plain)| page.replace(escape, plain))
    }

    /// Connects somebody to TikTok and gives what the command said as data.
    pub(crate) fn connect(&self, consent: &Consent) -> Value {
        self.connect_with("", consent)
    }

    /// The same with more arguments.
    pub(crate) fn connect_with(&self, args: &str, consent: &Consent) -> Value {
        let command = self.cli("connect tiktok --no-browser --json").args(args);
        self.walk(command, consent).done.ok().json()[0].clone()
    }

    /// Reads the counts of the first connection as data, which must go well.
    pub(crate) fn metrics(&self, args: &str) -> Value {
        self.cli("metrics --json").args(args).run().ok().json()[0].clone()
    }

    /// The connections as data.
    pub(crate) fn connections(&self) -> Vec<Value> {
        self.cli("connections --json").run().ok().json().as_array().unwrap().clone()
    }

    /// No code or token that was handed out is in a file or was said, in any form.
    pub(crate) fn assert_nothing_leaked(&self) {
        let issued = self.tiktok.issued();
        for kind in ["code", "access_token", "refresh_token"] {
            assert!(issued.iter().any(|(issued, _)| issued == kind), "there was no {kind} to look for");
        }
        let leaks = Leaks::of(&issued);
        let (found, files) = leaks.under(self.home.path());
        assert_eq!(found, Vec::<String>::new());
        assert!(files >= 4, "only {files} files were searched");
        let said: String = self.said.1.try_iter().collect();
        assert_eq!(leaks.within(said.as_bytes()), Vec::<&str>::new(), "a command said it");
        assert!(said.len() > 100, "nothing was said");
    }
}
