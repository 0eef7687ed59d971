//! The consent page.

use connector_core::emulator::{Consent, Emulator as _};
use connector_core::http::{Policy, Request};
use connector_tiktok::emulator::TikTokEmulator;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderValue, Method};
use serde_json::json;
use url::Url;

use crate::lab::{ALL, CALLBACK, Lab, WEB_CALLBACK, fixture, param};

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
