//! The whole story on an emulator, as any connector's tour tells it.

use std::path::{Path, PathBuf};

use connector_core::config::Config;
use connector_core::emulator::{Consent, Emulator, Tour, TourPerson};
use connector_core::http::{Policy, Request};
use connector_core::oauth::Purpose;
use connector_core::scope::list_scopes;
use connector_core::{Context, Error as CoreError, Linked, Scope};
use http::Method;
use jiff::SignedDuration;
use owo_colors::OwoColorize as _;
use url::Url;

use super::args::{Browse, Demo, Global, TENANT};
use super::connect::print_url;
use super::exit::Exit;
use super::flow::{Flows, Wish};
use super::output::Output;
use super::running::Running;
use super::setup::Setup;
use super::told::told;
use super::{ask, connections, format, list, metrics};
use crate::apps::Realm;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::private_files;
use crate::shell;
use crate::store::Connected;
use crate::usual::APP;

/// Says that a directory was made by an earlier demo, so that the next one may remove it.
const MARK: &str = "made-by-demo";

pub(super) async fn run(setup: &Setup, running: &Running, args: &Demo, output: Output) -> Result<Exit> {
    if output.is_json() {
        return Err(Error::Request("`demo` tells a story to people; the commands it shows take --json".to_owned()));
    }
    let linked = storyteller(setup, args)?;
    let emulator = linked.emulator().ok_or_else(no_tour)?;
    let tour = emulator.tour().ok_or_else(no_tour)?;
    let stage = Stage::set(setup, linked, &tour)?;
    let cx = Setup::context();
    let realm = setup.emulated(&stage.realm_dir(), &cx, running).await?;
    let teller = Teller { setup, running, linked, emulator, tour, stage, cx, realm, output: output.telling() };
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
        private_files::ensure_dir(&dir)?;
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
        self.head(3, "Their metrics.", "A count that cannot be had says why: it is never 0, and never made up.");
        self.show_metrics(&narrow, true).await?;
        narrow.drain().await;

        let wide = self.host(false).await?;
        self.widen(&wide).await?;
        self.ask_everybody_again(&wide).await?;
        self.head(6, "Their metrics again.", "The counts are there; where a person said no, that is the reason shown.");
        self.show_metrics(&wide, false).await?;
        self.close();
        Ok(())
    }

    fn introduce(&self) -> Result<()> {
        let Realm::Emulated(emulators) = &self.realm else { return Err(no_tour()) };
        let origin = emulators.get(self.linked.id()).map(|info| info.origin.to_string()).unwrap_or_default();
        self.head(
            1,
            &format!("An emulator of {} runs at {origin}", self.linked.name()),
            "It answers as the platform would, so all of this runs without any account.",
        );
        self.hand("list", true);
        list::show(self.setup, &self.config(true)?, true, self.output);
        Ok(())
    }

    async fn connect_everybody(&self, host: &Host) -> Result<()> {
        self.head(
            2,
            &format!("{} people connect, each through the consent page.", self.tour.people.len()),
            &format!(
                "The app asks them for little, {}: one line of a file says so, no code.",
                list_scopes(&self.tour.narrow_scopes)
            ),
        );
        self.output.say(format!("{} holds:", self.stage.narrow.display()));
        self.output.say(narrow_file(self.linked, &self.tour).trim_end());
        for person in &self.tour.people {
            let reference = shell::word(&person.name);
            self.hand(&format!("connect {} --reference {reference}", self.linked.id()), true);
            self.walk(host, person, None, &[]).await?;
        }
        Ok(())
    }

    /// The authorize URL under the whole configuration, and whom asking again would help.
    async fn widen(&self, host: &Host) -> Result<()> {
        self.head(
            4,
            "Now the configuration asks for more.",
            "The same program without narrow.toml: scopes change by a file, not a build.",
        );
        self.hand(&format!("connect {} --print-url", self.linked.id()), false);
        let id = self.linked.id();
        let (platform, app) = (host.platform(id.as_str())?, host.app(id.as_str(), APP)?);
        let connector = platform.connector.as_ref();
        print_url(&self.cx, connector, id, &app, Purpose::Connect, &browse(), self.output).await?;
        let wanted = &app.wanted;
        self.remark(&format!("This address carries the scopes {}.", list_scopes(&wanted.requested())));
        self.hand("connections", false);
        connections::list(host, &self.setup.global.tenant, self.output).await?;
        self.remark("What was connected goes on working; the hints say what asking again adds.");
        Ok(())
    }

    async fn ask_everybody_again(&self, host: &Host) -> Result<()> {
        self.head(
            5,
            "Each is asked again, in place.",
            "The connection keeps its id and history, so whatever refers to it works on.",
        );
        for person in &self.tour.people {
            let connected = ask::one_grant(host, &self.setup.global.tenant, &person.name).await?;
            self.hand(&format!("reconnect {}", shell::word(&person.name)), false);
            if !person.unticked.is_empty() {
                self.remark(&format!("{} unticks {}.", name_of(&connected), list_scopes(&person.unticked)));
            }
            self.walk(host, person, Some(&connected), &person.unticked).await?;
        }
        Ok(())
    }

    async fn show_metrics(&self, host: &Host, narrow: bool) -> Result<()> {
        self.hand("metrics", narrow);
        metrics::show(host, &self.people(host).await?, SignedDuration::ZERO, self.output).await?;
        Ok(())
    }

    fn close(&self) {
        self.head(7, "That was all.", "Everything is still there to play with, until the next demo:");
        for command in ["connections", "metrics"] {
            self.hand(command, false);
        }
        self.hand(&format!("connect {} --no-browser", self.linked.id()), false);
        self.remark(&format!("With an app of your own: connector-host init {}", self.linked.id()));
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
            reference: Some(person.name.clone()),
            reconnects: again.map(|connected| connected.connection.id.clone()),
            other_account: false,
        };
        let app = host.app(self.linked.id().as_str(), APP)?;
        let mut flows = Flows::open(host, &self.setup.global.tenant, self.linked.id(), &app, &browse()).await?;
        let url = flows.begin(host, wish).await?;
        let consent = Consent { person: person.name.clone(), unticked: unticked.to_vec(), declined: false };
        let (completed, brought) = tokio::join!(flows.wait(host, self.output), self.browse(&url, &consent));
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
        Ok(files.load(&self.setup.registry)?)
    }

    async fn host(&self, narrow: bool) -> Result<Host> {
        let dir: &Path = &self.stage.realm_dir();
        self.setup.open(self.config(narrow)?, dir, self.cx.clone(), self.realm.clone(), self.running, self.output).await
    }

    /// What happens in a step, and why it matters.
    fn head(&self, step: u8, what: &str, why: &str) {
        let gap = if step == 1 { "" } else { "\n" };
        self.output.say(format!("{gap}{}", format!("{step}. {what}").bold()));
        self.remark(why);
    }

    /// A sentence about what was just shown, or comes next.
    fn remark(&self, text: &str) {
        self.output.say(format::folded("   ", text));
    }

    /// The command that does by hand what comes next, on the configuration that asks for less or on the whole one.
    fn hand(&self, command: &str, narrow: bool) {
        let path = |path: &Path| shell::path(path);
        let files = self.setup.file_options();
        let overlay = if narrow { format!(" --overlay {}", path(&self.stage.narrow)) } else { String::new() };
        let Global { tenant, .. } = &self.setup.global;
        let tenant = if tenant == TENANT { String::new() } else { format!(" --tenant {}", shell::word(tenant)) };
        let dir = path(&self.stage.dir);
        let line = format!("$ connector-host {command}{files}{overlay} --emulator{tenant} --data-dir {dir}");
        self.output.say(line.dimmed());
    }
}

/// How a person of the story gets there: without options.
fn browse() -> Browse {
    Browse { no_browser: false, print_url: false, port: None, redirect_uri: None }
}

fn name_of(connected: &Connected) -> String {
    format::text(connected.connection.profile.label().unwrap_or(&connected.connection.account_id))
}
