//! Codes, refreshes, revocations.

use connector_core::Secret;
use connector_core::http::{Policy, Request};
use http::Method;
use serde_json::{Value, json};

use crate::lab::{ALL, BASE64URL, CALLBACK, HEX, Lab, Tokens, fixture, is, is_like, param, tokens};

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
async fn it_is_counted_how_many_refreshes_of_a_grant_wait_at_the_same_time() {
    let lab = Lab::new().await;
    lab.set("/admin/switches", json!({"token_latency_milliseconds": 100})).await;
    let (mira, jonas) = (lab.connect("desktop", "mira", ALL).await, lab.connect("desktop", "jonas", ALL).await);
    let asking = async |tokens: &Tokens| lab.refresh("desktop", &tokens.refresh).await;
    let (first, second, other) = tokio::join!(asking(&mira), asking(&mira), asking(&jonas));
    assert_ne!(first.1["error"], second.1["error"], "the token is spent by one of them");
    assert!(other.1["error"].is_null());

    let (_, refreshes) = lab.admin("/admin/refreshes", None).await;
    let newest = |answers: &[&Value]| {
        let token = answers.iter().find_map(|answer| answer["refresh_token"].as_str()).unwrap();
        Secret::from(token).digest()
    };
    let asked = |requests, most_in_flight, newest: String| json!({"requests": requests, "in_flight": 0, "most_in_flight": most_in_flight, "newest": newest});
    let grants = json!({"1": asked(2, 2, newest(&[&first.1, &second.1])), "2": asked(1, 1, newest(&[&other.1]))});
    assert_eq!(refreshes, json!({"refreshes": 2, "reuses": 1, "grants": grants}));
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
