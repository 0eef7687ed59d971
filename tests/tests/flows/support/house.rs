//! A host whose pages people sign in to.

use std::cell::Cell;

use connector_core::http::RawAnswer;
use http::header::LOCATION;
use serde_json::Value;
use url::Url;

use super::browser::Browser;
use super::{Running, Stage};

/// The password of both.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A host that runs, with the admin `ada` and the member `grace` of the tenant `acme`.
pub(crate) struct House {
    pub(crate) stage: Stage,
    pub(crate) url: Url,
    pub(crate) running: Cell<Option<Running>>,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// One that is started with these options as well.
    pub(crate) fn with(args: &str) -> Self {
        let stage = Stage::new();
        password_of(&stage, "admin create ada", PASSWORD);
        password_of(&stage, "users create grace --tenant acme", PASSWORD);
        let (running, told) = serve(&stage, args);
        assert_eq!(told["set_up"], Value::Null, "there is an admin");
        let url = told["listening"].as_str().unwrap().parse().unwrap();
        Self { stage, url, running: Cell::new(Some(running)) }
    }

    pub(crate) fn at(&self, path: &str) -> Url {
        self.url.join(path).unwrap()
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser::new(&self.stage.web)
    }

    /// A browser in which somebody has signed in.
    pub(crate) fn signed_in(&self, name: &str) -> Browser<'_> {
        let browser = self.browser();
        let answer = self.sign_in(&browser, name, PASSWORD, "");
        assert_eq!((answer.status, answer.headers[LOCATION].to_str().unwrap()), (303, "/"), "{}", text(&answer));
        browser
    }

    pub(crate) fn sign_in(&self, browser: &Browser<'_>, name: &str, password: &str, next: &str) -> RawAnswer {
        let token = form_token(&browser.open(&self.at("/sign-in")));
        let fields = [("form_token", token.as_str()), ("name", name), ("password", password), ("next", next)];
        browser.submit(&self.at("/sign-in"), &fields)
    }

    /// What every form of this browser's session carries.
    pub(crate) fn token(&self, browser: &Browser<'_>) -> String {
        form_token(&browser.open(&self.at("/account")))
    }

    pub(crate) fn is_in(&self, browser: &Browser<'_>) -> bool {
        browser.open(&self.at("/account")).status == 200
    }

    pub(crate) fn id_of(&self, name: &str) -> String {
        let users = self.stage.cli("users list --json").run().ok().json();
        let user = users.as_array().unwrap().iter().find(|user| user["name"] == name).unwrap().clone();
        user["id"].as_str().unwrap().to_owned()
    }

    /// Stops the host, and takes down what it said.
    pub(crate) fn end(&self) {
        let running = self.running.take().unwrap();
        running.terminate();
        running.done().ends(0, &[]);
    }

    /// Everything that a form could change.
    pub(crate) fn state(&self) -> Vec<String> {
        let sessions = "SELECT digest || user_id FROM sessions ORDER BY digest";
        let users = "SELECT name || tenant || password_hash || coalesce(disabled_at, '') FROM users ORDER BY name";
        let file = connector_host::testing::DatabaseFile::in_dir(&self.stage.realm());
        [file.texts(sessions).unwrap(), file.texts(&users.replace("|| tenant", "|| coalesce(tenant, '')")).unwrap()]
            .concat()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.terminate();
        }
    }
}

/// Runs a host, and gives what it says first.
pub(crate) fn serve(stage: &Stage, args: &str) -> (Running, Value) {
    let mut running = stage.cli("serve --listen 127.0.0.1:0 --json --every 1h").args(args).start();
    let told = running.document();
    (running, told)
}

fn password_of(stage: &Stage, command: &str, password: &str) {
    let mut running = stage.cli(command).args("--password-file -").with_input().start();
    running.paste(password);
    running.done().ok();
}

/// An answer as text.
pub(crate) fn text(answer: &RawAnswer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// What the forms of a page carry.
pub(crate) fn form_token(answer: &RawAnswer) -> String {
    let page = text(answer);
    let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap_or_else(|| panic!("{page}"));
    rest.split_once('"').unwrap().0.to_owned()
}
