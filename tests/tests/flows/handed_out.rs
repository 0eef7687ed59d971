//! Who was handed which access token is on record before it is handed out, and once.

use connector_core::http::Request;
use http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::support::api::{Api, SERVE, fine, key, refused};
use crate::support::{MIRA, person};

/// How often a key reads what it has.
const READS: usize = 1_000;

/// The path of the token of a fresh connection.
fn connected(api: &Api, name: &str) -> String {
    format!("connections/{}/token", api.connect(name)["id"].as_str().unwrap())
}

fn asking(api: &Api, path: &str, key: &str) -> Request {
    api.request(Method::POST, path, key).json(&json!({}))
}

fn token(api: &Api, path: &str, key: &str) -> Value {
    fine(&api.answer(asking(api, path, key)))["access_token"].clone()
}

/// What is on record, the latest first.
fn records(api: &Api) -> Vec<Value> {
    fine(&api.get("audit?event=token_handed_out"))["records"].as_array().unwrap().clone()
}

#[test]
fn a_key_that_reads_a_token_a_thousand_times_is_on_record_once() {
    let api = Api::new("all");
    let mira = connected(&api, MIRA);
    let first = token(&api, &mira, &api.key);
    let known = records(&api);
    let [record] = known.as_slice() else { panic!("{known:?}") };
    assert_eq!(record["detail"]["generation"], 1, "{record}");
    for _ in 1..READS {
        assert_eq!(token(&api, &mira, &api.key), first);
    }
    assert_eq!(records(&api), known);

    let other = key(&api.stage, "other", "--rights all");
    token(&api, &mira, &other);
    let told = records(&api);
    assert_eq!(told.len(), 2, "another key");
    assert_ne!(told[0]["detail"]["key"], told[1]["detail"]["key"]);
    let jonas = connected(&api, "jonas");
    for _ in 0..2 {
        token(&api, &jonas, &api.key);
    }
    assert_eq!(records(&api).len(), 3, "another connection");

    api.stage.let_access_expire();
    let rotated = token(&api, &mira, &api.key);
    assert_ne!(rotated, first);
    assert_eq!(token(&api, &mira, &api.key), rotated);
    let told = records(&api);
    assert_eq!((told.len(), &told[0]["detail"]["generation"]), (4, &json!(2)), "another token: {told:?}");
    api.end();
}

#[test]
fn a_token_that_many_ask_for_at_the_same_moment_is_on_record_once() {
    let api = Api::new("all");
    let mira = connected(&api, MIRA);
    let web = &api.stage.web;
    let answers = web.wait(async {
        let mut sent = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (cx, request) = (web.cx.clone(), asking(&api, &mira, &api.key));
            sent.spawn(async move { cx.send(request).await.unwrap() });
        }
        sent.join_all().await
    });
    for answer in &answers {
        fine(answer);
    }
    assert_eq!(records(&api).len(), 1);
    api.end();
}

#[test]
fn what_cannot_be_put_on_record_is_not_handed_out() {
    let api = Api::new("all");
    let mira = connected(&api, MIRA);
    api.stage.by_others("ALTER TABLE audit RENAME TO elsewhere");
    for _ in 0..2 {
        refused(&api.answer(asking(&api, &mira, &api.key)), 503, "store_unavailable");
    }
    api.stage.by_others("ALTER TABLE elsewhere RENAME TO audit");
    token(&api, &mira, &api.key);
    assert_eq!(records(&api).len(), 1);
    api.end();
}

#[test]
fn each_process_puts_it_on_record_for_itself() {
    let api = Api::new("all");
    let connected = api.stage.connect(&person(MIRA));
    let path = format!("connections/{}/token", connected["id"].as_str().unwrap());
    let mut second = api.stage.cli(SERVE).start();
    let elsewhere: Url = second.document()["listening"].as_str().unwrap().parse().unwrap();
    for number in 1..=2 {
        token(&api, &path, &api.key);
        assert_eq!(records(&api).len(), number);
        let mut request = asking(&api, &path, &api.key);
        request.url.set_port(elsewhere.port()).unwrap();
        fine(&api.answer(request));
        assert_eq!(records(&api).len(), 2);
    }
    second.terminate();
    second.done().ends(0, &[]);
    api.end();
}
