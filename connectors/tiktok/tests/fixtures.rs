//! The connector against recorded and documented answers, without a server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use connector_core::account::{FieldValue, Session};
use connector_core::app::{App, AppKind, Pkce};
use connector_core::config::{Ability, Catalogue, ScopeEntry};
use connector_core::grant::{Grant, TokenSet};
use connector_core::metrics::{Cell, Missing};
use connector_core::oauth::{
    BeginRequest, CallbackParams, NextStep, PendingFlow, Purpose, RefreshOutcome, RevokeOutcome,
};
use connector_core::scope::{GrantScopes, Granted, GrantedSource, ScopeStatus, Wanted, split_scopes};
use connector_core::testing::FakeTransport;
use connector_core::{Connector, ErrorKind, Linked, Registry, Scope, Secret};
use connector_tiktok as _;
use serde_json::Value;

const SIX: &str = "user.info.basic user.info.profile user.info.stats video.upload video.publish video.list";

fn fixture(name: &str) -> String {
    let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn table(name: &str) -> Vec<Value> {
    serde_json::from_str(&fixture(name)).unwrap()
}

fn linked() -> Linked {
    Registry::linked().unwrap().get("tiktok").unwrap().clone()
}

/// The catalogue of the recorded field table, mapped as the product maps it.
fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    for row in table("table.user_fields") {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        let target = match text("field").as_str() {
            "open_id" => "profile.id",
            "union_id" => "profile.developer_scoped_id",
            "avatar_url" => "profile.avatar_url",
            "avatar_url_100" => "profile.avatar_small_url",
            "avatar_large_url" => "profile.avatar_large_url",
            "display_name" => "profile.display_name",
            "bio_description" => "profile.bio",
            "profile_deep_link" => "profile.url",
            "is_verified" => "profile.verified",
            "username" => "profile.handle",
            "follower_count" => "metric.followers",
            "following_count" => "metric.following",
            "likes_count" => "metric.likes_received",
            "video_count" => "metric.posts",
            other => panic!("{other} has no target"),
        };
        let entry = catalogue.scopes.entry(text("scope").parse().unwrap()).or_default();
        entry.fields.entry("user_info".to_owned()).or_default().insert(text("field"), target.parse().unwrap());
    }
    let list = ScopeEntry { abilities: vec!["content.list".parse::<Ability>().unwrap()], ..ScopeEntry::default() };
    catalogue.scopes.insert("video.list".parse().unwrap(), list);
    catalogue
}

fn connector() -> Arc<dyn Connector> {
    linked().build(Arc::new(catalogue()))
}

fn app(kind: AppKind) -> App {
    App {
        name: "default".to_owned(),
        client_id: "awexample00000000".to_owned(),
        client_secret: Some(Secret::from("hush-secret")),
        kind,
        redirect_uri: None,
        pkce: None,
        wanted: Wanted { scopes: SIX.split(' ').map(|scope| scope.parse().unwrap()).collect(), ..Wanted::default() },
        base_urls: linked().protocol().base_urls.clone(),
    }
}

fn session(requested: &str, granted: &str) -> Session {
    let app = app(AppKind::Desktop);
    let tokens = TokenSet {
        access: Secret::from("act.hush"),
        access_expires_at: None,
        refresh: Some(Secret::from("rft.hush")),
        refresh_expires_at: None,
    };
    let known = Granted::Known { scopes: split_scopes(granted), source: GrantedSource::Token };
    let scopes = GrantScopes::of_flow(split_scopes(requested), known);
    let grant = Grant { tokens, scopes, subject: Some("-000a".to_owned()), base_urls: app.base_urls.clone() };
    Session { app, grant }
}

fn begin_request(uri: &str, purpose: Purpose) -> BeginRequest {
    BeginRequest { redirect_uri: uri.parse().unwrap(), scopes: app(AppKind::Desktop).wanted.requested(), purpose }
}

async fn begin(app: &App, uri: &str, purpose: Purpose) -> (BTreeMap<String, String>, PendingFlow) {
    let cx = FakeTransport::default().context();
    let begun = connector().oauth().begin(&cx, app, &begin_request(uri, purpose)).await.unwrap();
    let NextStep::Redirect(url) = begun.next else { panic!("not a redirect") };
    assert!(url.as_str().starts_with("https://www.tiktok.com/v2/auth/authorize/?"), "{url}");
    (url.query_pairs().into_owned().collect(), begun.pending)
}

