//! People who come by the command line or by a link, without a login of this host.

use serde_json::{Value, json};
use url::Url;

use crate::chromium::{Chromium, origin, origins};
use crate::support::Stage;

/// A person's window, which keeps its cookies from steps to steps.
struct Window<'s> {
    chromium: Chromium,
    stage: &'s Stage,
}

impl<'s> Window<'s> {
    fn open(stage: &'s Stage) -> Option<Self> {
        Some(Self { chromium: Chromium::here()?, stage })
    }

    /// Goes to an address, and does what else is said. Only these origins are asked for anything.
    fn visit(&self, url: &Url, origins: &[String], steps: &[(&str, Value)]) {
        let state = self.stage.path("cookies.json");
        let told = json!({ "state": state, "origins": origins, "url": url.as_str(), "steps": steps });
        self.chromium.run(self.stage, "steps.mjs", &told);
    }

    /// Goes to a consent page, and comes back.
    fn consent(&self, url: &Url, steps: &[(&str, Value)]) {
        self.visit(url, &origins(url), steps);
    }
}

fn clicks(selector: &str) -> (&'static str, Value) {
    ("clicks", json!(selector))
}

fn reads(selector: &str, text: &str) -> (&'static str, Value) {
    ("reads", json!([selector, text]))
}

fn keeps(name: &str) -> (&'static str, Value) {
    ("keeps", json!(name))
}

/// The code is gone from the address.
const PLAIN: (&str, Value) = ("plain", Value::Null);

#[test]
fn a_click_in_a_browser_connects_the_account() {
    let stage = Stage::new();
    let Some(window) = Window::open(&stage) else { return };
    let mut running = stage.cli("connect tiktok --no-browser").start();
    window.consent(
        &running.url(),
        &[
            clicks("input[name=person][value=jonas]"),
            clicks("input[name=scope][value='video.list']"),
            keeps("consent"),
            reads("h1", "Authorize"),
            clicks("button[value=authorize]"),
            reads("main.well h1", "Connected"),
            reads("main", "Jonas is connected."),
            keeps("done"),
            PLAIN,
        ],
    );
    running.done().ends(0, &["Connected Jonas (tiktok)", "Asked for, and not granted: video.list."]);

    let row = stage.metrics("");
    assert_eq!(row["metrics"]["followers"]["value"], stage.tiktok.field("jonas", "follower_count"));
    stage
        .cli("connections show jonas_8841")
        .run()
        .ends(0, &["video.list         not_granted", "user.info.stats    granted"]);
    stage.cli("metrics -vv --max-age 0").run().ok();
    stage.assert_nothing_leaked();
}

#[test]
fn a_browser_that_has_consented_is_asked_again_only_to_reconnect() {
    let stage = Stage::new();
    let Some(window) = Window::open(&stage) else { return };
    let connect = |command: &str, steps: &[(&str, Value)]| {
        let mut running = stage.cli(command).start();
        window.consent(&running.url(), steps);
        running.done()
    };
    let (authorize, well) = (clicks("button[value=authorize]"), reads("main.well", "is connected."));
    let noor = clicks("input[name=person][value=noor]");
    connect("connect tiktok --no-browser", &[noor, authorize.clone(), well.clone()]).ok();
    // The page is passed over.
    connect("connect tiktok --no-browser", std::slice::from_ref(&well)).ok();
    // Who is logged in is chosen.
    let chosen = ("finds", json!("input[name=person][value=noor]:checked"));
    let again = [chosen, keeps("consent-again"), authorize, reads("main.well h1", "")];
    connect("reconnect noor.moon --no-browser", &again).ends(0, &["Reconnected"]);
    assert_eq!(stage.connections().len(), 1);
}

#[test]
fn a_click_on_cancel_connects_nothing() {
    let stage = Stage::new();
    let Some(window) = Window::open(&stage) else { return };
    let mut running = stage.cli("connect tiktok --no-browser").start();
    window.consent(
        &running.url(),
        &[
            clicks("button[value=cancel]"),
            reads("main.ill h1", "Not connected"),
            reads("main", "the person did not allow access"),
            keeps("cancelled"),
        ],
    );
    running.done().ends(3, &["the person did not allow access"]);
    assert!(stage.connections().is_empty());
}

#[test]
fn a_person_without_a_login_connects_by_a_link_and_may_try_again() {
    let stage = Stage::new();
    let Some(window) = Window::open(&stage) else { return };
    let mut serve = stage.cli("serve --listen 127.0.0.1:0 --json --every 1h").start();
    let host: Url = serve.document()["listening"].as_str().unwrap().parse().unwrap();
    let origins = [origin(&host), origin(&stage.tiktok.base)];
    let link = stage.cli("links create tiktok --reference user-7 --json").run().ok().json();
    let url = link["url"].as_str().unwrap().parse().unwrap();
    let (go, jonas) = (clicks("form button"), clicks("input[name=person][value=jonas]"));
    window.visit(
        &url,
        &origins,
        &[
            reads("h1", "Connect your TikTok account"),
            keeps("link"),
            go.clone(),
            jonas.clone(),
            clicks("button[value=cancel]"),
            reads("main.ill", "You did not allow access"),
            keeps("link-declined"),
            go,
            jonas,
            clicks("button[value=authorize]"),
            reads("main.well", "Jonas is connected."),
            keeps("link-connected"),
            PLAIN,
        ],
    );
    assert_eq!(stage.connections()[0]["reference"], "user-7");
    window.visit(&url, &origins, &[("brings", json!(410)), reads("main", "has been used")]);
    serve.terminate();
    serve.done().ends(0, &[]);
}
