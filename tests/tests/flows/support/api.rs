use connector_core::http::{Policy, RawAnswer, Request, Retries};
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use super::cli::{Cli, Running};
use super::person;
use super::stage::Stage;

/// Where the product has the browser sent back to. The emulator lets a desktop app return to this machine alone.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:3000/callback/";

/// A test asks as fast as it can.
pub(crate) const SERVE: &str = "serve --listen 127.0.0.1:0 --json --every 1h --key-rate 10000";

const PROBLEM: &str = "urn:connector-host:problem:";

/// A host that runs, and a product with a key.
pub(crate) struct Api {
    pub(crate) stage: Stage,
    running: Running,
    base: Url,
    pub(crate) key: String,
}

impl Api {
    pub(crate) fn new(rights: &str) -> Self {
        let stage = Stage::new();
        let command = stage.cli(SERVE);
        Self::of(stage, command, rights)
    }

    pub(crate) fn of(stage: Stage, command: Cli, rights: &str) -> Self {
        let key = key(&stage, "product", &format!("--rights {rights}"));
        let mut running = command.start();
        let base: Url = running.document()["listening"].as_str().unwrap().parse().unwrap();
        Self { stage, running, base, key }
    }

    pub(crate) fn send(
        &self,
        method: Method,
        path: &str,
        key: &str,
        tenant: Option<&str>,
        body: Option<&Value>,
    ) -> RawAnswer {
        let mut request = self.request(method, path, key);
        if let Some(tenant) = tenant {
            request =
                request.header(HeaderName::from_static("connector-tenant"), HeaderValue::from_str(tenant).unwrap());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request)
    }

    /// A request by a key, if it is not empty.
    pub(crate) fn request(&self, method: Method, path: &str, key: &str) -> Request {
        let url = self.base.join("/api/v1/").unwrap().join(path).unwrap();
        let request = Request::new(method, url, Policy { retries: Retries::Never, ..Policy::TOKEN });
        if key.is_empty() { request } else { request.bearer(&key.into()).unwrap() }
    }

    pub(crate) fn answer(&self, request: Request) -> RawAnswer {
        self.stage.web.wait(self.stage.web.cx.send(request)).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> RawAnswer {
        self.send(Method::GET, path, &self.key, None, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RawAnswer {
        self.send(Method::POST, path, &self.key, None, Some(body))
    }

    /// Starts a flow of the product and walks its consent page. Gives the flow's id and what the browser came back with.
    pub(crate) fn flow(&self, start: &Value, walk: impl FnOnce(&Url) -> Url) -> (String, String) {
        let flow = fine(&self.post("flows", start));
        let back = walk(&flow["authorize_url"].as_str().unwrap().parse().unwrap());
        assert!(back.as_str().starts_with(REDIRECT), "{}", back.path());
        (flow["id"].as_str().unwrap().to_owned(), back.query().unwrap().to_owned())
    }

    pub(crate) fn connect(&self, name: &str) -> Value {
        let start = json!({ "platform": "tiktok", "redirect_uri": REDIRECT, "reference": format!("user-{name}") });
        let (flow, query) = self.flow(&start, |url| self.stage.consent_at(url, &person(name)));
        let ended = fine(&self.post(&format!("flows/{flow}/complete"), &json!({ "query": query })));
        ended["connections"][0].clone()
    }

    pub(crate) fn end(self) {
        self.running.terminate();
        self.running.done().ends(0, &[]);
    }
}

pub(crate) fn key(stage: &Stage, name: &str, args: &str) -> String {
    stage.cli("api-keys create").arg(name).args(args).run().ok().out.trim().to_owned()
}

/// What a request that was done brought.
pub(crate) fn fine(answer: &RawAnswer) -> Value {
    let text = String::from_utf8_lossy(&answer.body);
    assert!((200..300).contains(&answer.status), "{}: {text}", answer.status);
    answer.json().unwrap()
}

/// That a request was refused so.
pub(crate) fn refused(answer: &RawAnswer, status: u16, word: &str) -> Value {
    let problem: Value = answer.json().unwrap();
    assert_eq!((answer.status, problem["type"].as_str()), (status, Some(&*format!("{PROBLEM}{word}"))), "{problem}");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert!(answer.headers.contains_key("x-request-id"));
    problem
}
