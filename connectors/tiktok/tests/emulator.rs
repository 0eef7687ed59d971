//! The emulator over loopback, against the fixtures.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use connector_core::emulator::{Consent, EmulatedApp, Emulator as _, RunningEmulator, StartEmulator};
use connector_core::http::{Policy, RawAnswer, Reach, Request, ReqwestTransport};
use connector_core::testing::FakeClock;
use connector_core::{Context, Error, Scope, Secret, SystemRandom};
use connector_tiktok::emulator::TikTokEmulator;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderName, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

const ALL: &str = "user.info.basic,user.info.profile,user.info.stats,video.list,video.publish,video.upload";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HEX: &str = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3";
const BASE64URL: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "http://127.0.0.1:41234/oauth/callback/tiktok/default";
const WEB_CALLBACK: &str = "https://app.example/oauth/callback/tiktok/default";

/// An emulator that runs, and what a test does to it.
struct Lab {
    running: RunningEmulator,
    cx: Context,
    admin_token: Secret,
}

/// What a code was exchanged for.
struct Tokens {
    access: String,
    refresh: String,
    answer: Value,
}

impl Lab {
    async fn new() -> Self {
        Self::open(None, None).await.unwrap()
    }

    async fn open(state: Option<&Path>, port: Option<u16>) -> Result<Self, Error> {
        let cx =
            Context::new(Arc::new(ReqwestTransport::new()), Arc::new(FakeClock::default()), Arc::new(SystemRandom));
        let admin_token = cx.random_token()?;
        let options =
            StartEmulator { port, state: state.map(Path::to_owned), admin_token: admin_token.clone(), cx: cx.clone() };
        Ok(Self { running: TikTokEmulator.start(options).await?, cx, admin_token })
    }

    fn url(&self, path: &str) -> Url {
        self.running.info.origin.join(path).unwrap()
    }

    fn app(&self, name: &str) -> &EmulatedApp {
        self.running.info.apps.iter().find(|app| app.name == name).unwrap()
    }

