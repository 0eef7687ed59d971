use http::Method;
use serde_json::{Value, json};
use url::Url;

use super::cli::{Cli, Running};
use super::web::Web;

/// An emulator in a process of its own, for as long as this value lives.
pub(crate) struct Emulator {
    _running: Running,
    web: Web,
    pub(crate) base: Url,
    pub(crate) admin_token: String,
}

impl Emulator {
    pub(crate) fn start(command: Cli) -> Self {
        let mut running = command.start();
        let document = running.document();
        let text = |key: &str| document[key].as_str().unwrap().to_owned();
        Self {
            base: text("base_url").parse().unwrap(),
            admin_token: text("admin_token"),
            web: Web::new(),
            _running: running,
        }
    }

    pub(crate) fn state(&self) -> Value {
        self.admin(Method::GET, "/admin/state", None)
    }

    pub(crate) fn record(&self) -> Value {
        self.admin(Method::GET, "/admin/record", None)
    }

    /// Every code and token handed out.
    pub(crate) fn issued(&self) -> Vec<(String, String)> {
        let issued = self.admin(Method::GET, "/admin/issued", None);
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        issued["issued"].as_array().unwrap().iter().map(|row| (text(row, "kind"), text(row, "value"))).collect()
    }

    pub(crate) fn switch(&self, switches: &Value) {
        self.admin(Method::POST, "/admin/switches", Some(switches));
    }

    /// Every token expires so soon that each command refreshes it first.
    pub(crate) fn let_tokens_expire_at_once(&self) {
        self.switch(&json!({ "access_lifetime_seconds": 30 }));
    }

    /// The next calls of an endpoint go wrong.
    pub(crate) fn fail(&self, order: &Value) {
        self.admin(Method::POST, "/admin/fail", Some(order));
    }

    /// Somebody takes back these scopes, or everything, at the platform.
    pub(crate) fn withdraw(&self, person: &str, scopes: Option<&[&str]>) {
        let mut order = json!({ "person": person });
        if let Some(scopes) = scopes {
            order["scopes"] = json!(scopes);
        }
        self.admin(Method::POST, "/admin/withdraw", Some(&order));
    }

    /// Its clock goes ahead of the machine's.
    pub(crate) fn advance(&self, seconds: i64) {
        self.admin(Method::POST, "/admin/clock", Some(&json!({ "advance_seconds": seconds })));
    }

    /// How many refreshes gave new tokens, and how many came with a token that was replaced before.
    pub(crate) fn refreshes(&self) -> (u64, u64) {
        let record = self.record();
        (record["refreshes"].as_u64().unwrap(), record["reuses"].as_u64().unwrap())
    }

    pub(crate) fn edit(&self, person: &str, changes: &Value) {
        self.admin(Method::POST, &format!("/admin/people/{person}"), Some(changes));
    }

    /// A field of a person, as the platform would give it.
    pub(crate) fn field(&self, person: &str, field: &str) -> Value {
        let state = self.state();
        let person = state["people"].as_array().unwrap().iter().find(|row| row["name"] == person).unwrap();
        person["fields"][field].clone()
    }

    /// The requests that an endpoint saw.
    pub(crate) fn requests(&self, endpoint: &str) -> Vec<Value> {
        let record = self.record();
        let requests = record["requests"].as_array().unwrap();
        requests.iter().filter(|request| request["endpoint"] == endpoint).cloned().collect()
    }

    /// The grants of a person that have not ended.
    pub(crate) fn live_grants(&self, person: &str) -> usize {
        let state = self.state();
        let grants = state["grants"].as_array().unwrap();
        grants.iter().filter(|grant| grant["person"] == person && grant["ended_at"].is_null()).count()
    }

    pub(crate) fn admin(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        self.web.json(method, &self.base.join(path).unwrap(), &self.admin_token, body)
    }
}
