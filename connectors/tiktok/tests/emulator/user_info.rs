//! Reading a profile.

use connector_core::Secret;
use connector_core::http::{Policy, Request};
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderValue, Method};
use serde_json::json;

use crate::lab::{ALL, Lab, is};

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
