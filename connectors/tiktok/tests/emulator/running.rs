//! Starting, stopping, who is let in.

use base64::Engine as _;
use connector_core::Secret;
use connector_core::http::{Policy, Request};
use http::header::HOST;
use http::{HeaderValue, Method};
use serde_json::json;

use crate::lab::{ALL, Lab, VERIFIER, tokens};

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
async fn what_admin_routes_cannot_use_changes_nothing() {
    let lab = Lab::new().await;
    let before = lab.set("/admin/switches", json!({"oauth_error_status": 400})).await;
    lab.connect("desktop", "mira", ALL).await;
    for (path, nonsense, status) in [
        ("/admin/switches", json!([]), 400),
        ("/admin/clock", json!([7200]), 400),
        ("/admin/fail", json!(["token", 1, 500, "json", false, 5]), 400),
        ("/admin/fail", json!({"endpoint": "token", "times": 1001}), 400),
        ("/admin/fail", json!({"endpoint": "token", "seconds": 86_401}), 400),
        ("/admin/withdraw", json!(["mira", null, null]), 400),
        ("/admin/withdraw", json!({"person": "mira", "app": "desktpo"}), 404),
        ("/admin/people/mira", json!({"follower_count": {"add": 1, "set": 2}}), 400),
        ("/admin/people/mira", json!({"follower_count": {"add": -9_223_372_036_854_775_809_f64}}), 400),
    ] {
        let (answered, refused) = lab.admin(path, Some(nonsense)).await;
        assert_eq!(answered, status, "{path}: {refused}");
        assert!(refused["error"].is_string(), "{path}: {refused}");
    }
    assert_eq!(lab.set("/admin/switches", json!({})).await, before);
    assert_eq!(lab.set("/admin/clock", json!({"advance_seconds": 5.0})).await["clock_offset_seconds"], json!(5));
    assert_eq!(lab.admin("/admin/clock", Some(json!({"advance_seconds": 5.5}))).await.0, 400);
    assert_eq!(lab.set("/admin/withdraw", json!({"person": "mira"})).await["changed"], json!(1));
}

#[tokio::test]
async fn anybody_may_read_what_the_routes_are() {
    let lab = Lab::new().await;
    let answer = lab.get("/openapi.json").await;
    assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, "application/json"));
    assert_eq!(answer.json().unwrap()["openapi"], json!("3.1.0"));
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
