//! The whole story on an emulator, as any connector's tour tells it.

use std::path::{Path, PathBuf};

use connector_core::config::Config;
use connector_core::emulator::{Consent, Emulator, Tour, TourPerson};
use connector_core::http::{Policy, Request};
use connector_core::oauth::Purpose;
use connector_core::scope::{ScopeStatus, list_scopes};
use connector_core::{Context, Error as CoreError, Linked, Scope};
use http::Method;
use jiff::SignedDuration;
use owo_colors::OwoColorize as _;
use url::Url;

use super::args::{Browse, Demo};
use super::connect::{Flow, Wish, told};
use super::exit::Exit;
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::{ask, format, list, metrics};
use crate::apps::Realm;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::Connected;
use crate::vault::{VaultError, private};

/// Says that a directory was made by an earlier demo, so that the next one may remove it.
const MARK: &str = "made-by-demo";
const APP: &str = "default";

pub(super) async fn run(setup: &Setup, running: &Running, args: &Demo, output: Output) -> Result<Exit> {
    let linked = storyteller(setup, args)?;
    let emulator = linked.emulator().ok_or_else(no_tour)?;
    let tour = emulator.tour().ok_or_else(no_tour)?;
    let stage = Stage::set(setup, linked, &tour)?;
    let cx = Setup::context();
    let realm = setup.emulated(&stage.realm_dir(), &cx, running).await?;
    let teller = Teller { setup, running, linked, emulator, tour, stage, cx, realm, output };
    teller.tell().await?;
    Ok(Exit::Done)
}

/// The platform whose story is told.
fn storyteller<'a>(setup: &'a Setup, args: &Demo) -> Result<&'a Linked> {
    if let Some(id) = &args.platform {
        return Ok(setup.registry.get(id)?);
    }
    let has_tour = |linked: &&Linked| linked.emulator().is_some_and(|emulator| emulator.tour().is_some());
    setup.registry.iter().find(has_tour).ok_or_else(no_tour)
}

fn no_tour() -> Error {
    Error::Request("no linked platform has an emulator with a tour".to_owned())
}

/// Where the demo plays: a directory of its own, made anew each time, and left behind to play on in.
struct Stage {
    dir: PathBuf,
    narrow: PathBuf,
}

impl Stage {
    fn set(setup: &Setup, linked: &Linked, tour: &Tour) -> Result<Self> {
        let dir = setup.base_dir()?.join("demo");
        let broken = |error: std::io::Error| Error::Machine(format!("{} cannot be used: {error}", dir.display()));
        if dir.exists() {
            if !dir.join(MARK).exists() {
                return Err(Error::Request(format!(
                    "{} is in the way, and no earlier demo made it; name another place with --data-dir",
                    dir.display()
                )));
            }
            std::fs::remove_dir_all(&dir).map_err(broken)?;
        }
        private::ensure_dir(&dir).map_err(VaultError::from)?;
        std::fs::write(dir.join(MARK), "").map_err(broken)?;
        let narrow = dir.join("narrow.toml");
        std::fs::write(&narrow, narrow_file(linked, tour)).map_err(broken)?;
        Ok(Self { dir, narrow })
    }

    /// Where `--emulator --data-dir` on this directory looks.
    fn realm_dir(&self) -> PathBuf {
        self.dir.join("emulator")
    }
}

/// A configuration that asks for less.
fn narrow_file(linked: &Linked, tour: &Tour) -> String {
    let scopes = tour.narrow_scopes.iter().map(|scope| format!("\"{scope}\"")).collect::<Vec<_>>().join(", ");
    format!("[platforms.{}.apps.{APP}]\nscopes = [{scopes}]\n", linked.id())
}

/// Plays a tour and says what it does.
struct Teller<'a> {
    setup: &'a Setup,
    running: &'a Running,
    linked: &'a Linked,
    emulator: Box<dyn Emulator>,
    tour: Tour,
    stage: Stage,
    cx: Context,
    realm: Realm,
    output: Output,
}