#[tokio::test]
async fn the_authorize_url_is_tiktoks_own_dialect() {
    let (query, pending) = begin(&app(AppKind::Desktop), "http://127.0.0.1:5000/callback", Purpose::Connect).await;
    assert_eq!(query["client_key"], "awexample00000000");
    assert_eq!(query["scope"], SIX.replace(' ', ","));
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["redirect_uri"], "http://127.0.0.1:5000/callback");
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!(query["code_challenge"].len(), 64, "hex, not base64url");
    assert!(pending.state.matches(&query["state"]));
    let names: Vec<&str> = query.keys().map(String::as_str).collect();
    let expected =
        ["client_key", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "scope", "state"];
    assert_eq!(names, expected, "and nothing else: no secret, no client_id");
}

#[tokio::test]
async fn asking_again_shows_the_consent_page() {
    let uri = "http://127.0.0.1:5000/callback";
    let (query, _) = begin(&app(AppKind::Desktop), uri, Purpose::Reauthorize).await;
    assert_eq!(query["disable_auto_auth"], "1");
}

#[tokio::test]
async fn the_challenge_has_the_recorded_spelling_and_a_switch_per_app() {
    for vector in table("vectors.pkce") {
        let verifier = Secret::from(vector["code_verifier"].as_str().unwrap());
        let hex = connector_core::oauth::challenge(Pkce::Hex, &verifier);
        assert_eq!(hex.as_deref(), vector["tiktok_code_challenge_hex"].as_str());
    }
    let mut app = app(AppKind::Desktop);
    for (pkce, length) in [(Pkce::Hex, Some(64)), (Pkce::Base64url, Some(43)), (Pkce::Off, None)] {
        app.pkce = Some(pkce);
        let (query, _) = begin(&app, "http://127.0.0.1:5000/callback", Purpose::Connect).await;
        assert_eq!(query.get("code_challenge").map(String::len), length);
    }
}

#[tokio::test]
async fn a_redirect_uri_tiktok_would_refuse_never_leaves() {
    let cx = FakeTransport::default().context();
    for (kind, uri) in [
        (AppKind::Desktop, "http://127.0.0.1/callback"),
        (AppKind::Desktop, "https://example.com:8000/callback"),
        (AppKind::Desktop, "http://[::1]:8000/callback"),
        (AppKind::Web, "http://example.com/callback"),
        (AppKind::Web, "https://localhost/callback"),
        (AppKind::Web, "https://example.com/callback?a=b"),
        (AppKind::Web, "https://example.com/callback#top"),
    ] {
        let error =
            connector().oauth().begin(&cx, &app(kind), &begin_request(uri, Purpose::Connect)).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Config, "{uri}");
    }
}

async fn complete(transport: &FakeTransport, query: &str) -> Result<Grant, connector_core::Error> {
    let cx = transport.context();
    let app = app(AppKind::Desktop);
    let request = begin_request("http://127.0.0.1:5000/callback", Purpose::Connect);
    let mut pending = connector().oauth().begin(&cx, &app, &request).await.unwrap().pending;
    pending.state = Secret::from("st4te");
    connector().oauth().complete(&cx, &app, &pending, &CallbackParams::from_query(query)).await
}

