//! The API of a host that runs: what a product does with a key.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::support::api::{Api, REDIRECT, SERVE, fine, key, refused};
use crate::support::{Leaks, MIRA, Stage, param, person, unticking};

#[test]
fn a_product_connects_an_account_reads_its_counts_takes_its_token_and_gives_it_up() {
    let api = Api::new("all");
    let platforms = fine(&api.get("platforms"));
    assert!(
        platforms["platforms"].as_array().unwrap().iter().any(|platform| platform["id"] == "tiktok"),
        "{platforms}"
    );
    assert_eq!(fine(&api.get("platforms/tiktok/scopes"))["scopes"].as_array().unwrap().len(), 6);

    let linked = api.connect(MIRA);
    let id = linked["id"].as_str().unwrap();
    let path = format!("connections/{id}");
    let connection = fine(&api.get(&path));
    assert_eq!((&connection["state"], &connection["reference"]), (&json!("active"), &json!("user-mira")));
    let found = fine(&api.get("connections?reference=user-mira&state=active"));
    assert_eq!((&found["connections"][0], &found["next"]), (&connection, &Value::Null));

    let metrics = fine(&api.get(&format!("{path}/metrics")));
    assert!(metrics["metrics"]["followers"]["value"].is_i64(), "{metrics}");
    let history = fine(&api.get(&format!("{path}/metrics/followers")));
    assert_eq!(history["samples"][0]["value"], metrics["metrics"]["followers"]["value"]);

    let token = fine(&api.post(&format!("{path}/token"), &json!({})));
    let issued = api.stage.tiktok.issued();
    assert!(issued.iter().any(|(_, secret)| *secret == token["access_token"]), "the platform's own token");
    let refresh: Vec<_> = issued.iter().filter(|(_, secret)| *secret != token["access_token"]).cloned().collect();
    let leaks = Leaks::of(&refresh);
    assert!(leaks.within(token.to_string().as_bytes()).is_empty(), "no refresh token is handed out");

    let records = fine(&api.get("audit?event=token_handed_out"));
    assert_eq!(records["records"][0]["connection"], id, "{records}");
    assert_eq!(fine(&api.post(&format!("{path}/disconnect"), &json!({})))["revocation"], "revoked");
    let records = fine(&api.get("audit?event=disconnected"));
    let by = records["records"][0]["detail"]["by"].as_str().unwrap();
    assert!(by.starts_with("api_key "), "{by}");
    refused(&api.post(&format!("{path}/token"), &json!({})), 409, "disconnected");
    assert_eq!(fine(&api.post(&format!("{path}/purge"), &json!({})))["purged"], id);
    refused(&api.get(&path), 404, "not_found");
    api.end();
}

#[test]
fn a_token_that_is_due_is_refreshed_before_it_is_handed_out() {
    let api = Api::new("all");
    let linked = api.connect(MIRA);
    let path = format!("connections/{}/token", linked["id"].as_str().unwrap());
    let before = fine(&api.post(&path, &json!({})));
    api.stage.let_access_expire();
    let after = fine(&api.post(&path, &json!({})));
    assert_ne!(before["access_token"], after["access_token"]);
    assert_eq!(api.stage.tiktok.refreshes(), (1, 0));
    api.end();
}

#[test]
fn nothing_of_another_tenant_is_there() {
    let api = Api::new("all");
    let linked = api.connect(MIRA);
    let id = linked["id"].as_str().unwrap();
    let start = json!({ "platform": "tiktok", "redirect_uri": REDIRECT, "reconnect": id });
    let (flow, query) = api.flow(&json!({ "platform": "tiktok", "redirect_uri": REDIRECT }), |url| {
        api.stage.consent_at(url, &person(MIRA))
    });
    let exchanges = api.stage.tiktok.requests("token").len();
    let other = key(&api.stage, "other", "--tenant other --rights all");
    let server = key(&api.stage, "server", "--any-tenant --rights all");
    for (key, tenant) in [(&other, None), (&server, Some("other"))] {
        let get = |path: &str| api.send(Method::GET, path, key, tenant, None);
        let post = |path: &str, body: &Value| api.send(Method::POST, path, key, tenant, Some(body));
        for path in ["", "/metrics", "/metrics/followers"] {
            refused(&get(&format!("connections/{id}{path}")), 404, "not_found");
        }
        for path in ["token", "disconnect", "purge"] {
            refused(&post(&format!("connections/{id}/{path}"), &json!({})), 404, "not_found");
        }
        refused(&post("flows", &start), 404, "not_found");
        assert_eq!(fine(&get("connections"))["connections"], json!([]));
        assert_eq!(fine(&get(&format!("audit?connection={id}")))["records"], json!([]));
        assert_eq!(fine(&get("samples"))["samples"], json!([]));
    }
    refused(
        &api.send(Method::POST, &format!("flows/{flow}/complete"), &other, None, Some(&json!({ "query": query }))),
        422,
        "invalid_callback",
    );
    assert_eq!(api.stage.tiktok.requests("token").len(), exchanges, "nobody's code was exchanged");
    fine(&api.post(&format!("flows/{flow}/complete"), &json!({ "query": query })));
    assert_eq!(fine(&api.send(Method::GET, &format!("connections/{id}"), &server, Some("default"), None))["id"], id);
    refused(&api.send(Method::GET, "connections", &server, None, None), 400, "bad_request");
    refused(&api.send(Method::GET, "connections", &other, Some("default"), None), 400, "bad_request");
    api.end();
}

