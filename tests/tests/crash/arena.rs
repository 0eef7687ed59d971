//! An emulator, a line to it, a store, and grants that wear out at once.

use std::cell::Cell;
use std::process::Command;
use std::time::{Duration, Instant};

use connector_core::emulator::{Consent, Emulator as _};
use connector_core::oauth::CallbackParams;
use connector_host::store::{GrantId, GrantRecord};
use connector_host::testing::DatabaseFile;
use connector_host::{Asking, Callback, CameTo, ConnectRequest};
use connector_tests::rig::{Place, Rig, STRICT};
use connector_tiktok::emulator::TikTokEmulator;
use serde_json::{Value, json};

use crate::line::{Deed, Held, Line};
use crate::process::Process;
use crate::support::{Stage, person};

const PEOPLE: [&str; 5] = ["mira", "jonas", "nova", "linnea", "noor"];

/// Everything there is, for one test.
pub(crate) struct Arena {
    pub(crate) line: Line,
    pub(crate) place: Place,
    pub(crate) rig: Rig,
    connected: Cell<usize>,
    pub(crate) stage: Stage,
}

/// A grant, in a tenant of its own.
#[derive(Clone, Debug)]
pub(crate) struct Victim {
    pub(crate) tenant: String,
    pub(crate) grant: GrantId,
    /// Its number at the platform.
    pub(crate) number: u64,
}

impl std::fmt::Display for Victim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.tenant, self.grant)
    }
}

impl Arena {
    /// On the file in the data directory that commands use as well.
    pub(crate) fn new() -> Self {
        Self::on(None)
    }

    /// On the database of a URL.
    pub(crate) fn on(database: Option<String>) -> Self {
        let stage = Stage::new();
        let line = Line::to(&stage.tiktok.base);
        send_through(&line, &stage);
        stage.tiktok.switch(&json!({ "access_lifetime_seconds": 10 }));
        let place = Place { emulator: stage.realm(), data: stage.realm(), database };
        let rig = stage.web.wait(place.open()).unwrap();
        Self { line, place, rig, connected: Cell::new(0), stage }
    }

    /// Every token request takes so long.
    pub(crate) fn take_time(&self, milliseconds: u32) {
        self.stage.tiktok.switch(&json!({ "token_latency_milliseconds": milliseconds }));
    }

    /// Somebody connects, for a new tenant.
    pub(crate) fn connect(&self) -> Victim {
        let number = self.connected.get() + 1;
        let tenant = format!("t{number}");
        let grant = self.stage.web.wait(self.walk(&tenant, PEOPLE[number % PEOPLE.len()]));
        self.connected.set(number);
        Victim { tenant, grant, number: number as u64 }
    }

    pub(crate) fn connect_many(&self, number: usize) -> Vec<Victim> {
        (0..number).map(|_| self.connect()).collect()
    }

    async fn walk(&self, tenant: &str, name: &str) -> GrantId {
        let host = &self.rig.host;
        let initiator = host.context().random_token().unwrap();
        let request = ConnectRequest {
            tenant: tenant.to_owned(),
            reference: None,
            platform: STRICT.parse().unwrap(),
            app: "default".to_owned(),
            redirect_uri: "http://127.0.0.1:41234/oauth/callback/tiktok/default".parse().unwrap(),
            reconnects: None,
            initiator: initiator.clone(),
            asking: Asking::Everything,
        };
        let started = host.connect(request).await.unwrap();
        let consent: Consent = person(name);
        let back = TikTokEmulator.consent(host.context(), &started.authorize_url, &consent).await.unwrap();
        let callback = Callback {
            came_to: CameTo::Path { platform: STRICT.parse().unwrap(), app: "default".to_owned() },
            params: CallbackParams::from_query(back.query().unwrap_or_default()),
            initiator,
            other_account_allowed: false,
        };
        let finished = host.complete(callback).await.unwrap().finished.unwrap();
        finished.linked[0].connection.grant_id.clone()
    }

    /// A command of the program, for one tenant.
    pub(crate) fn cli(&self, args: &str, victim: &Victim) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_connector-host-lantern"));
        command.args(["--emulator", "--data-dir", "data", "--tenant", &victim.tenant]).args(args.split(' '));
        command
    }

    /// A process that refreshes as it is told, once it is ready.
    pub(crate) fn refresher(&self, place: &Place) -> Process {
        let mut process = Process::start(self.refresher_command(place));
        process.line("ready");
        process
    }

    pub(crate) fn refresher_command(&self, place: &Place) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_refresher"));
        command.arg(&place.emulator).arg(&place.data).args(&place.database);
        command
    }

    /// The same under another program.
    pub(crate) fn refresher_under(&self, program: &str, args: &[&str], place: &Place) -> Process {
        let refresher = self.refresher_command(place);
        let mut command = self.command(program);
        command.args(args).arg(refresher.get_program()).args(refresher.get_args());
        let mut process = Process::start(command);
        process.line("ready");
        process
    }

    /// A program, with nothing of this machine's environment but where programs are.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let home = self.stage.path("");
        let mut command = Command::new(program);
        command.env_clear().env("HOME", &home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(home);
        command
    }

    /// A process refreshes all of these, and the answers wait.
    pub(crate) fn hold_answers(&self, process: &mut Process, victims: &[Victim]) -> Vec<Held> {
        self.line.order(Deed::HoldAnswer, victims.len());
        for victim in victims {
            process.order(format_args!("ask {victim}"));
        }
        victims.iter().map(|_| self.line.held()).collect()
    }

    /// Lets the time pass in which a token that may be spent is left alone.
    pub(crate) fn quarantine_is_over<'a>(&self, victims: impl IntoIterator<Item = &'a Victim>) {
        let earlier = earlier(victims);
        DatabaseFile::in_dir(&self.place.data).run(&earlier).unwrap();
    }

    /// Somebody removes the places that are kept for answers.
    pub(crate) fn remove_spool(&self) {
        for slot in std::fs::read_dir(self.place.data.join("spool")).unwrap() {
            std::fs::remove_file(slot.unwrap().path()).unwrap();
        }
    }

    /// Waits until a grant has other tokens than those of this generation.
    pub(crate) fn moves_on(&self, victim: &Victim, generation: i64) {
        let until = Instant::now() + Duration::from_mins(1);
        while self.generation(victim) == generation {
            assert!(Instant::now() < until, "{victim} does not move on");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The row of a grant as it is.
    pub(crate) fn row(&self, victim: &Victim) -> GrantRecord {
        self.stage.web.wait(self.rig.grant(&victim.tenant, &victim.grant)).unwrap()
    }

    pub(crate) fn generation(&self, victim: &Victim) -> i64 {
        self.row(victim).generation
    }
}

/// What lets three minutes pass for the doubts of these, and every wait of the app.
pub(crate) fn earlier<'a>(victims: impl IntoIterator<Item = &'a Victim>) -> String {
    let tenants: Vec<_> = victims.into_iter().map(|victim| format!("'{}'", victim.tenant)).collect();
    format!(
        "UPDATE grants SET refresh_sent_at = refresh_sent_at - 180000, refresh_tick = refresh_tick - 180000
         WHERE tenant IN ({}); DELETE FROM app_health",
        tenants.join(", ")
    )
}

/// Whoever attaches to the emulator from now on is sent through the line.
fn send_through(line: &Line, stage: &Stage) {
    let notice = stage.realm().join("tiktok.running.json");
    let mut known: Value = serde_json::from_slice(&std::fs::read(&notice).unwrap()).unwrap();
    known["base_urls"]["api"] = json!(line.base.as_str());
    std::fs::write(&notice, known.to_string()).unwrap();
}
