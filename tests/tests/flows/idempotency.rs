//! Requests to the API that are sent more than once.

use connector_core::http::{RawAnswer, Request};
use connector_host::testing::DatabaseFile;
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::api::{Api, REDIRECT, fine, key, refused};
use crate::support::{Leaks, MIRA, person};

fn keyed(api: &Api, by: &str, path: &str, idempotency_key: &str, body: &Value) -> Request {
    let key = HeaderValue::from_str(idempotency_key).unwrap();
    api.request(Method::POST, path, by).header(HeaderName::from_static("idempotency-key"), key).json(body)
}

fn post(api: &Api, path: &str, key: &str, body: &Value) -> RawAnswer {
    api.answer(keyed(api, &api.key, path, key, body))
}

fn start() -> Value {
    json!({ "platform": "tiktok", "redirect_uri": REDIRECT })
}

fn flows(api: &Api) -> i64 {
    DatabaseFile::in_dir(&api.stage.realm()).number("SELECT count(*) FROM flows").unwrap()
}

#[test]
fn a_hundred_of_the_same_request_make_one_flow() {
    let api = Api::new("all");
    let cx = &api.stage.web.cx;
    let answers = api.stage.web.wait(async {
        let mut requests = JoinSet::new();
        for _ in 0..100 {
            let (cx, request) = (cx.clone(), keyed(&api, &api.key, "flows", "one", &start()));
            requests.spawn(async move { cx.send(request).await.unwrap() });
        }
        requests.join_all().await
    });
    let (made, waiting): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    for answer in waiting {
        refused(answer, 409, "idempotency_in_progress");
        assert!(answer.headers.contains_key("retry-after"));
    }
    let again = fine(&post(&api, "flows", "one", &start()));
    assert!(made.iter().all(|answer| fine(answer) == again), "all are told of the one");
    assert_eq!(flows(&api), 1);
    assert_ne!(fine(&post(&api, "flows", "two", &start()))["id"], again["id"]);
    assert_eq!(flows(&api), 2);
    api.end();
}

#[test]
fn a_callback_that_is_sent_again_is_answered_as_it_was_and_nothing_readable_is_kept() {
    let api = Api::new("all");
    let walk = |url: &_| api.stage.consent_at(url, &person(MIRA));
    let begun = fine(&post(&api, "flows", "begin", &start()));
    let back = walk(&begun["authorize_url"].as_str().unwrap().parse().unwrap());
    let path = format!("flows/{}/complete", begun["id"].as_str().unwrap());
    let body = json!({ "query": back.query().unwrap() });
    let ended = fine(&post(&api, &path, "end", &body));
    assert_eq!(fine(&post(&api, &path, "end", &body)), ended);
    assert_eq!(api.stage.tiktok.requests("token").len(), 1, "the code was exchanged once");
    refused(&api.answer(api.request(Method::POST, &path, &api.key).json(&body)), 422, "invalid_callback");

    let secrets =
        [("id", &begun["id"]), ("query", &body["query"]), ("account", &ended["connections"][0]["account_id"])];
    let secrets: Vec<_> = secrets.map(|(name, value)| (name.to_owned(), value.as_str().unwrap().to_owned())).into();
    let kept = DatabaseFile::in_dir(&api.stage.realm());
    assert_eq!(kept.number("SELECT count(*) FROM requests WHERE answer IS NOT NULL").unwrap(), 2);
    let rows = kept.texts("SELECT hex(answer) || tenant || key_digest || request_digest FROM requests").unwrap();
    assert!(Leaks::of(&secrets).within(rows.concat().as_bytes()).is_empty());
    api.end();
}

#[test]
fn a_key_is_for_one_request_of_one_tenant_and_of_whoever_may_as_much() {
    let api = Api::new("all");
    let first = fine(&post(&api, "flows", "one", &start()));
    let other_body = json!({ "platform": "tiktok", "redirect_uri": REDIRECT, "reference": "user-1" });
    refused(&post(&api, "flows", "one", &other_body), 422, "idempotency_mismatch");
    refused(&post(&api, "flows/x/complete", "one", &start()), 422, "idempotency_mismatch");
    let reader = key(&api.stage, "reader", "--rights connections:read");
    refused(&api.answer(keyed(&api, &reader, "flows", "one", &start())), 422, "idempotency_mismatch");
    let same = key(&api.stage, "same", "--rights all");
    assert_eq!(fine(&api.answer(keyed(&api, &same, "flows", "one", &start()))), first);
    let elsewhere = key(&api.stage, "elsewhere", "--tenant other --rights all");
    assert_ne!(fine(&api.answer(keyed(&api, &elsewhere, "flows", "one", &start())))["id"], first["id"]);

    let wrong = json!({ "platform": "nowhere", "redirect_uri": REDIRECT });
    let refusal = refused(&post(&api, "flows", "wrong", &wrong), 404, "not_found");
    assert_eq!(refused(&post(&api, "flows", "wrong", &wrong), 404, "not_found"), refusal, "a refusal is an answer");
    for bad in [" ", "a b", &"x".repeat(256)] {
        refused(&post(&api, "flows", bad, &start()), 400, "bad_request");
    }
    let large = json!({ "query": "x".repeat(70_000) });
    refused(&post(&api, "flows/x/complete", "large", &large), 413, "too_large");
    api.end();
}

#[test]
fn what_the_host_could_not_do_may_be_sent_again_under_the_same_key() {
    let api = Api::new("all");
    let walk = |url: &_| api.stage.consent_at(url, &person(MIRA));
    let (flow, query) = api.flow(&start(), walk);
    let (path, body) = (format!("flows/{flow}/complete"), json!({ "query": query }));
    api.stage.tiktok.fail(&json!({ "endpoint": "token", "times": 1, "status": 503 }));
    refused(&post(&api, &path, "end", &body), 503, "unavailable");
    refused(&post(&api, &path, "end", &body), 422, "invalid_callback");
    api.end();
}
