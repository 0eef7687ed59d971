//! Connect links: a product has somebody connect an account who has no login at the host.

use connector_core::emulator::Consent;
use connector_core::http::RawAnswer;
use http::header::SET_COOKIE;
use http::{HeaderValue, Method, header};
use serde_json::{Value, json};
use url::Url;

use crate::support::api::{Api, fine, key, refused};
use crate::support::browser::{Browser, sent_on};
use crate::support::{MIRA, Stage, declining, param, person, unticking};

const SERVE: &str = "serve --listen 127.0.0.1:0 --json --every 1h --return-to https://shop.example/linked";

const RETURN: &str = "https://shop.example/linked/here?user=7";

fn api() -> Api {
    let stage = Stage::new();
    let command = stage.cli(SERVE);
    Api::of(stage, command, "all")
}

/// A link that was made, as the API tells it.
fn made(api: &Api, more: &Value) -> Value {
    let mut body = json!({ "platform": "tiktok", "reference": "user-7" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fine(&api.post("connect-links", &body))
}

fn url(link: &Value) -> Url {
    link["url"].as_str().unwrap().parse().unwrap()
}

fn state(api: &Api, link: &Value) -> Value {
    fine(&api.get(&format!("connect-links/{}", link["id"].as_str().unwrap())))
}

fn text(answer: &RawAnswer) -> String {
    String::from_utf8(answer.body.clone()).unwrap().replace("&#39;", "'")
}

/// Opens a link, presses its button and walks the platform's page. Gives the address the browser comes back to.
fn walk(api: &Api, browser: &Browser<'_>, link: &Value, consent: &Consent) -> Url {
    let url = url(link);
    assert_eq!(browser.open(&url).status, 200);
    let authorize = sent_on(&url, &browser.submit(&url, &[]));
    api.stage.consent_at(&authorize, consent)
}

#[test]
fn somebody_without_a_login_connects_an_account_and_the_product_learns_of_it() {
    let api = api();
    let link = made(&api, &json!({ "return_url": RETURN }));
    let (browser, url) = (Browser::new(&api.stage.web), url(&link));
    assert_eq!((&link["state"], &link["reference"]), (&json!("open"), &json!("user-7")));
    for _ in 0..3 {
        let page = text(&browser.open(&url));
        for words in ["shop.example", "Connect your TikTok account", "user.info.stats", "Continue to TikTok"] {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
    assert_eq!(state(&api, &link)["state"], "open", "looking at it changes nothing");
    assert!(browser.cookies.borrow().is_empty());

    let answer = browser.submit(&url, &[]);
    let cookie = answer.headers[SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    let back = api.stage.consent_at(&sent_on(&url, &answer), &person(MIRA));
    assert_eq!(back.path(), "/oauth/callback/tiktok/default");
    let came = browser.open(&back);
    assert_eq!(came.headers["referrer-policy"], "no-referrer");
    let returned = sent_on(&back, &came);
    assert!(returned.as_str().starts_with(RETURN), "{returned}");
    let told = state(&api, &link);
    let id = told["connections"][0].as_str().unwrap();
    assert_eq!((param(&returned, "connection_id").as_deref(), param(&returned, "error")), (Some(id), None));
    assert_eq!(param(&returned, "link_id").as_deref(), link["id"].as_str());
    assert_eq!((&told["state"], &told["url"]), (&json!("connected"), &Value::Null));
    let connection = fine(&api.get(&format!("connections/{id}")));
    assert_eq!((&connection["reference"], &connection["state"]), (&json!("user-7"), &json!("active")));

    assert!(text(&browser.open(&url)).contains("has been used"));
    assert_eq!(browser.submit(&url, &[]).status, 410);
    api.stage.assert_nothing_leaked();
    api.end();
}

#[test]
fn without_an_address_to_return_to_the_person_is_told_how_it_ended_in_their_own_browser() {
    let api = api();
    let link = made(&api, &json!({}));
    let browser = Browser::new(&api.stage.web);
    let back = walk(&api, &browser, &link, &unticking(MIRA, &["video.list"]));
    let ended = sent_on(&back, &browser.open(&back));
    assert_eq!(ended.query(), None, "no code is in the address");
    let page = browser.open(&ended);
    assert!(text(&page).contains("Mira Okafor is connected."), "{}", text(&page));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(Browser::new(&api.stage.web).open(&ended).status, 404, "nobody else sees it");
    api.end();
}

/// The same address with these states in place of its own.
fn with_states(back: &Url, states: &[&str]) -> Url {
    let mut url = back.clone();
    let others = back.query_pairs().filter(|(name, _)| name != "state");
    url.query_pairs_mut().clear().extend_pairs(others).extend_pairs(states.iter().map(|state| ("state", state)));
    url
}

#[test]
fn a_callback_counts_in_the_browser_alone_that_began_and_for_its_own_platform_and_app() {
    let api = api();
    let link = made(&api, &json!({}));
    let browser = Browser::new(&api.stage.web);
    let back = walk(&api, &browser, &link, &person(MIRA));
    let elsewhere = Browser::new(&api.stage.web);
    let other = made(&api, &json!({}));
    let theirs = walk(&api, &elsewhere, &other, &person("jonas"));

    let came = param(&back, "state").unwrap();
    let states = |states: &[&str]| with_states(&back, states);
    let mut other_app = back.clone();
    other_app.set_path("/oauth/callback/tiktok/other");
    let mut other_platform = back.clone();
    other_platform.set_path("/oauth/callback/lantern/default");
    let no_browser = Browser::new(&api.stage.web);
    let wrong = Browser::new(&api.stage.web);
    wrong.cookies.borrow_mut().insert("connector-browser".to_owned(), "A".repeat(43));
    for (case, browser, url, words) in [
        ("no state", &browser, states(&[]), "under way"),
        ("an unknown state", &browser, states(&["unknown"]), "under way"),
        ("a state that was cut off", &browser, states(&[&came[1..]]), "under way"),
        ("a state twice", &browser, states(&[&came, &came]), "under way"),
        ("a huge state", &browser, states(&[&"x".repeat(8_000)]), "under way"),
        ("a browser with nothing", &no_browser, back.clone(), "in another browser"),
        ("a browser with something else", &wrong, back.clone(), "in another browser"),
        ("another person's browser", &elsewhere, back.clone(), "in another browser"),
        ("another person's callback", &browser, theirs.clone(), "in another browser"),
        ("another app", &browser, other_app, "under way"),
        ("another platform", &browser, other_platform, "under way"),
    ] {
        let ended = sent_on(&url, &browser.open(&url));
        let page = text(&browser.open(&ended));
        assert!(page.contains(words) && !ended.as_str().contains("code"), "{case}: {page}");
    }
    let image = browser.request(Method::GET, &back, "cross-site");
    let image = image.header(header::HeaderName::from_static("sec-fetch-dest"), HeaderValue::from_static("image"));
    assert_eq!(browser.send(image).status, 403);
    assert_eq!(api.stage.tiktok.requests("token").len(), 0, "nothing was exchanged");
    assert!(fine(&api.get("connections"))["connections"].as_array().unwrap().is_empty());

    // Nothing was used up by all that.
    for (browser, back, name) in [(&browser, &back, "Mira Okafor"), (&elsewhere, &theirs, "Jonas")] {
        let page = text(&browser.open(&sent_on(back, &browser.open(back))));
        assert!(page.contains(name) && page.contains("is connected"), "{page}");
    }
    let again = text(&browser.open(&sent_on(&back, &browser.open(&back))));
    assert!(again.contains("Mira Okafor is connected"), "the second callback tells what became of the first: {again}");
    assert_eq!(api.stage.tiktok.requests("token").len(), 2);
    api.end();
}

#[test]
fn a_link_is_the_first_browsers_and_only_a_form_of_its_own_page_uses_it() {
    let api = api();
    let link = made(&api, &json!({}));
    let (first, second, url) = (Browser::new(&api.stage.web), Browser::new(&api.stage.web), url(&link));
    for (origin, site) in [("https://evil.example", "cross-site"), ("null", "same-origin"), ("", "cross-site")] {
        let mut forged = first.request(Method::POST, &url, site).form([("a", "b")]);
        if !origin.is_empty() {
            forged = forged.header(header::ORIGIN, HeaderValue::from_static(origin));
        }
        assert_eq!(first.send(forged).status, 403, "{origin} {site}");
    }
    assert_eq!(state(&api, &link)["state"], "open");
    sent_on(&url, &first.submit(&url, &[]));
    assert_eq!(state(&api, &link)["state"], "started");
    assert!(text(&second.open(&url)).contains("in use elsewhere"));
    assert_eq!(second.submit(&url, &[]).status, 410);
    sent_on(&url, &first.submit(&url, &[]));

    let path = format!("connect-links/{}", link["id"].as_str().unwrap());
    let other = key(&api.stage, "other", "--tenant other --rights all");
    for method in [Method::GET, Method::DELETE] {
        refused(&api.send(method, &path, &other, None, None), 404, "not_found");
    }
    let cancelled = fine(&api.send(Method::DELETE, &path, &api.key, None, None));
    assert_eq!(cancelled["state"], "cancelled");
    assert!(text(&first.open(&url)).contains("no longer of use"));
    assert_eq!(first.submit(&url, &[]).status, 410);
    let mut unknown = url.clone();
    unknown.set_path("/connect/unknown");
    assert_eq!((first.open(&unknown).status, first.submit(&unknown, &[]).status), (404, 404));
    api.end();
}

#[test]
fn who_declines_is_sent_back_with_the_reason_and_may_try_again() {
    let api = api();
    let link = made(&api, &json!({ "return_url": RETURN }));
    let browser = Browser::new(&api.stage.web);
    let back = walk(&api, &browser, &link, &declining(MIRA));
    let returned = sent_on(&back, &browser.open(&back));
    assert_eq!((param(&returned, "error").as_deref(), param(&returned, "connection_id")), (Some("declined"), None));
    let told = state(&api, &link);
    assert_eq!((&told["state"], &told["error"]), (&json!("failed"), &json!("declined")));

    let back = walk(&api, &browser, &link, &person(MIRA));
    let returned = sent_on(&back, &browser.open(&back));
    assert!(param(&returned, "connection_id").is_some(), "{returned}");
    assert_eq!(state(&api, &link)["error"], Value::Null);
    api.end();
}

#[test]
fn a_request_that_is_refused_for_a_scope_is_offered_with_less() {
    let stage = Stage::new();
    stage.tiktok.switch(&json!({ "pre_consent_errors": "redirect" }));
    let unheld = stage.file("unheld.toml", crate::consent::UNHELD);
    let command = stage.cli(SERVE).overlay(&unheld);
    let api = Api::of(stage, command, "all");
    let link = made(&api, &json!({ "return_url": RETURN }));
    let browser = Browser::new(&api.stage.web);
    let back = walk(&api, &browser, &link, &person(MIRA));
    let ended = sent_on(&back, &browser.open(&back));
    let page = text(&browser.open(&ended));
    assert!(page.contains("asked for less") && page.contains("user.info.basic alone"), "{page}");
    assert!(page.contains("error=scope_refused"), "the person may also go back: {page}");

    let again = ended.join(&format!("{}/again", ended.path())).unwrap();
    assert_eq!(Browser::new(&api.stage.web).submit(&again, &[]).status, 404, "the offer is this browser's");
    let authorize = sent_on(&again, &browser.submit(&again, &[("less", "yes")]));
    assert_eq!(param(&authorize, "scope").as_deref(), Some("user.info.basic"));
    let back = api.stage.consent_at(&authorize, &person(MIRA));
    assert!(param(&sent_on(&back, &browser.open(&back)), "connection_id").is_some());
    api.end();
}

#[test]
fn a_tenants_links_are_listed_the_latest_first_without_what_opens_them() {
    let api = api();
    let links: Vec<_> = (0..3).map(|number| made(&api, &json!({ "reference": format!("user-{number}") }))).collect();
    let first = links[0]["id"].as_str().unwrap();
    fine(&api.send(Method::DELETE, &format!("connect-links/{first}"), &api.key, None, None));
    let references = |page: &Value| -> Vec<String> {
        let links = page["links"].as_array().unwrap().iter();
        links.map(|link| link["reference"].as_str().unwrap().to_owned()).collect()
    };
    let page = fine(&api.get("connect-links?limit=2"));
    assert_eq!(references(&page), ["user-2", "user-1"]);
    assert_eq!(page["links"][0], state(&api, &links[2]), "a link is told in one way");
    let rest = fine(&api.get(&format!("connect-links?limit=2&cursor={}", page["next"].as_str().unwrap())));
    assert_eq!((references(&rest), &rest["next"]), (vec!["user-0".to_owned()], &Value::Null));
    assert_eq!(references(&fine(&api.get("connect-links?state=cancelled"))), ["user-0"]);
    assert_eq!(references(&fine(&api.get("connect-links?state=open&limit=1"))), ["user-2"]);
    refused(&api.get("connect-links?state=lost"), 400, "bad_request");
    refused(&api.get("connect-links?cursor=lost"), 422, "bad_value");
    let other = key(&api.stage, "other", "--tenant other --rights connections:read");
    assert_eq!(references(&fine(&api.send(Method::GET, "connect-links", &other, None, None))), Vec::<String>::new());

    let cli = |args: &str| api.stage.cli("links list").args(args).run();
    let shown = cli("--state open --json").ok();
    assert_eq!(references(&json!({ "links": shown.json() })), ["user-2", "user-1"]);
    cli("").ends(0, &["user-2", "user-1", "user-0", "cancelled"]);
    cli("--state waiting").ends(0, &["no such connect link"]);
    cli("--state lost").ends(2, &["is no state of a connect link"]);
    let everything = page.to_string() + &shown.out;
    for link in &links {
        let token = url(link).path_segments().unwrap().next_back().unwrap().to_owned();
        assert!(!everything.contains(&token), "nobody is told a second time");
    }
    api.end();
}

#[test]
fn a_tenant_has_so_many_open_links_and_no_more() {
    let api = api();
    api.stage.by_others(
        "INSERT INTO connect_links (id, token_digest, tenant, platform, app, created_at, expires_at)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
         SELECT printf('00000000-0000-7000-8000-%012x', i), 'digest-' || i, 'default', 'tiktok', 'default', 0, 9000000000000 FROM n",
    );
    let last = made(&api, &json!({}));
    let body = json!({ "platform": "tiktok" });
    let create = || {
        let name = header::HeaderName::from_static("idempotency-key");
        let request = api.request(Method::POST, "connect-links", &api.key);
        api.answer(request.header(name, HeaderValue::from_static("one-more")).json(&body))
    };
    let problem = refused(&create(), 429, "too_many_links");
    assert!(problem["detail"].as_str().unwrap().contains("10000 connect links"), "{problem}");
    let cli = || api.stage.cli("links create tiktok").run();
    cli().ends(1, &["the tenant has 10000 connect links that have not ended", "take back"]);
    let other = key(&api.stage, "other", "--tenant other --rights all");
    fine(&api.send(Method::POST, "connect-links", &other, None, Some(&body)));
    let path = format!("connect-links/{}", last["id"].as_str().unwrap());
    fine(&api.send(Method::DELETE, &path, &api.key, None, None));
    fine(&create());
    cli().ends(1, &["take back"]);
    api.end();
}

#[test]
fn what_cannot_be_is_refused_when_the_link_is_made() {
    let api = api();
    let post = |more: Value| {
        let mut body = json!({ "platform": "tiktok" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        api.post("connect-links", &body)
    };
    for text in [
        "https://evil.example/",
        "https://shop.example/linkedx",
        "//shop.example/linked",
        "http://shop.example/linked",
        "",
    ] {
        let problem = refused(&post(json!({ "return_url": text })), 409, "conflict");
        assert!(problem["detail"].as_str().unwrap().contains("`return_url`"), "{problem}");
    }
    refused(&post(json!({ "platform": "nowhere" })), 404, "not_found");
    refused(&post(json!({ "app": "other" })), 404, "not_found");
    refused(&post(json!({ "reconnect": "0197d9f5-0000-7000-8000-000000000000" })), 404, "not_found");
    for seconds in [0, -1, 604_801, i64::MAX] {
        refused(&post(json!({ "expires_in": seconds })), 409, "conflict");
    }
    for (body, status) in [
        (json!({ "expires_in": 60.0 }), 201),
        (json!({ "expires_in": 60.5 }), 400),
        (json!({ "tenant": "other" }), 400),
    ] {
        assert_eq!(post(body.clone()).status, status, "{body}");
    }
    api.end();
}

#[test]
fn an_operator_makes_a_link_at_the_terminal_and_sees_before_what_it_would_do() {
    let api = api();
    let cli = |args: &str| api.stage.cli("links").args(args);
    let dry = cli("create tiktok --reference user-7 --dry-run").run().ok();
    for words in ["user.info.stats", "/oauth/callback/tiktok/default", "It would end at"] {
        assert!(dry.out.contains(words), "{}", dry.out);
    }
    let plan = cli("create tiktok --dry-run --expires-in 30m --public-url https://connect.example --json").run();
    plan.ends(2, &["redirect"]);
    let link = cli("create tiktok --reference user-7 --json").run().ok().json();
    let browser = Browser::new(&api.stage.web);
    let back = walk(&api, &browser, &link, &person(MIRA));
    assert!(text(&browser.open(&sent_on(&back, &browser.open(&back)))).contains("Mira Okafor is connected."));
    cli("cancel").arg(link["id"].as_str().unwrap()).run().ends(0, &["had ended before"]);
    api.end();
}

#[test]
fn a_callback_that_comes_a_thousand_times_at_once_is_one_exchange() {
    // One machine may not have so many connections, unless it is a proxy.
    let stage = Stage::new();
    let command = stage.cli(SERVE).args("--trusted-proxy 127.0.0.1 --max-connections 2000");
    let api = Api::of(stage, command, "all");
    let link = made(&api, &json!({ "return_url": RETURN }));
    let browser = Browser::new(&api.stage.web);
    let back = walk(&api, &browser, &link, &person(MIRA));
    let web = &api.stage.web;
    let answers = web.wait(async {
        let mut sent = tokio::task::JoinSet::new();
        for _ in 0..1_000 {
            let (cx, request) = (web.cx.clone(), browser.request(Method::GET, &back, "cross-site"));
            sent.spawn(async move { cx.send(request).await.unwrap().status });
        }
        sent.join_all().await
    });
    assert!(answers.iter().all(|status| *status == 303), "{answers:?}");
    assert_eq!(api.stage.tiktok.requests("token").len(), 1);
    let told = state(&api, &link);
    assert_eq!((&told["state"], told["connections"].as_array().unwrap().len()), (&json!("connected"), 1));
    api.end();
}