    async fn send(&self, request: Request) -> RawAnswer {
        self.cx.send(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> RawAnswer {
        self.send(Request::new(Method::GET, self.url(path), Policy::READ)).await
    }

    fn authorize_url(&self, app: &str, changes: &[(&str, &str)]) -> Url {
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

    async fn consent(&self, url: &Url, person: &str, unticked: &[&str]) -> Result<Url, Error> {
        let unticked = unticked.iter().map(|scope| scope.parse::<Scope>().unwrap()).collect();
        let consent = Consent { person: person.to_owned(), unticked, declined: false };
        TikTokEmulator.consent(&self.cx, url, &consent).await
    }

    async fn code(&self, app: &str, person: &str, changes: &[(&str, &str)]) -> String {
        let back = self.consent(&self.authorize_url(app, changes), person, &[]).await.unwrap();
        param(&back, "code").unwrap()
    }

    /// Posts a form of an OAuth endpoint, with the app's own credentials unless told otherwise.
    async fn oauth(&self, path: &str, app: &str, fields: &[(&str, &str)]) -> (u16, Value) {
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

    async fn exchange(&self, app: &str, code: &str, changes: &[(&str, &str)]) -> (u16, Value) {
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

    async fn connect(&self, app: &str, person: &str, scope: &str) -> Tokens {
        let code = self.code(app, person, &[("scope", scope)]).await;
        tokens(self.exchange(app, &code, &[]).await.1)
    }

    async fn refresh(&self, app: &str, token: &str) -> (u16, Value) {
        self.oauth("/v2/oauth/token/", app, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    async fn user_info(&self, token: &str, fields: &str) -> (u16, Value) {
        let mut url = self.url("/v2/user/info/");
        url.query_pairs_mut().append_pair("fields", fields);
        let request = Request::new(Method::GET, url, Policy::READ).bearer(&token.into()).unwrap();
        let answer = self.send(request).await;
        (answer.status, answer.json().unwrap())
    }

    async fn admin(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = match &body {
            Some(body) => Request::new(Method::POST, self.url(path), Policy::READ).json(body),
            None => Request::new(Method::GET, self.url(path), Policy::READ),
        };
        let answer = self.send(request.bearer(&self.admin_token).unwrap()).await;
        (answer.status, answer.json().unwrap())
    }

    async fn set(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.admin(path, Some(body)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn advance(&self, seconds: i64) {
        self.set("/admin/clock", json!({"advance_seconds": seconds})).await;
    }

    async fn issued(&self) -> Vec<String> {
        let (_, issued) = self.admin("/admin/issued", None).await;
        issued["issued"].as_array().unwrap().iter().map(|row| row["value"].as_str().unwrap().to_owned()).collect()
    }
}

fn tokens(answer: Value) -> Tokens {
    let text = |key: &str| answer[key].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    Tokens { access: text("access_token"), refresh: text("refresh_token"), answer }
}

fn param(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// The answer is the fixture, but for its request id.
#[track_caller]
fn is(answer: &Value, name: &str) {
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
fn is_like(answer: &Value, name: &str) {
    assert_eq!(shape(answer), shape(&fixture(name)), "{name}");
}

fn shape(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::String(_) => json!("string"),
        Value::Number(_) => json!("number"),
        Value::Bool(_) => json!("bool"),
        other => other.clone(),
    }
}

#[tokio::test]
async fn the_code_flow_gives_tokens_that_read_the_profile() {
    let lab = Lab::new().await;
    let back = lab.consent(&lab.authorize_url("desktop", &[]), "mira", &[]).await.unwrap();
    assert!(back.as_str().starts_with(CALLBACK));
    assert!(back.as_str().contains("%2A1%215012.va&scopes=user.info.basic%2Cuser.info.profile"), "{back}");
    assert_eq!(param(&back, "state").as_deref(), Some("st4te"));
    let code = param(&back, "code").unwrap();
    assert!(code.ends_with("*1!5012.va"));

    let (status, answer) = lab.exchange("desktop", &code, &[]).await;
    assert_eq!(status, 200);
    is_like(&answer, "oauth_token.authorization_code.ok");
    assert_eq!((&answer["expires_in"], &answer["refresh_expires_in"]), (&json!(7200), &json!(15_552_000)));
    assert_eq!((&answer["scope"], &answer["token_type"]), (&json!(ALL), &json!("Bearer")));
    let tokens = tokens(answer);
    assert!(tokens.access.starts_with("act.") && tokens.refresh.starts_with("rft."));

    let every = fixture("user_info.ok.full")["data"]["user"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (status, info) = lab.user_info(&tokens.access, &every.join(",")).await;
    assert_eq!(status, 200);
    is_like(&info, "user_info.ok.full");
    assert_eq!(info["data"]["user"]["open_id"], tokens.answer["open_id"]);
    let (_, again) = lab.user_info(&tokens.access, "profile_deep_link").await;
    assert_ne!(again["data"]["user"]["profile_deep_link"], info["data"]["user"]["profile_deep_link"]);
}

#[tokio::test]
async fn a_code_works_once_and_for_a_minute() {
    let lab = Lab::new().await;
    let code = lab.code("desktop", "mira", &[]).await;
    tokens(lab.exchange("desktop", &code, &[]).await.1);
    is(&lab.exchange("desktop", &code, &[]).await.1, "oauth_token.error.invalid_grant.code_expired");

    let late = lab.code("desktop", "mira", &[]).await;
    lab.advance(60).await;
    is(&lab.exchange("desktop", &late, &[]).await.1, "oauth_token.error.invalid_grant.code_expired");
}

#[tokio::test]
async fn a_desktop_app_proves_itself_with_hex() {
    let lab = Lab::new().await;
    for vector in fixture("vectors.pkce").as_array().unwrap() {
        let text = |key: &str| vector[key].as_str().unwrap();
        let code = lab.code("desktop", "mira", &[("code_challenge", text("tiktok_code_challenge_hex"))]).await;
        tokens(lab.exchange("desktop", &code, &[("code_verifier", text("code_verifier"))]).await.1);
    }
    let code = lab.code("desktop", "mira", &[]).await;
    for wrong in ["", BASE64URL, &HEX[..43]] {
        is(
            &lab.exchange("desktop", &code, &[("code_verifier", wrong)]).await.1,
            "oauth_token.error.invalid_request.pkce",
        );
    }
    for (name, wrong) in [("code_challenge", BASE64URL), ("code_challenge", ""), ("code_challenge_method", "plain")] {
        let refused = lab.consent(&lab.authorize_url("desktop", &[(name, wrong)]), "mira", &[]).await.unwrap_err();
        assert!(refused.message().contains("code_challenge"), "{refused}");
    }
}

#[tokio::test]
async fn a_web_app_needs_no_pkce_until_the_switch_says_so() {
    let lab = Lab::new().await;
    for challenge in ["", BASE64URL] {
        let code = lab.code("web", "mira", &[("code_challenge", challenge)]).await;
        tokens(lab.exchange("web", &code, &[("code_verifier", "")]).await.1);
    }
    lab.set("/admin/switches", json!({"web_pkce": "required"})).await;
    let url = lab.authorize_url("web", &[("code_challenge", "")]);
    assert!(lab.consent(&url, "mira", &[]).await.is_err());
}

#[tokio::test]
async fn a_refresh_replaces_the_refresh_token_at_once() {
    let lab = Lab::new().await;
    let first = lab.connect("desktop", "mira", ALL).await;
    let (status, answer) = lab.refresh("desktop", &first.refresh).await;
    assert_eq!(status, 200);
    is_like(&answer, "oauth_token.refresh_token.ok.rotated");
    let second = tokens(answer);
    assert_ne!(second.refresh, first.refresh);
    is(&lab.refresh("desktop", &first.refresh).await.1, "oauth_token.error.invalid_grant.refresh_token");

    for access in [&first.access, &second.access] {
        assert_eq!(lab.user_info(access, "open_id").await.0, 200);
    }
    lab.advance(7200).await;
    is(&lab.user_info(&second.access, "open_id").await.1, "user_info.error.access_token_invalid");
    let third = tokens(lab.refresh("desktop", &second.refresh).await.1);
    lab.advance(15_552_000).await;
    is(&lab.refresh("desktop", &third.refresh).await.1, "oauth_token.error.invalid_grant.refresh_token");

    let (_, record) = lab.admin("/admin/record", None).await;
    assert_eq!((&record["refreshes"], &record["reuses"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn refresh_switches_keep_the_token_give_it_grace_and_count_down() {
    let lab = Lab::new().await;
    lab.set("/admin/switches", json!({"refresh_rotation": "keep", "refresh_expiry": "count_down"})).await;
    let first = lab.connect("desktop", "mira", ALL).await;
    lab.advance(1000).await;
    let (_, kept) = lab.refresh("desktop", &first.refresh).await;
    assert_eq!(kept["refresh_token"].as_str(), Some(first.refresh.as_str()));
    assert_eq!(kept["refresh_expires_in"], json!(15_551_000));

    lab.set("/admin/switches", json!({"refresh_rotation": "strict", "refresh_grace_seconds": 10})).await;
    let one = tokens(lab.refresh("desktop", &first.refresh).await.1);
    let two = tokens(lab.refresh("desktop", &first.refresh).await.1);
    lab.advance(10).await;
    is(&lab.refresh("desktop", &first.refresh).await.1, "oauth_token.error.invalid_grant.refresh_token");
    for alive in [one, two] {
        tokens(lab.refresh("desktop", &alive.refresh).await.1);
    }
}

#[tokio::test]
async fn a_revocation_ends_everything_the_person_allowed() {
    let lab = Lab::new().await;
    let tokens = lab.connect("desktop", "mira", ALL).await;
    let other = lab.connect("desktop", "jonas", ALL).await;
    let revoke = async |app, token| lab.oauth("/v2/oauth/revoke/", app, &[("token", token)]).await.1;
    is(&revoke("desktop", "").await, "oauth_revoke.error.invalid_request");
    for unknown in ["act.unknown", &tokens.refresh] {
        is(&revoke("desktop", unknown).await, "oauth_revoke.error.access_token");
    }
    is(&revoke("web", &tokens.access).await, "oauth_revoke.error.access_token");
    let wrong = lab.oauth("/v2/oauth/revoke/", "desktop", &[("token", &tokens.access), ("client_secret", "no")]).await;
    is(&wrong.1, "oauth_token.error.invalid_client");

    is(&revoke("desktop", &tokens.access).await, "oauth_revoke.ok");
    is(&lab.user_info(&tokens.access, "open_id").await.1, "user_info.error.access_token_invalid");
    is(&lab.refresh("desktop", &tokens.refresh).await.1, "oauth_token.error.invalid_grant.refresh_token");
    is(&revoke("desktop", &tokens.access).await, "oauth_revoke.error.access_token");

    lab.set("/admin/switches", json!({"revoke_body": "empty"})).await;
    assert_eq!(revoke("desktop", &other.access).await, Value::Null);
}

#[tokio::test]
async fn an_expired_access_token_revokes_nothing() {
    let lab = Lab::new().await;
    let first = lab.connect("desktop", "mira", ALL).await;
    lab.advance(7200).await;
    let (_, refused) = lab.oauth("/v2/oauth/revoke/", "desktop", &[("token", &first.access)]).await;
    is(&refused, "oauth_revoke.error.access_token");
    tokens(lab.refresh("desktop", &first.refresh).await.1);
}

#[tokio::test]
async fn oauth_refusals_are_the_documented_ones() {
    let lab = Lab::new().await;
    let code = lab.code("desktop", "mira", &[]).await;
    let refused = async |code: &str, changes: &[(&str, &str)], name: &str| {
        let (status, answer) = lab.exchange("desktop", code, changes).await;
        assert_eq!(status, 200);
        is(&answer, &format!("oauth_token.error.{name}"));
    };
    refused("nonsense", &[("client_key", "awunknown")], "invalid_grant.code_expired").await;
    refused(&code, &[("client_key", "awunknown")], "invalid_client").await;
    refused(&code, &[("client_secret", "wrong")], "invalid_client").await;
    refused(&code, &[("client_secret", "")], "invalid_request.client_secret_missing").await;
    refused(&code, &[("redirect_uri", "http://127.0.0.1:41234/")], "invalid_request.redirect_uri").await;
    refused(&code, &[("grant_type", "")], "invalid_request.malformed").await;
    refused("", &[], "invalid_request.malformed").await;
    let (_, other) = lab.exchange("web", &code, &[]).await;
    is(&other, "oauth_token.error.invalid_grant.code_expired");
    let (_, unknown) = lab.exchange("desktop", &code, &[("grant_type", "password")]).await;
    assert_eq!(unknown["error"], json!("unsupported_grant_type"));
    // The clock stands at noon in UTC; request ids count in UTC+8.
    assert!(unknown["log_id"].as_str().unwrap().starts_with("20261122200000"), "{unknown}");

    let json = Request::new(Method::POST, lab.url("/v2/oauth/token/"), Policy::TOKEN).json(&json!({"code": code}));
    is(&lab.send(json).await.json().unwrap(), "oauth_token.error.invalid_request.malformed");
    lab.set("/admin/switches", json!({"oauth_error_status": 400})).await;
    assert_eq!(lab.exchange("desktop", "nonsense", &[]).await.0, 400);
    tokens(lab.exchange("desktop", &code, &[]).await.1);
    let (_, client) = lab.oauth("/v2/oauth/token/", "desktop", &[("grant_type", "client_credentials")]).await;
    is_like(&client, "oauth_token.client_credentials.ok");
}

#[tokio::test]
async fn one_field_without_its_scope_refuses_the_call() {
    let lab = Lab::new().await;
    let tokens = lab.connect("desktop", "mira", "user.info.basic,user.info.stats").await;
    let user_info = async |fields| lab.user_info(&tokens.access, fields).await;
    assert_eq!(user_info("follower_count,open_id").await.0, 200);
    let (status, refused) = user_info("follower_count,username").await;
    assert_eq!(status, 401);
    is(&refused, "user_info.error.scope_not_authorized");
    for unknown in ["", "open_id,", "open_id,profile_web_link"] {
        let (status, refused) = user_info(unknown).await;
        assert_eq!(status, 400);
        is(&refused, "user_info.error.invalid_params");
    }
    lab.set("/admin/switches", json!({"missing_scope": "scope_permission_missed", "unknown_fields": "ignore"})).await;
    let (status, refused) = user_info("username").await;
    assert_eq!(status, 400);
    is(&refused, "user_info.error.scope_permission_missed");
    assert_eq!(user_info("open_id,profile_web_link").await.1["data"]["user"].as_object().unwrap().len(), 1);

    for header in [None, Some("Bearer"), Some("Basic act.x"), Some("Bearer act.x")] {
        let mut request = Request::new(Method::GET, lab.url("/v2/user/info/?fields=open_id"), Policy::READ);
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, HeaderValue::from_static(header));
        }
        let answer = lab.send(request).await;
        assert_eq!(answer.status, 401);
        is(&answer.json().unwrap(), "user_info.error.access_token_invalid");
    }
}

#[tokio::test]
async fn a_token_reads_so_often_in_a_minute() {
    let lab = Lab::new().await;
    let (one, two) = (lab.connect("desktop", "mira", ALL).await, lab.connect("desktop", "jonas", ALL).await);
    for _ in 0..600 {
        assert_eq!(lab.user_info(&one.access, "open_id").await.0, 200);
    }
    let (status, refused) = lab.user_info(&one.access, "open_id").await;
    assert_eq!(status, 429);
    is(&refused, "user_info.error.rate_limit_exceeded");
    assert_eq!(lab.user_info(&two.access, "open_id").await.0, 200);
    lab.advance(60).await;
    assert_eq!(lab.user_info(&one.access, "open_id").await.0, 200);

    lab.set("/admin/switches", json!({"user_info_per_minute": 1, "retry_after_seconds": 7})).await;
    let request = Request::new(Method::GET, lab.url("/v2/user/info/?fields=open_id"), Policy::READ);
    let answer = lab.send(request.bearer(&Secret::from(one.access)).unwrap()).await;
    assert_eq!((answer.status, answer.headers[RETRY_AFTER].to_str().unwrap()), (429, "7"));
}

#[tokio::test]
async fn a_person_may_untick_scopes_or_refuse() {
    let lab = Lab::new().await;
    let unticked = ["user.info.basic", "user.info.stats"];
    let back = lab.consent(&lab.authorize_url("desktop", &[]), "nova", &unticked).await.unwrap();
    let granted = "user.info.basic,user.info.profile,video.list,video.publish,video.upload";
    assert_eq!(param(&back, "scopes").as_deref(), Some(granted));
    let (_, answer) = lab.exchange("desktop", &param(&back, "code").unwrap(), &[]).await;
    assert_eq!(answer["scope"], json!(granted));

    let url = lab.authorize_url("desktop", &[]);
    let declined = Consent { person: "nova".to_owned(), declined: true, ..Consent::default() };
    let back = TikTokEmulator.consent(&lab.cx, &url, &declined).await.unwrap();
    let expected = fixture("authorize_callback.queries");
    assert_eq!(back.query(), expected[1]["query"].as_str());
    let error = lab.consent(&url, "nobody", &[]).await.unwrap_err();
    assert!(error.message().contains("mira, jonas, nova, linnea, noor"), "{error}");
}

#[tokio::test]
async fn errors_before_consent_are_shown_on_a_page_or_sent_back() {
    let lab = Lab::new().await;
    let cases = [
        ("unreviewed", "mira", [("scope", ALL)], "unauthorized_client", "client_key"),
        ("desktop", "mira", [("client_key", "awunknown")], "unauthorized_client", "client_key"),
        ("basic", "mira", [("scope", "user.info.basic,user.info.stats")], "invalid_scope", "scope"),
        ("desktop", "mira", [("scope", "user.info.basic,user.info.nonsense")], "invalid_scope", "scope"),
        ("desktop", "mira", [("scope", "")], "invalid_scope", "scope"),
        ("desktop", "mira", [("response_type", "token")], "unsupported_response_type", "response_type"),
        ("sandbox", "nova", [("scope", ALL)], "access_denied", "non_sandbox_target"),
    ];
    for (app, person, changes, error, error_type) in &cases {
        let refused = lab.consent(&lab.authorize_url(app, changes), person, &[]).await.unwrap_err();
        assert_eq!(refused.code(), Some(*error));
        assert!(refused.message().contains(error_type), "{refused}");
    }
    let page = lab.get("/v2/auth/error?error=invalid_scope&error_type=scope").await;
    assert_eq!(page.status, 400);
    assert!(String::from_utf8(page.body).unwrap().contains("<code>scope</code>"));

    lab.set("/admin/switches", json!({"pre_consent_errors": "redirect"})).await;
    for (app, person, changes, error, error_type) in &cases {
        let back = lab.consent(&lab.authorize_url(app, changes), person, &[]).await.unwrap();
        let query = format!("error={error}&error_type={error_type}&state=st4te");
        assert_eq!((back.path(), back.query()), ("/oauth/callback/tiktok/default", Some(query.as_str())));
    }
    let evil = lab.authorize_url("desktop", &[("redirect_uri", "https://evil.example/")]);
    assert!(lab.consent(&evil, "mira", &[]).await.unwrap_err().message().contains("redirect_uri"));
    assert!(lab.consent(&lab.authorize_url("sandbox", &[]), "jonas", &[]).await.is_ok());
}

#[tokio::test]
async fn strict_redirect_rules_are_the_portals() {
    let lab = Lab::new().await;
    lab.set("/admin/switches", json!({"redirect_rules": "strict"})).await;
    let goes =
        async |app, uri| lab.consent(&lab.authorize_url(app, &[("redirect_uri", uri)]), "mira", &[]).await.is_ok();
    assert!(goes("desktop", CALLBACK).await);
    assert!(!goes("desktop", "http://127.0.0.1:41234/elsewhere").await);
    assert!(goes("web", WEB_CALLBACK).await);
    assert!(!goes("web", "http://localhost:3000/oauth/callback/tiktok/default").await);
    lab.set("/admin/switches", json!({"desktop_redirect_uris": ["http://localhost:*/back/"]})).await;
    assert!(goes("desktop", "http://localhost:9/back/").await);
    assert!(!goes("desktop", CALLBACK).await);
}

#[tokio::test]
async fn what_is_odd_but_harmless_passes() {
    let lab = Lab::new().await;
    let odd = [("state", ""), ("client_id", "x"), ("scope", "user.info.basic,user.info.basic"), ("lang", "sv")];
    let back = lab.consent(&lab.authorize_url("desktop", &odd), "mira", &[]).await.unwrap();
    assert_eq!((param(&back, "scopes").as_deref(), param(&back, "state")), (Some("user.info.basic"), None));
    let mut bare = lab.authorize_url("desktop", &[]);
    bare.set_path("/v2/auth/authorize");
    assert!(lab.consent(&bare, "mira", &[]).await.is_ok());
}

#[tokio::test]
async fn who_allowed_it_before_is_not_asked_again_unless_the_app_insists() {
    let lab = Lab::new().await;
    let open = async |changes: &[(&str, &str)]| {
        let request = Request::new(Method::GET, lab.authorize_url("desktop", changes), Policy::READ);
        lab.send(request.header(COOKIE, HeaderValue::from_static("a=b; emulator_person=mira"))).await
    };
    let narrow = [("scope", "user.info.basic,video.list")];
    assert_eq!(open(&narrow).await.status, 200);
    lab.connect("desktop", "mira", narrow[0].1).await;
    let skipped = open(&narrow).await;
    assert_eq!(skipped.status, 302);
    assert!(skipped.headers[LOCATION].to_str().unwrap().contains("code="));
    assert_eq!(open(&[narrow[0], ("disable_auto_auth", "1")]).await.status, 200);
    assert_eq!(open(&[]).await.status, 200);
}

#[tokio::test]
async fn the_form_works_once_and_logs_the_person_in() {
    let lab = Lab::new().await;
    let page = lab.send(Request::new(Method::GET, lab.authorize_url("desktop", &[]), Policy::READ)).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("http://127.0.0.1:*"));
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert_eq!(page.headers["cache-control"], "no-store");
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("not the real TikTok"));
    let request = page.split("name=\"request\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let submit = async || {
        let form = [
            ("request", request),
            ("person", "noor"),
            ("scope", "video.list"),
            ("scope", "x"),
            ("decision", "authorize"),
        ];
        lab.send(Request::new(Method::POST, lab.url("/v2/auth/consent"), Policy::READ).form(form)).await
    };
    let first = submit().await;
    assert_eq!(first.headers[SET_COOKIE], "emulator_person=noor; Path=/; HttpOnly; SameSite=Lax");
    let back = Url::parse(first.headers[LOCATION].to_str().unwrap()).unwrap();
    assert_eq!(param(&back, "scopes").as_deref(), Some("user.info.basic,video.list"));
    assert_eq!(submit().await.headers[LOCATION], "/v2/auth/error?error=invalid_request&error_type=request");
}

#[tokio::test]
async fn the_state_survives_a_restart_without_a_usable_token_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emulator.json");
    let lab = Lab::open(Some(&path), None).await.unwrap();
    let origin = lab.running.info.origin.clone();
    lab.set("/admin/people/mira", json!({"follower_count": 5})).await;
    lab.set("/admin/switches", json!({"oauth_error_status": 400})).await;
    let first = lab.connect("desktop", "mira", ALL).await;
    let second = tokens(lab.refresh("desktop", &first.refresh).await.1);
    lab.code("desktop", "jonas", &[]).await;

    let file = std::fs::read_to_string(&path).unwrap();
    let mut secrets = lab.issued().await;
    assert_eq!(secrets.len(), 6);
    secrets.push(VERIFIER.to_owned());
    secrets.push(lab.admin_token.expose().to_owned());
    secrets.extend(lab.running.info.apps.iter().map(|app| app.client_secret.expose().to_owned()));
    for secret in &secrets {
        let encoded = base64::engine::general_purpose::STANDARD.encode(secret);
        for form in [secret.clone(), encoded, hex::encode(secret)] {
            assert!(!file.contains(form.trim_end_matches('=')), "a secret is in the state file");
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let taken = Lab::open(Some(&path), None).await.err().unwrap();
    assert!(taken.message().contains("emulator.json") && taken.message().contains("taken"), "{taken}");
    lab.running.stop().await;
    let lab = Lab::open(Some(&path), None).await.unwrap();
    assert_eq!(lab.running.info.origin, origin);
    assert_eq!(lab.user_info(&second.access, "follower_count").await.1["data"]["user"]["follower_count"], json!(5));
    assert_eq!(lab.refresh("desktop", &first.refresh).await.0, 400);
    tokens(lab.refresh("desktop", &second.refresh).await.1);
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let lab = Lab::new().await;
    let port = lab.running.info.origin.port().unwrap();
    let taken = Lab::open(None, Some(port)).await.err().unwrap();
    assert_eq!(taken.kind().as_str(), "config");
    assert!(taken.message().contains(&port.to_string()), "{taken}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emulator.json");
    std::fs::write(&path, "{").unwrap();
    let unreadable = Lab::open(Some(&path), None).await.err().unwrap();
    assert!(unreadable.message().contains("emulator.json"), "{unreadable}");
}

#[tokio::test]
async fn admin_routes_need_their_token_and_say_what_they_take() {
    let lab = Lab::new().await;
    for (method, path) in
        [(Method::GET, "/admin/state"), (Method::GET, "/admin/issued"), (Method::POST, "/admin/clock")]
    {
        for token in [None, Some("wrong")] {
            let mut request = Request::new(method.clone(), lab.url(path), Policy::READ);
            if let Some(token) = token {
                request = request.bearer(&Secret::from(token)).unwrap();
            }
            assert_eq!(lab.send(request).await.status, 401);
        }
    }
    let (status, refused) = lab.admin("/admin/switches", Some(json!({"rotation": "strict"}))).await;
    assert_eq!(status, 400);
    assert!(refused["error"].as_str().unwrap().contains("refresh_rotation"), "{refused}");
    let (status, refused) = lab.admin("/admin/people/mira", Some(json!({"followers": 1}))).await;
    assert_eq!(status, 400);
    assert!(refused["error"].as_str().unwrap().contains("follower_count"), "{refused}");
    assert_eq!(lab.admin("/admin/people/nobody", Some(json!({}))).await.0, 404);
    assert_eq!(lab.admin("/admin/people/mira", Some(json!({"follower_count": -1}))).await.0, 400);
    assert_eq!(lab.admin("/admin/nothing", None).await.0, 404);
    assert!(lab.get("/v2/oauth/token").await.json().unwrap()["error"].is_string());

    let tokens = lab.connect("desktop", "mira", ALL).await;
    let (_, state) = lab.admin("/admin/state", None).await;
    assert_eq!(state["grants"][0]["open_id"], tokens.answer["open_id"]);
    let (_, record) = lab.admin("/admin/record", None).await;
    let seen: Vec<_> =
        record["requests"].as_array().unwrap().iter().map(|seen| seen["endpoint"].as_str().unwrap()).collect();
    assert_eq!(seen, ["authorize", "consent", "token"]);
    for secret in lab.issued().await {
        assert!(!state.to_string().contains(&secret) && !record.to_string().contains(&secret));
    }
}

#[tokio::test]
async fn only_loopback_names_are_answered() {
    let lab = Lab::new().await;
    let status = async |host: &str| {
        let request = Request::new(Method::GET, lab.url("/"), Policy::READ);
        lab.send(request.header(HOST, HeaderValue::from_str(host).unwrap())).await.status
    };
    for (host, expected) in
        [("localhost:1", 200), ("127.0.0.1", 200), ("evil.example", 403), ("localhost.evil.example", 403)]
    {
        assert_eq!(status(host).await, expected, "{host}");
    }
    let big = Request::new(Method::POST, lab.url("/v2/oauth/token/"), Policy::TOKEN)
        .form([("a", "b".repeat(70_000).as_str())]);
    assert_eq!(lab.send(big).await.status, 413);
}

#[tokio::test]
async fn people_have_an_id_for_each_app() {
    let lab = Lab::new().await;
    let one = lab.connect("desktop", "linnea", ALL).await;
    let two = lab.connect("web", "linnea", ALL).await;
    let id = |tokens: &Tokens| tokens.answer["open_id"].as_str().unwrap().to_owned();
    assert!(id(&one).starts_with('-') && id(&two).starts_with('-'));
    assert_eq!(id(&one).len(), 36);
    assert_ne!(id(&one), id(&two));
    let union =
        async |tokens: &Tokens| lab.user_info(&tokens.access, "union_id").await.1["data"]["user"]["union_id"].clone();
    assert_eq!(union(&one).await, union(&two).await);
    is(&lab.refresh("web", &one.refresh).await.1, "oauth_token.error.invalid_grant.refresh_token");
}

#[tokio::test]
async fn counts_move_with_the_clock_and_by_hand() {
    let lab = Lab::new().await;
    lab.set("/admin/switches", json!({"access_lifetime_seconds": 1_000_000})).await;
    let (mira, nova) = (lab.connect("desktop", "mira", ALL).await, lab.connect("desktop", "nova", ALL).await);
    let count = async |tokens: &Tokens, field: &str| {
        let (_, answer) = lab.user_info(&tokens.access, field).await;
        answer["data"]["user"][field].as_i64().unwrap()
    };
    let before = count(&mira, "follower_count").await;
    lab.advance(2 * 86_400).await;
    assert_eq!(count(&mira, "follower_count").await, before + 2 * 2880);
    assert_eq!(count(&nova, "follower_count").await, 0);

    lab.set("/admin/people/mira", json!({"follower_count": {"add": -10}, "likes_count": 7, "bio_description": ""}))
        .await;
    assert_eq!(count(&mira, "follower_count").await, before + 2 * 2880 - 10);
    lab.advance(86_400).await;
    assert_eq!(count(&mira, "follower_count").await, before + 3 * 2880 - 10);
    assert_eq!(count(&mira, "likes_count").await, 7);
    lab.set("/admin/people/mira", json!({"follower_count": null})).await;
    assert_eq!(count(&mira, "follower_count").await, before + 3 * 2880);
    let (_, bio) = lab.user_info(&mira.access, "bio_description").await;
    assert_eq!(bio["data"]["user"]["bio_description"], json!(""));
}

#[tokio::test]
async fn a_scope_and_a_field_can_be_added() {
    let lab = Lab::new().await;
    let extra = json!({
        "extra_scopes": ["user.info.score"],
        "extra_fields": {"score": {"scope": "user.info.score", "value": 5}},
    });
    lab.set("/admin/switches", extra).await;
    let tokens = lab.connect("desktop", "mira", "user.info.basic,user.info.score").await;
    assert_eq!(lab.user_info(&tokens.access, "open_id,score").await.1["data"]["user"]["score"], json!(5));
    let narrow = lab.connect("desktop", "mira", "user.info.basic").await;
    assert_eq!(lab.user_info(&narrow.access, "score").await.0, 401);
    let url = lab.authorize_url("basic", &[("scope", "user.info.basic,user.info.score")]);
    assert!(lab.consent(&url, "mira", &[]).await.is_err());
}

#[tokio::test]
async fn a_person_can_take_back_what_they_allowed() {
    let lab = Lab::new().await;
    let first = lab.connect("desktop", "mira", ALL).await;
    lab.set("/admin/withdraw", json!({"person": "mira", "scopes": ["user.info.stats"]})).await;
    assert_eq!(lab.user_info(&first.access, "follower_count").await.0, 401);
    let second = tokens(lab.refresh("desktop", &first.refresh).await.1);
    assert!(!second.answer["scope"].as_str().unwrap().contains("user.info.stats"));
    assert_eq!(lab.set("/admin/withdraw", json!({"person": "mira", "app": "desktop"})).await["changed"], json!(1));
    is(&lab.refresh("desktop", &second.refresh).await.1, "oauth_token.error.invalid_grant.refresh_token");
}

#[tokio::test]
async fn calls_fail_as_ordered() {
    let lab = Lab::new().await;
    let first = lab.connect("desktop", "mira", ALL).await;
    lab.set("/admin/fail", json!({"endpoint": "user_info", "times": 2})).await;
    for _ in 0..2 {
        let (status, failed) = lab.user_info(&first.access, "open_id").await;
        assert_eq!(status, 500);
        is(&failed, "user_info.error.internal_error");
    }
    assert_eq!(lab.user_info(&first.access, "open_id").await.0, 200);

    lab.set("/admin/fail", json!({"endpoint": "token", "status": 502, "body": "html"})).await;
    let token = |token: &str| {
        let app = lab.app("desktop");
        let form = [
            ("client_key", app.client_id.as_str()),
            ("client_secret", app.client_secret.expose()),
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
        ];
        Request::new(Method::POST, lab.url("/v2/oauth/token/"), Policy::TOKEN).form(form)
    };
    let html = lab.send(token(&first.refresh)).await;
    assert_eq!((html.status, html.headers[CONTENT_TYPE].to_str().unwrap()), (502, "text/html"));

    lab.set("/admin/fail", json!({"endpoint": "token", "body": "reset", "after": true})).await;
    let lost = lab.cx.send(token(&first.refresh)).await.unwrap_err();
    assert_eq!(lost.reach, Reach::MaybeSent);
    is(&lab.refresh("desktop", &first.refresh).await.1, "oauth_token.error.invalid_grant.refresh_token");
    let (_, record) = lab.admin("/admin/record", None).await;
    assert_eq!((&record["refreshes"], &record["reuses"]), (&json!(1), &json!(1)));
    assert_eq!(lab.admin("/admin/fail", Some(json!({"endpoint": "video"}))).await.0, 400);
}

#[tokio::test]
async fn the_pages_escape_what_they_are_given() {
    let lab = Lab::new().await;
    lab.set("/admin/people/mira", json!({"display_name": "<script>alert(1)</script>"})).await;
    let shown = Request::new(Method::GET, lab.authorize_url("desktop", &[]), Policy::READ);
    for answer in [lab.get("/").await, lab.send(shown).await, lab.get("/v2/auth/error?error=%3Cscript%3E").await] {
        assert!(!String::from_utf8(answer.body).unwrap().contains("<script>"));
    }
    let style = lab.get("/style.css").await;
    assert_eq!(style.headers[HeaderName::from_static("content-type")], "text/css; charset=utf-8");
}

#[tokio::test]
async fn the_tour_names_people_and_scopes_that_exist() {
    let lab = Lab::new().await;
    let tour = TikTokEmulator.tour().unwrap();
    assert_eq!(tour.narrow_scopes.len(), 4);
    for person in &tour.people {
        assert!(lab.running.info.people.iter().any(|known| known.name == person.name));
        assert!(person.unticked.iter().all(|scope| ALL.split(',').any(|known| known == scope.as_str())));
    }
}