#[test]
fn a_flow_is_ended_once_by_whoever_has_its_id_at_the_address_it_was_begun_for() {
    let api = Api::new("all");
    let start = json!({ "platform": "tiktok", "redirect_uri": REDIRECT });
    let walk = |url: &Url| api.stage.consent_at(url, &unticking(MIRA, &["user.info.stats"]));
    let begin = || api.flow(&start, walk);
    let complete = |flow: &str, body: &Value| api.post(&format!("flows/{flow}/complete"), body);

    let (flow, query) = begin();
    refused(&complete("somebody-elses", &json!({ "query": query })), 422, "invalid_callback");
    refused(&complete(&flow, &json!({ "query": query })), 422, "invalid_callback");
    let (flow, query) = begin();
    let elsewhere = json!({ "query": query, "redirect_uri": "http://127.0.0.1:3000/callback/other/" });
    refused(&complete(&flow, &elsewhere), 422, "invalid_callback");
    assert_eq!(api.stage.tiktok.requests("token").len(), 0, "no code was exchanged");

    let (flow, query) = begin();
    let body = json!({ "query": query, "redirect_uri": REDIRECT });
    let ended = fine(&complete(&flow, &body));
    assert!(!ended["granted"].as_array().unwrap().contains(&json!("user.info.stats")), "{ended}");
    refused(&complete(&flow, &body), 422, "invalid_callback");
    assert_eq!(api.stage.tiktok.requests("token").len(), 1);
    for (wrong, status, word) in [
        (json!({ "platform": "nowhere", "redirect_uri": REDIRECT }), 404, "not_found"),
        (json!({ "platform": "tiktok", "app": "nothing", "redirect_uri": REDIRECT }), 404, "not_found"),
        (json!({ "platform": "tiktok", "redirect_uri": "http://127.0.0.1:3000" }), 422, "bad_value"),
        (json!({ "platform": "tiktok", "redirect_uri": REDIRECT, "surprise": 1 }), 400, "bad_request"),
        (json!({ "platform": "tiktok" }), 400, "bad_request"),
    ] {
        refused(&api.post("flows", &wrong), status, word);
    }
    api.end();
}

/// A file that has the app ask for these scopes.
fn asking(stage: &Stage, scopes: &[&str]) -> PathBuf {
    stage.file("less.toml", &format!("[platforms.tiktok.apps.default]\nscopes = {scopes:?}\n"))
}

#[test]
fn what_is_asked_for_shown_and_read_follows_the_file_with_no_restart() {
    let stage = Stage::new();
    let file = asking(&stage, &["user.info.basic"]);
    let command = stage.cli(SERVE).overlay(file);
    let api = Api::of(stage, command, "all");
    let linked = api.connect(MIRA);
    let path = format!("connections/{}", linked["id"].as_str().unwrap());
    let stats = |connection: &Value| {
        let scopes = connection["scopes"].as_array().unwrap();
        scopes.iter().find(|scope| scope["scope"] == "user.info.stats").map(|scope| scope["status"].clone())
    };
    let before = fine(&api.get(&path));
    assert_eq!((stats(&before), &before["reauthentication_helps"]), (None, &json!(false)));
    let followers = || fine(&api.get(&format!("{path}/metrics?max_age=0")))["metrics"]["followers"].clone();
    assert_eq!(followers()["missing"]["reason"], "not_wanted");

    asking(&api.stage, &["user.info.basic", "user.info.stats"]);
    let began = Instant::now();
    while fine(&api.get("platforms"))["platforms"].to_string().matches("user.info.stats").count() < 2 {
        assert!(began.elapsed() < Duration::from_mins(1), "it is not taken up");
    }
    let after = fine(&api.get(&path));
    assert_eq!((stats(&after), &after["reauthentication_helps"]), (Some(json!("never_asked")), &json!(true)));
    assert_eq!(followers()["missing"], json!({ "reason": "never_asked", "scope": "user.info.stats" }));

    let start = json!({ "platform": "tiktok", "redirect_uri": REDIRECT, "reconnect": linked["id"] });
    let (flow, query) = api.flow(&start, |url| {
        assert_eq!(param(url, "scope").as_deref(), Some("user.info.basic,user.info.stats"));
        api.stage.consent_at(url, &person(MIRA))
    });
    fine(&api.post(&format!("flows/{flow}/complete"), &json!({ "query": query })));
    assert_eq!(stats(&fine(&api.get(&path))), Some(json!("granted")));
    assert!(followers()["value"].is_i64());
    api.end();
}