fn callback(case: &str) -> String {
    let row = table("authorize_callback.queries").into_iter().find(|row| row["case"] == case).unwrap();
    row["query"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_is_exchanged_as_a_form_with_its_odd_characters() {
    let transport = FakeTransport::default();
    transport.answer(200, fixture("oauth_token.authorization_code.ok.granted_subset"));
    let grant = complete(&transport, &callback("success")).await.unwrap();

    let sent = transport.sent();
    assert_eq!(sent[0].url.as_str(), "https://open.tiktokapis.com/v2/oauth/token/");
    let form = read_form(&sent[0].body);
    assert_eq!(form["code"], "ExampleCodePart-AbC_123*1!5012.va");
    assert_eq!(form["client_key"], "awexample00000000");
    assert_eq!(form["client_secret"], "hush-secret");
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["redirect_uri"], "http://127.0.0.1:5000/callback");
    assert!(form.contains_key("code_verifier") && !form.contains_key("client_id"));

    assert_eq!(grant.scopes.granted.scopes(), Some(&split_scopes("user.info.basic,video.list")));
    assert_eq!(grant.subject.as_deref(), Some("-000a1B2c3D4e5F6g7H8i9J0kLmNoPqRsTuV"));
    assert_eq!(grant.tokens.access_expires_at.unwrap().to_string(), "2026-11-22T14:00:00Z");
    assert_eq!(grant.tokens.refresh_expires_at.unwrap().to_string(), "2027-05-21T12:00:00Z");
}

fn read_form(body: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

#[tokio::test]
async fn each_refusal_at_the_callback_says_what_to_do_and_sends_nothing() {
    for (case, kind, words) in [
        ("user_denied", "declined", "did not allow"),
        ("scope_not_enabled_for_app", "config", "`pending`"),
        ("not_a_sandbox_target_user", "config", "Target users"),
        ("client_key_refused", "config", "Login Kit"),
        ("server_error", "unavailable", "again"),
    ] {
        let transport = FakeTransport::default();
        let error = complete(&transport, &callback(case)).await.unwrap_err();
        assert_eq!(error.kind().as_str(), kind, "{case}");
        assert!(error.message().contains(words), "{case}: {error}");
        assert!(transport.sent().is_empty(), "{case}");
    }
}

#[tokio::test]
async fn a_callback_of_another_flow_sends_nothing() {
    for query in ["code=abc", "code=abc&state=other", "state=st4te", "code=&state=st4te", "code=a&code=b&state=st4te"] {
        let transport = FakeTransport::default();
        let error = complete(&transport, query).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidCallback, "{query}");
        assert!(transport.sent().is_empty(), "{query}");
    }
}

#[tokio::test]
async fn a_failed_exchange_is_told_by_its_code_although_the_status_is_200() {
    for (name, kind) in [
        ("invalid_grant.code_expired", "invalid_callback"),
        ("invalid_client", "config"),
        ("invalid_request.pkce", "config"),
        ("invalid_request.redirect_uri", "config"),
        ("server_error", "unavailable"),
    ] {
        let transport = FakeTransport::default();
        transport.answer(200, fixture(&format!("oauth_token.error.{name}")));
        let error = complete(&transport, &callback("success")).await.unwrap_err();
        assert_eq!(error.kind().as_str(), kind, "{name}");
        assert_eq!(error.log_id(), Some("20261122093015A1B2C3D4E5F60718293A"), "{name}");
    }
}

async fn read_refresh(status: u16, body: String) -> RefreshOutcome {
    let transport = FakeTransport::default();
    transport.answer(status, body);
    let session = session(SIX, SIX);
    let connector = connector();
    let request = connector.oauth().refresh_request(&session.app, &session.grant).unwrap();
    let answer = transport.context().send(request).await.unwrap();
    let form = read_form(&transport.sent()[0].body);
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "rft.hush"));
    connector.oauth().read_refresh(&answer)
}

#[tokio::test]
async fn a_refresh_is_read_by_its_body() {
    let rotated = read_refresh(200, fixture("oauth_token.refresh_token.ok.rotated")).await;
    assert!(matches!(rotated, RefreshOutcome::Refreshed(answer) if answer.tokens.refresh.is_some()));
    let dead = read_refresh(200, fixture("oauth_token.error.invalid_grant.refresh_token")).await;
    assert!(matches!(dead, RefreshOutcome::Rejected(error) if error.kind().as_str() == "reauth_required"));
    let app = read_refresh(200, fixture("oauth_token.error.invalid_client")).await;
    assert!(matches!(app, RefreshOutcome::AppFault(_)));
    let down = read_refresh(502, "<html>Bad gateway</html>".to_owned()).await;
    assert!(matches!(down, RefreshOutcome::InDoubt(_)));
}

#[tokio::test]
async fn revoking_sends_the_access_token_and_reads_every_spelling_of_success() {
    let session = session(SIX, SIX);
    let connector = connector();
    let request = connector.oauth().revoke_request(&session.app, &session.grant).unwrap();
    assert_eq!(request.url.as_str(), "https://open.tiktokapis.com/v2/oauth/revoke/");
    assert_eq!(read_form(&request.body)["token"], "act.hush");
    for (body, gone) in [
        (fixture("oauth_revoke.ok"), true),
        (String::new(), true),
        (fixture("oauth_revoke.error.access_token"), true),
        (fixture("oauth_revoke.error.invalid_request"), false),
    ] {
        let transport = FakeTransport::default();
        transport.answer(200, body.clone());
        let answer = transport.context().send(request.clone()).await.unwrap();
        let outcome = connector.oauth().read_revoke(&answer);
        assert_eq!(matches!(outcome, RevokeOutcome::Gone), gone, "{body}");
    }
}

async fn metrics(
    session: &Session,
    status: u16,
    body: String,
) -> (FakeTransport, Result<connector_core::metrics::Report, connector_core::Error>) {
    let transport = FakeTransport::default();
    transport.answer(status, body);
    let connector = connector();
    let account = "-000a1B2c3D4e5F6g7H8i9J0kLmNoPqRsTuV";
    let report = connector.account_metrics().unwrap().account_metrics(&transport.context(), session, account).await;
    (transport, report)
}

