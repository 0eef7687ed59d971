use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector_core::http::{Policy, Request};
use connector_tests::missing::skipped;
use http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::support::Stage;
use crate::support::web::Web;

const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";

/// The key of an element's id in every answer (`WebDriver` section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A Chromium without a window, for as long as this value lives.
pub(crate) struct Browser {
    web: Web,
    session: Url,
    _driver: Driver,
}

/// The program that drives it. It is killed when the test ends.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Browser {
    /// Opens one with a fresh profile; without Chromium on this machine, none.
    pub(crate) fn open(stage: &Stage) -> Option<Self> {
        if let Some(missing) = [CHROMIUM, CHROMEDRIVER].into_iter().find(|path| !Path::new(path).exists()) {
            skipped("chromium", &format!("{missing} is not there; install the packages chromium and chromium-driver"));
            return None;
        }
        let (driver, port) = drive(&stage.path("."));
        let root: Url = format!("http://127.0.0.1:{port}/session").parse().unwrap();
        let web = Web::new();
        let opened = web.json(Method::POST, &root, "", Some(&capabilities(&stage.path("profile"))));
        let session = format!("{root}/{}/", opened["value"]["sessionId"].as_str().unwrap()).parse().unwrap();
        let browser = Self { web, session, _driver: driver };
        browser.post("timeouts", &json!({ "implicit": 30_000 }));
        Some(browser)
    }

    pub(crate) fn visit(&self, url: &Url) {
        self.post("url", &json!({ "url": url.as_str() }));
    }

    /// Where it is.
    pub(crate) fn url(&self) -> Url {
        self.get("url").as_str().unwrap().parse().unwrap()
    }

    /// Clicks the element that a CSS selector names, once it is there.
    pub(crate) fn click(&self, selector: &str) {
        self.post(&format!("{}/click", self.element(selector)), &json!({}));
    }

    /// What a person reads in an element, once it is there.
    pub(crate) fn text(&self, selector: &str) -> String {
        self.get(&format!("{}/text", self.element(selector))).as_str().unwrap().to_owned()
    }

    pub(crate) fn is_selected(&self, selector: &str) -> bool {
        self.get(&format!("{}/selected", self.element(selector))) == true
    }

    /// Keeps what a person sees, for whoever wants to look: `target/tmp/browser-<name>.png`.
    pub(crate) fn screenshot(&self, name: &str) {
        let picture = STANDARD.decode(self.get("screenshot").as_str().unwrap()).unwrap();
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{name}.png")), picture).unwrap();
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector }));
        format!("element/{}", found[ELEMENT].as_str().unwrap())
    }

    fn get(&self, path: &str) -> Value {
        self.web.json(Method::GET, &self.session.join(path).unwrap(), "", None)["value"].clone()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.web.json(Method::POST, &self.session.join(path).unwrap(), "", Some(body))["value"].clone()
    }
}

impl Drop for Browser {
    /// Chromium ends with its session; it would outlive a driver that is killed.
    fn drop(&mut self) {
        if let Ok(session) = self.session.as_str().trim_end_matches('/').parse() {
            // The driver may have ended by itself.
            let _ = self.web.wait(self.web.cx.send(Request::new(Method::DELETE, session, Policy::TOKEN)));
        }
    }
}

/// Starts the driver, and gives the port it says it listens on.
fn drive(home: &Path) -> (Driver, u16) {
    let mut command = Command::new(CHROMEDRIVER);
    command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let mut driver = Driver(command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut said = BufReader::new(driver.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = said.find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
    let port = port.unwrap();
    // What it says later has somewhere to go.
    std::thread::spawn(move || said.count());
    (driver, port)
}

fn capabilities(profile: &Path) -> Value {
    let mut args: Vec<String> = [
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "disable-dev-shm-usage",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "window-size=900,1100",
    ]
    .map(|flag| format!("--{flag}"))
    .to_vec();
    args.push(format!("--user-data-dir={}", profile.display()));
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": { "binary": CHROMIUM, "args": args },
    }}})
}