impl Teller<'_> {
    async fn tell(&self) -> Result<()> {
        self.introduce()?;
        let narrow = self.host(true).await?;
        self.connect_everybody(&narrow).await?;
        self.show_metrics(&narrow, 3, "Their metrics. A count that cannot be had says why; it is never 0.", true)
            .await?;
        narrow.drain().await;

        let wide = self.host(false).await?;
        self.widen(&wide).await?;
        self.ask_everybody_again(&wide).await?;
        self.show_metrics(
            &wide,
            6,
            "Their metrics again: the counts are there, and where the person said no, the reason still is.",
            false,
        )
        .await?;
        self.close();
        Ok(())
    }

    fn introduce(&self) -> Result<()> {
        let Realm::Emulated(emulators) = &self.realm else { return Err(no_tour()) };
        let origin = emulators.get(self.linked.id()).map(|info| info.origin.to_string()).unwrap_or_default();
        let name = self.linked.name();
        self.head(1, &format!("An emulator of {name} runs at {origin} and nothing leaves this machine. The connectors in this program:"));
        self.hand(&format!("list{}", self.narrow()));
        list::show(self.setup, &self.config(true)?, self.output);
        Ok(())
    }

    async fn connect_everybody(&self, host: &Host) -> Result<()> {
        let asked = list_scopes(&self.tour.narrow_scopes);
        self.head(
            2,
            &format!(
                "The app asks for little: {asked}. {} people connect, each through the consent page.",
                self.tour.people.len()
            ),
        );
        self.say(&format!("{} holds:\n{}", self.stage.narrow.display(), narrow_file(self.linked, &self.tour)));
        for person in &self.tour.people {
            self.hand(&format!("connect {} --reference {}{}", self.linked.id(), person.name, self.narrow()));
            self.walk(host, person, None, &[]).await?;
        }
        Ok(())
    }

    /// The authorize URL under the whole configuration, and whom asking again would help.
    async fn widen(&self, host: &Host) -> Result<()> {
        self.head(4, "Now the configuration asks for more: the same program, without narrow.toml. This is what the authorize URL carries:");
        self.hand(&format!("connect {} --print-url", self.linked.id()));
        let redirect = "http://127.0.0.1:8740/".parse().map_err(|_| no_tour())?;
        let url = host.authorize_url(self.linked.id(), APP, redirect, Purpose::Reauthorize).await?;
        let name = &self.linked.protocol().oauth.names.scope;
        let scopes = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        self.say(&format!(
            "{}{}?… {name}={}\n",
            url.origin().ascii_serialization(),
            url.path(),
            scopes.unwrap_or_default()
        ));
        self.hand("connections");
        let wanted = &host.platform(self.linked.id().as_str())?.settings.app(APP)?.wanted;
        for connected in self.people(host).await? {
            let drift = wanted.drift(&connected.grant.scopes);
            self.say(&format!(
                "{}: asking again would also ask for {}",
                name_of(&connected),
                list_scopes(drift.with(ScopeStatus::NeverAsked))
            ));
        }
        Ok(())
    }

    async fn ask_everybody_again(&self, host: &Host) -> Result<()> {
        self.head(5, "Each is asked again, in place: the same connection, its history kept.");
        for person in &self.tour.people {
            let connected = ask::one_grant(host, &self.setup.global.tenant, &person.name).await?;
            self.hand(&format!("reconnect {}", person.name));
            if !person.unticked.is_empty() {
                self.say(&format!("{} unticks {}.", name_of(&connected), list_scopes(&person.unticked)));
            }
            self.walk(host, person, Some(&connected), &person.unticked).await?;
        }
        Ok(())
    }

    async fn show_metrics(&self, host: &Host, step: u8, text: &str, narrow: bool) -> Result<()> {
        self.head(step, text);
        self.hand(&format!("metrics{}", if narrow { self.narrow() } else { String::new() }));
        metrics::show(host, &self.people(host).await?, SignedDuration::ZERO, self.output).await?;
        Ok(())
    }

    fn close(&self) {
        self.head(7, "That was all. Everything is still there to play with:");
        for command in ["connections", "metrics"] {
            self.hand(command);
        }
        self.hand(&format!("connect {} --no-browser", self.linked.id()));
        self.say(&format!("\nWith an app of your own: connector-host init {}", self.linked.id()));
    }

    /// One person goes from the authorize URL over the consent page back to the listener, as a browser would.
    async fn walk(
        &self,
        host: &Host,
        person: &TourPerson,
        again: Option<&Connected>,
        unticked: &[Scope],
    ) -> Result<()> {
        let wish = Wish {
            platform: self.linked.id().clone(),
            app: APP.to_owned(),
            reference: Some(person.name.clone()),
            reconnects: again.map(|connected| connected.connection.id.clone()),
            other_account: false,
        };
        let app = host.app(self.linked.id().as_str(), APP)?;
        let browse = Browse { no_browser: false, print_url: false, port: None, redirect_uri: None };
        let mut flow = Flow::begin(host, &self.setup.global.tenant, wish, &app, &browse).await?;
        let url = flow.started.authorize_url.clone();
        let consent = Consent { person: person.name.clone(), unticked: unticked.to_vec(), declined: false };
        let (completed, brought) = tokio::join!(flow.wait(host), self.browse(&url, &consent));
        brought?;
        told(&completed?, self.output);
        Ok(())
    }

    /// The browser's part: consent, then the redirect, then the page it ends at.
    async fn browse(&self, url: &Url, consent: &Consent) -> Result<()> {
        let redirect = self.emulator.consent(&self.cx, url, consent).await?;
        let answer =
            self.cx.send(Request::new(Method::GET, redirect.clone(), Policy::TOKEN)).await.map_err(CoreError::from)?;
        if let Some(next) =
            answer.headers.get("location").and_then(|value| value.to_str().ok()).and_then(|to| redirect.join(to).ok())
        {
            self.cx.send(Request::new(Method::GET, next, Policy::TOKEN)).await.map_err(CoreError::from)?;
        }
        Ok(())
    }

    async fn people(&self, host: &Host) -> Result<Vec<Connected>> {
        ask::all(host, &self.setup.global.tenant).await
    }

    fn config(&self, narrow: bool) -> Result<Config> {
        let mut files = self.setup.files();
        files.overlays.extend(narrow.then(|| self.stage.narrow.clone()));
        files.load(&self.setup.registry)
    }

    async fn host(&self, narrow: bool) -> Result<Host> {
        let dir: &Path = &self.stage.realm_dir();
        self.setup.open(self.config(narrow)?, dir, self.cx.clone(), self.realm.clone(), self.running, self.output).await
    }

    fn head(&self, step: u8, text: &str) {
        self.say(&format!("\n{}", format!("{step}. {text}").bold()));
    }

    /// The option that makes the app ask for less.
    fn narrow(&self) -> String {
        format!(" --overlay {}", self.stage.narrow.display())
    }

    /// The command that does by hand what comes next.
    fn hand(&self, command: &str) {
        let files = self.setup.file_options();
        let line = format!("$ connector-host {command}{files} --emulator --data-dir {}", self.stage.dir.display());
        self.say(&line.dimmed().to_string());
    }

    fn say(&self, text: &str) {
        if !self.output.is_json() {
            self.output.say(text);
        }
    }
}

fn name_of(connected: &Connected) -> String {
    format::text(connected.connection.profile.label().unwrap_or(&connected.connection.account_id))
}