fn fields(transport: &FakeTransport) -> Vec<String> {
    let query: BTreeMap<String, String> = transport.sent()[0].url.query_pairs().into_owned().collect();
    query["fields"].split(',').map(str::to_owned).collect()
}

#[tokio::test]
async fn only_fields_of_granted_scopes_are_asked_for_and_the_rest_says_why() {
    let session = session("user.info.basic user.info.stats", "user.info.basic");
    let (transport, report) = metrics(&session, 200, fixture("user_info.ok.basic")).await;
    let report = report.unwrap();
    let mut fields = fields(&transport);
    fields.sort();
    assert_eq!(fields, ["avatar_large_url", "avatar_url", "avatar_url_100", "display_name", "open_id", "union_id"]);
    assert_eq!(report.cells.len(), 4);
    for (name, cell) in &report.cells {
        let scope: Scope = "user.info.stats".parse().unwrap();
        assert_eq!(cell, &Cell::Missing(Missing::Scope { scope, status: ScopeStatus::NotGranted }), "{name}");
    }
}

#[tokio::test]
async fn a_full_grant_reads_counts_and_profile_in_one_call() {
    let session = session(SIX, SIX);
    let (transport, report) = metrics(&session, 200, fixture("user_info.ok.full")).await;
    let report = report.unwrap();
    assert_eq!(fields(&transport).len(), 14);
    assert_eq!(transport.sent()[0].headers["authorization"], "Bearer act.hush");
    let values: Vec<(&str, &Cell)> = report.cells.iter().map(|(name, cell)| (name.as_str(), cell)).collect();
    let expected = [("followers", 12345), ("following", 67), ("likes_received", 890_123), ("posts", 42)];
    assert_eq!(
        values,
        expected.map(|(name, value)| (name, Cell::Value(value))).iter().map(|(n, c)| (*n, c)).collect::<Vec<_>>()
    );
    assert_eq!(report.profile.text("bio"), Some(""), "an empty bio is an answer");
    assert_eq!(report.profile.get("verified"), Some(&FieldValue::Flag(false)));
    assert_eq!(report.log_id.as_deref(), Some("20261122093015A1B2C3D4E5F60718293A"));
}

#[tokio::test]
async fn a_zero_is_a_number_and_an_absent_count_is_not() {
    let body = r#"{"data":{"user":{"follower_count":0,"following_count":null}},"error":{"code":"ok","message":"","log_id":"1"}}"#;
    let report = metrics(&session(SIX, SIX), 200, body.to_owned()).await.1.unwrap();
    assert_eq!(report.cells[&"followers".parse().unwrap()], Cell::Value(0));
    for name in ["following", "posts"] {
        assert_eq!(report.cells[&name.parse().unwrap()], Cell::Missing(Missing::NotOffered), "{name}");
    }
}

#[tokio::test]
async fn every_documented_error_code_means_what_the_table_says() {
    for row in table("table.error_codes") {
        let (code, status) = (row["code"].as_str().unwrap(), row["http_status"].as_u64().unwrap());
        let kind = match row["class"].as_str().unwrap() {
            "success" => continue,
            "refresh_then_retry_once_else_reauth" => "reauth_required",
            "reauth_with_scope" => "missing_scopes",
            "user_action" | "account_blocked" => "account_restricted",
            "quota_24h_creator" | "quota_pending_drafts" | "quota_24h_app" => "quota_exhausted",
            "app_config" => "config",
            "rate_limited" => "rate_limited",
            "transient" => "unavailable",
            "permanent" | "permanent_requery_creator_info" => "rejected",
            class => panic!("{class}"),
        };
        let body = serde_json::json!({"error": {"code": code, "message": "m", "log_id": "l"}}).to_string();
        for status in [200, u16::try_from(status).unwrap()] {
            let error = metrics(&session(SIX, SIX), status, body.clone()).await.1.unwrap_err();
            assert_eq!(
                (error.kind().as_str(), error.code(), error.log_id()),
                (kind, Some(code), Some("l")),
                "{status}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_classed_by_its_status() {
    for (status, kind) in [(200, "protocol"), (404, "rejected"), (429, "rate_limited"), (502, "unavailable")] {
        let error = metrics(&session(SIX, SIX), status, "<html>act.hush</html>".to_owned()).await.1.unwrap_err();
        assert_eq!(error.kind().as_str(), kind);
        assert!(!format!("{error:?} {error}").contains("hush"), "the body is never shown");
    }
}
