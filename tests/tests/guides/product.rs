//! A product as its guide has it, and the host that it talks to.

use std::net::TcpListener;
use std::path::PathBuf;

use connector_core::Secret;
use connector_core::http::{Policy, Request};
use connector_host::events::sign;
use http::{HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::guide::Guide;
use crate::support::{Cli, Running, Stage};

/// What the guide's product runs in, and how the commands of a guide are run.
pub(crate) struct Place {
    pub(crate) stage: Stage,
    port: u16,
    listening: Option<Url>,
}

/// A product that runs, beside its host.
pub(crate) struct Product {
    pub(crate) place: Place,
    pub(crate) url: Url,
    _running: Running,
    host: Running,
}

impl Place {
    fn new() -> Self {
        let stage = Stage::new();
        std::fs::create_dir(stage.path("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_connector-host-lantern"), stage.path("bin/connector-host"))
            .unwrap();
        // A program that takes only a port it is told gets one that was free just now.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { stage, port, listening: None }
    }

    /// Where the product's files are.
    pub(crate) fn dir(&self) -> PathBuf {
        self.stage.path(".")
    }

    /// Commands of a guide. The last one takes the place of the shell, so that it can be ended.
    pub(crate) fn shell(&self, commands: &str) -> Cli {
        let (before, last) = commands.trim_end().rsplit_once('\n').unwrap_or(("", commands.trim_end()));
        let path = std::env::var("PATH").unwrap_or_default();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let cli = self.stage.bare("").in_shell(&format!("set -eu\n{before}\nexec {last}"));
        let cli = cli.env("PATH", &format!("{}:{path}", text(self.stage.path("bin"))));
        let cli = cli.env("CONNECTOR_DATA_DIR", &text(self.stage.path("data"))).env("PORT", &self.port.to_string());
        match &self.listening {
            Some(listening) => cli.env("CONNECTOR_HOST_URL", listening.as_str().trim_end_matches('/')),
            None => cli.env("CONNECTOR_LISTEN", "127.0.0.1:0"),
        }
    }

    /// The signing secret that the product was given.
    pub(crate) fn secret(&self) -> String {
        std::fs::read_to_string(self.stage.path("secret")).unwrap()
    }

    /// Starts the host as a guide says, and finds where it listens.
    fn serve(&mut self, commands: &str) -> Running {
        let mut running = self.shell(commands).start();
        self.listening = Some(listening(&mut running));
        running
    }
}

impl Product {
    /// Follows a guide until its product runs.
    pub(crate) fn of(guide: &Guide, [host, setup, start]: [&str; 3]) -> Self {
        let mut place = Place::new();
        let host = place.serve(host);
        guide.write(&place.dir());
        let keep = "printf %s \"$CONNECTOR_WEBHOOK_SECRET\" > secret";
        let mut running = place.shell(&format!("{setup}{keep}\n{start}")).start();
        let url = format!("http://127.0.0.1:{}", place.port);
        running.line(&url);
        Self { place, url: url.parse().unwrap(), _running: running, host }
    }

    pub(crate) fn at(&self, path: &str) -> Url {
        self.url.join(path).unwrap()
    }

    /// Starts what a guide says for others to use, and ends it.
    pub(crate) fn end(mut self, for_others: &str) {
        self.host.terminate();
        self.host.done().ends(0, &[]);
        self.place.listening = None;
        let mut host = self.place.shell(for_others).start();
        listening(&mut host);
        host.terminate();
        host.done().ends(0, &[]);
    }

    /// What the product answers to a request that claims to be an event.
    pub(crate) fn told(&self, secret: &Secret, id: &str, at: Timestamp, body: &Value) -> u16 {
        let signature = sign(std::slice::from_ref(secret), id, at, &body.to_string()).unwrap();
        let time = at.as_second().to_string();
        let mut request = Request::new(Method::POST, self.at("/hooks"), Policy::TOKEN).json(body);
        for (name, value) in [("webhook-id", id), ("webhook-timestamp", &time), ("webhook-signature", &signature)] {
            request = request.header(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let web = &self.place.stage.web;
        web.wait(web.cx.send(request)).unwrap().status
    }
}

fn listening(running: &mut Running) -> Url {
    let line = running.line("Listening at ");
    line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().parse().unwrap()
}