/// A registration of the tenant `shop`, beside everybody's.
const SHOPS_OWN: &str = r#"
[platforms.tiktok.apps.shops_own]
kind = "desktop"
client_id = { env = "SHOP_CLIENT_KEY" }
client_secret = { env = "SHOP_CLIENT_SECRET" }
scopes = ["user.info.basic"]
tenants = ["shop"]
"#;

#[test]
fn an_app_of_one_tenant_is_not_there_for_another() {
    let stage = Stage::new();
    let overlay = stage.file("shop.toml", SHOPS_OWN);
    let command = stage.cli(SERVE).overlay(&overlay);
    let api = Api::of(stage, command, "all");
    let shop = key(&api.stage, "shop", "--tenant shop --rights all");
    let of = |key: &str, method: Method, path: &str, body: Option<&Value>| api.send(method, path, key, None, body);
    let flow = json!({ "platform": "tiktok", "app": "shops_own", "redirect_uri": REDIRECT });
    let link = json!({ "platform": "tiktok", "app": "shops_own" });
    let plan =
        json!({ "file": "[platforms.tiktok.apps.shops_own]\nscopes = [\"user.info.basic\", \"user.info.stats\"]\n" });
    for (key, is_theirs) in [(&shop, true), (&api.key, false)] {
        for path in ["platforms", "platforms/tiktok/scopes"] {
            let told = fine(&of(key, Method::GET, path, None)).to_string();
            assert_eq!(told.contains("shops_own"), is_theirs, "{told}");
        }
        let planned = fine(&of(key, Method::POST, "config/plan", Some(&plan))).to_string();
        assert_eq!(planned.contains("shops_own"), is_theirs, "{planned}");
        for (path, body) in [("flows", &flow), ("connect-links", &link)] {
            let answer = of(key, Method::POST, path, Some(body));
            if is_theirs { drop(fine(&answer)) } else { drop(refused(&answer, 404, "not_found")) }
        }
    }
    let connect = api.stage.cli("connect tiktok --app shops_own --no-browser").overlay(&overlay).run();
    connect.ends(2, &["is not for the tenant `default`", "`tenants` of [platforms.tiktok.apps.shops_own]"]);
    api.end();
}

#[test]
fn a_connection_is_not_renewed_by_another_account_unless_the_product_says_so() {
    let api = Api::new("all");
    let mira = api.connect(MIRA);
    let renew = json!({ "platform": "tiktok", "redirect_uri": REDIRECT, "reconnect": mira["id"] });
    let walk = || api.flow(&renew, |url| api.stage.consent_at(url, &person("jonas")));
    let (flow, query) = walk();
    let complete = |flow: &str, body: &Value| api.post(&format!("flows/{flow}/complete"), body);
    let problem = refused(&complete(&flow, &json!({ "query": query })), 409, "not_linked");
    assert!(problem["detail"].as_str().unwrap().contains("not as Mira Okafor"), "{problem}");
    assert_eq!(fine(&api.get("connections"))["connections"].as_array().unwrap().len(), 1);
    let (flow, query) = walk();
    let ended = fine(&complete(&flow, &json!({ "query": query, "other_account": true })));
    assert_eq!(ended["connections"][0]["new"], true, "{ended}");
    assert_eq!(fine(&api.get("connections"))["connections"].as_array().unwrap().len(), 2);
    api.end();
}

#[test]
fn of_flows_that_connect_one_account_at_the_same_moment_each_is_told_what_became_of_it() {
    let api = Api::new("all");
    let start = json!({ "platform": "tiktok", "redirect_uri": REDIRECT });
    let flows: Vec<_> = (0..8).map(|_| api.flow(&start, |url| api.stage.consent_at(url, &person(MIRA)))).collect();
    let web = &api.stage.web;
    let answers = web.wait(async {
        let mut sent = tokio::task::JoinSet::new();
        for (flow, query) in flows {
            let path = format!("flows/{flow}/complete");
            let (cx, request) =
                (web.cx.clone(), api.request(Method::POST, &path, &api.key).json(&json!({ "query": query })));
            sent.spawn(async move { cx.send(request).await.unwrap() });
        }
        sent.join_all().await
    });
    let (done, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(!done.is_empty());
    for other in others {
        refused(other, 409, "not_linked");
    }
    let connections = fine(&api.get("connections"));
    let [connection] = connections["connections"].as_array().unwrap().as_slice() else { panic!("{connections}") };
    assert_eq!(connection["state"], "active");
    api.end();
}
