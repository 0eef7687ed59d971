//! An emulator that runs, and what a test does to it.

use std::path::Path;
use std::sync::Arc;

use connector_core::emulator::{Consent, EmulatedApp, Emulator as _, RunningEmulator, StartEmulator};
use connector_core::http::{Policy, RawAnswer, Request, ReqwestTransport};
use connector_core::testing::FakeClock;
use connector_core::{Context, Error, Scope, Secret, SystemRandom};
use connector_tiktok::emulator::TikTokEmulator;
use http::Method;
use serde_json::{Value, json};
use url::Url;

pub(crate) const ALL: &str = "user.info.basic,user.info.profile,user.info.stats,video.list,video.publish,video.upload";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const HEX: &str = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3";
pub(crate) const BASE64URL: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const CALLBACK: &str = "http://127.0.0.1:41234/oauth/callback/tiktok/default";
pub(crate) const WEB_CALLBACK: &str = "https://app.example/oauth/callback/tiktok/default";

/// An emulator that runs, and what a test does to it.
pub(crate) struct Lab {
    pub(crate) running: RunningEmulator,
    pub(crate) cx: Context,
    pub(crate) admin_token: Secret,
}

/// What a code was exchanged for.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) answer: Value,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::open(None, None).await.unwrap()
    }

    pub(crate) async fn open(state: Option<&Path>, port: Option<u16>) -> Result<Self, Error> {
        let cx =
            Context::new(Arc::new(ReqwestTransport::new()), Arc::new(FakeClock::default()), Arc::new(SystemRandom));
        let admin_token = cx.random_token()?;
        let options =
            StartEmulator { port, state: state.map(Path::to_owned), admin_token: admin_token.clone(), cx: cx.clone() };
        Ok(Self { running: TikTokEmulator.start(options).await?, cx, admin_token })
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        self.running.info.origin.join(path).unwrap()
    }

    pub(crate) fn app(&self, name: &str) -> &EmulatedApp {
        self.running.info.apps.iter().find(|app| app.name == name).unwrap()
    }

    pub(crate) async fn send(&self, request: Request) -> RawAnswer {
        self.cx.send(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> RawAnswer {
        self.send(Request::new(Method::GET, self.url(path), Policy::READ)).await
    }

    pub(crate) fn authorize_url(&self, app: &str, changes: &[(&str, &str)]) -> Url {
        let redirect_uri = if app == "web" { WEB_CALLBACK } else { CALLBACK };
        let mut params = vec![
            ("client_key", self.app(app).client_id.as_str()),
            ("scope", ALL),
            ("response_type", "code"),
            ("redirect_uri", redirect_uri),
            ("state", "st4te"),
            ("code_challenge", HEX),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            params.retain(|(key, _)| key != name);
            params.push((name, value));
        }
        params.retain(|(_, value)| !value.is_empty());
        let mut url = self.url("/v2/auth/authorize/");
        url.query_pairs_mut().extend_pairs(params);
        url
    }

    pub(crate) async fn consent(&self, url: &Url, person: &str, unticked: &[&str]) -> Result<Url, Error> {
        let unticked = unticked.iter().map(|scope| scope.parse::<Scope>().unwrap()).collect();
        let consent = Consent { person: person.to_owned(), unticked, declined: false };
        TikTokEmulator.consent(&self.cx, url, &consent).await
    }

    pub(crate) async fn code(&self, app: &str, person: &str, changes: &[(&str, &str)]) -> String {
        let back = self.consent(&self.authorize_url(app, changes), person, &[]).await.unwrap();
        param(&back, "code").unwrap()
    }

    /// Posts a form of an OAuth endpoint, with the app's own credentials unless told otherwise.
    pub(crate) async fn oauth(&self, path: &str, app: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let app = self.app(app);
        let mut form = vec![("client_key", app.client_id.as_str()), ("client_secret", app.client_secret.expose())];
        for (name, value) in fields {
            form.retain(|(key, _)| key != name);
            form.push((name, value));
        }
        form.retain(|(_, value)| !value.is_empty());
        let answer = self.send(Request::new(Method::POST, self.url(path), Policy::TOKEN).form(form)).await;
        let log_id = answer.headers["x-tt-logid"].to_str().unwrap();
        let (time, rest) = log_id.split_at(14);
        assert!(time.chars().all(|c| c.is_ascii_digit()), "{log_id}");
        assert!(rest.len() == 20 && rest.chars().all(|c| matches!(c, '0'..='9' | 'A'..='F')), "{log_id}");
        assert!(answer.headers["cache-control"].to_str().unwrap().contains("no-store"));
        (answer.status, answer.json().unwrap_or_default())
    }

    pub(crate) async fn exchange(&self, app: &str, code: &str, changes: &[(&str, &str)]) -> (u16, Value) {
        let redirect_uri = if app == "web" { WEB_CALLBACK } else { CALLBACK };
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        fields.extend_from_slice(changes);
        self.oauth("/v2/oauth/token/", app, &fields).await
    }

    pub(crate) async fn connect(&self, app: &str, person: &str, scope: &str) -> Tokens {
        let code = self.code(app, person, &[("scope", scope)]).await;
        tokens(self.exchange(app, &code, &[]).await.1)
    }

    pub(crate) async fn refresh(&self, app: &str, token: &str) -> (u16, Value) {
        self.oauth("/v2/oauth/token/", app, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub(crate) async fn user_info(&self, token: &str, fields: &str) -> (u16, Value) {
        let mut url = self.url("/v2/user/info/");
        url.query_pairs_mut().append_pair("fields", fields);
        let request = Request::new(Method::GET, url, Policy::READ).bearer(&token.into()).unwrap();
        let answer = self.send(request).await;
        (answer.status, answer.json().unwrap())
    }

    pub(crate) async fn admin(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = match &body {
            Some(body) => Request::new(Method::POST, self.url(path), Policy::READ).json(body),
            None => Request::new(Method::GET, self.url(path), Policy::READ),
        };
        let answer = self.send(request.bearer(&self.admin_token).unwrap()).await;
        (answer.status, answer.json().unwrap())
    }

    pub(crate) async fn set(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.admin(path, Some(body)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub(crate) async fn advance(&self, seconds: i64) {
        self.set("/admin/clock", json!({"advance_seconds": seconds})).await;
    }

    pub(crate) async fn issued(&self) -> Vec<String> {
        let (_, issued) = self.admin("/admin/issued", None).await;
        issued["issued"].as_array().unwrap().iter().map(|row| row["value"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn tokens(answer: Value) -> Tokens {
    let text = |key: &str| answer[key].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    Tokens { access: text("access_token"), refresh: text("refresh_token"), answer }
}

pub(crate) fn param(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(crate) fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// The answer is the fixture, but for its request id.
#[track_caller]
pub(crate) fn is(answer: &Value, name: &str) {
    let mut expected = fixture(name);
    for pointer in ["/log_id", "/error/log_id"] {
        if let (Some(theirs), Some(ours)) = (expected.pointer_mut(pointer), answer.pointer(pointer)) {
            assert_eq!(ours.as_str().map(str::len), theirs.as_str().map(str::len), "{answer}");
            *theirs = ours.clone();
        }
    }
    assert_eq!(*answer, expected, "{name}");
}

/// The answer has the fixture's keys and types.
#[track_caller]
pub(crate) fn is_like(answer: &Value, name: &str) {
    assert_eq!(shape(answer), shape(&fixture(name)), "{name}");
}

pub(crate) fn shape(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::String(_) => json!("string"),
        Value::Number(_) => json!("number"),
        Value::Bool(_) => json!("bool"),
        other => other.clone(),
    }
}
