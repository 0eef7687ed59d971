//! People who sign in: what a browser can do, and what nobody can do for it.

use connector_core::http::{RawAnswer, Request};
use http::header::{CONTENT_TYPE, LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use crate::support::Stage;
use crate::support::browser::Browser;
use crate::support::house::{House, PASSWORD, form_token, serve, text};

const OTHER: &str = "another horse battery";

fn plain(request: Request, kind: &'static str) -> Request {
    request.header(CONTENT_TYPE, HeaderValue::from_static(kind))
}

#[test]
fn nothing_is_changed_by_a_form_that_is_not_of_the_session() {
    let house = House::new();
    let (ada, grace) = (house.signed_in("ada"), house.signed_in("grace"));
    let (own, others, id) = (house.token(&ada), house.token(&grace), house.id_of("grace"));
    let user = |what: &str| format!("/users/{id}/{what}");
    let routes: Vec<(String, Vec<(&str, &str)>)> = vec![
        ("/sign-out".to_owned(), vec![]),
        ("/account/password".to_owned(), vec![("current", PASSWORD), ("password", OTHER)]),
        ("/account/sessions/end".to_owned(), vec![]),
        ("/users".to_owned(), vec![("name", "eve"), ("role", "admin"), ("tenant", ""), ("password", OTHER)]),
        (user("password"), vec![("password", OTHER)]),
        (user("disable"), vec![]),
        (user("sign-out"), vec![]),
        ("/sign-in".to_owned(), vec![("name", "ada"), ("password", PASSWORD)]),
        ("/platforms/tiktok/default/connect".to_owned(), vec![("reference", "")]),
        ("/connections/none/metrics".to_owned(), vec![]),
        ("/connections/none/reconnect".to_owned(), vec![]),
        ("/connections/none/disconnect".to_owned(), vec![]),
    ];
    let before = house.state();
    for (path, fields) in &routes {
        let (url, with) =
            (house.at(path), |token: &str| [vec![("form_token", token.to_owned())], owned(fields)].concat());
        let twice = [with(&own), vec![("form_token", own.clone())]].concat();
        let more = [with(&own), vec![("surplus", "1".to_owned())]].concat();
        for form in [owned(fields), with(""), with(&others), with(&own.to_uppercase()), twice, more] {
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(ada.submit(&url, &form).status, 403, "{path} {form:?}");
        }
        let form: Vec<(String, String)> =
            with(&own).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let form = || form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (site, origin) in [
            ("cross-site", Some("https://evil.example")),
            ("same-origin", Some("https://evil.example")),
            ("cross-site", None),
            ("same-site", None),
            ("none", None),
            ("same-origin", Some("null")),
        ] {
            let request = ada.request(Method::POST, &url, site).form(form());
            let request = match origin {
                Some(origin) => request.header(ORIGIN, HeaderValue::from_static(origin)),
                None => request,
            };
            assert_eq!(ada.send(request).status, 403, "{path} {site} {origin:?}");
        }
        for kind in ["text/plain", "application/json", "multipart/form-data; boundary=x"] {
            let origin = HeaderValue::from_str(&url.origin().ascii_serialization()).unwrap();
            let request = ada.request(Method::POST, &url, "same-origin").header(ORIGIN, origin).form(form());
            assert_eq!(ada.send(plain(request, kind)).status, 403, "{path} {kind}");
        }
        let request = ada.request(Method::GET, &url, "same-origin");
        assert_ne!(ada.send(request).status, 303, "{path}");
    }
    assert_eq!(house.state(), before);
    assert!(house.is_in(&ada) && house.is_in(&grace));
}

fn owned(fields: &[(&'static str, &'static str)]) -> Vec<(&'static str, String)> {
    fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

#[test]
fn cookies_are_for_this_host_alone_and_no_script() {
    let shape = |answer: &RawAnswer| -> Vec<String> {
        let cookies = answer.headers.get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap());
        cookies
            .map(|cookie| {
                let (name, rest) = cookie.split_once('=').unwrap();
                let (value, rest) = rest.split_once("; ").unwrap();
                assert_eq!(value.len(), 43, "256 bits");
                format!("{name}=..; {rest}")
            })
            .collect()
    };
    let house = House::new();
    let browser = house.browser();
    let shown = browser.open(&house.at("/sign-in"));
    assert_eq!(shape(&shown), ["connector-browser=..; HttpOnly; SameSite=Lax; Path=/"]);
    let entered = house.sign_in(&browser, "ada", PASSWORD, "");
    assert_eq!(shape(&entered), ["connector-session=..; HttpOnly; SameSite=Lax; Path=/"]);

    // Behind a proxy that speaks https, browsers are called from there.
    house.end();
    let (running, told) = serve(&house.stage, "--public-url https://connect.example");
    let here: Url = told["listening"].as_str().unwrap().parse().unwrap();
    let (browser, sign_in) = (house.browser(), here.join("/sign-in").unwrap());
    let shown = browser.open(&sign_in);
    assert_eq!(shape(&shown), ["__Host-connector-browser=..; HttpOnly; SameSite=Lax; Secure; Path=/"]);
    let request = browser.request(Method::POST, &sign_in, "same-origin");
    let request = request.header(ORIGIN, HeaderValue::from_static("https://connect.example"));
    let token = form_token(&shown);
    let entered = browser.send(request.form([("form_token", token.as_str()), ("name", "ada"), ("password", PASSWORD)]));
    assert_eq!(shape(&entered), ["__Host-connector-session=..; HttpOnly; SameSite=Lax; Secure; Path=/"]);
    running.terminate();
    running.done().ends(0, &[]);
}

#[test]
fn an_old_session_lets_nobody_in() {
    let house = House::new();
    let old = |browser: &Browser<'_>| {
        let old = house.browser();
        old.cookies.replace(browser.cookies.borrow().clone());
        old
    };
    let browser = house.signed_in("grace");
    let before = old(&browser);
    assert_eq!(house.sign_in(&browser, "grace", PASSWORD, "").status, 303);
    assert!(!house.is_in(&before) && house.is_in(&browser), "signed in anew");

    let before = old(&browser);
    let token = house.token(&browser);
    assert_eq!(browser.submit(&house.at("/sign-out"), &[("form_token", &token)]).status, 303);
    assert!(!house.is_in(&before) && !house.is_in(&browser), "signed out");

    let (browser, elsewhere) = (house.signed_in("grace"), house.signed_in("grace"));
    let (before, token) = (old(&browser), house.token(&browser));
    assert_eq!(browser.submit(&house.at("/account/sessions/end"), &[("form_token", &token)]).status, 303);
    assert!(!house.is_in(&elsewhere) && house.is_in(&browser), "ended from another browser");
    let fields = [("form_token", token.as_str()), ("current", PASSWORD), ("password", OTHER)];
    assert_eq!(browser.submit(&house.at("/account/password"), &fields).status, 303);
    assert!(!house.is_in(&before) && house.is_in(&browser), "a new password");

    let ada = house.signed_in("ada");
    let (token, id) = (house.token(&ada), house.id_of("grace"));
    let send = |what: &str, fields: &[(&str, &str)]| {
        let fields = [&[("form_token", token.as_str())], fields].concat();
        ada.submit(&house.at(&format!("/users/{id}/{what}")), &fields).status
    };
    assert_eq!(send("sign-out", &[]), 303);
    assert!(!house.is_in(&browser), "ended by an admin");
    assert_eq!(send("password", &[("password", PASSWORD)]), 303);
    let browser = house.signed_in("grace");
    assert_eq!(send("disable", &[]), 303);
    assert!(!house.is_in(&browser), "disabled");
    assert_eq!(house.sign_in(&house.browser(), "grace", PASSWORD, "").status, 422);
    house.stage.cli("users sign-out ada").run().ends(0, &["`ada`", "signed out everywhere"]);
    assert!(!house.is_in(&ada), "ended by a command");
}

#[test]
fn a_member_sees_one_tenant_and_no_users() {
    let house = House::new();
    let (ada, grace) = (house.signed_in("ada"), house.signed_in("grace"));
    assert_eq!(ada.open(&house.at("/users")).status, 200);
    let own = house.token(&grace);
    assert_eq!(grace.open(&house.at("/users")).status, 404);
    let form = [("form_token", own.as_str()), ("name", "eve"), ("role", "admin"), ("tenant", ""), ("password", OTHER)];
    assert_eq!(grace.submit(&house.at("/users"), &form).status, 404);
    for what in ["disable", "sign-out"] {
        let path = format!("/users/{}/{what}", house.id_of("ada"));
        assert_eq!(grace.submit(&house.at(&path), &[("form_token", own.as_str())]).status, 404);
    }
    assert!(house.is_in(&ada));
    let users = house.stage.cli("users list --json").run().ok().json();
    assert_eq!(users.as_array().unwrap().len(), 2);
}

#[test]
fn whoever_signs_in_goes_on_to_where_they_were_on_this_host_alone() {
    let house = House::new();
    let browser = house.browser();
    let sent = browser.open(&house.at("/users?tenant=acme&x=%2F"));
    assert_eq!(
        (sent.status, sent.headers[LOCATION].to_str().unwrap()),
        (303, "/sign-in?next=%2Fusers%3Ftenant%3Dacme%26x%3D%252F")
    );
    for (next, to) in [
        ("/users?tenant=acme", "/users?tenant=acme"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ] {
        let answer = house.sign_in(&browser, "ada", PASSWORD, next);
        assert_eq!((answer.status, answer.headers[LOCATION].to_str().unwrap()), (303, to), "{next:?}");
        let mut shown = house.at("/sign-in");
        shown.query_pairs_mut().append_pair("next", next);
        assert_eq!(text(&browser.open(&shown)).contains("name=\"next\""), to != "/", "{next:?}");
    }
    let told = |name: &str| {
        let answer = house.sign_in(&house.browser(), name, "a wrong guess", "");
        assert_eq!(answer.status, 422);
        let page = text(&answer);
        page.split_once("role=\"alert\">").unwrap().1.split_once("</p>").unwrap().0.to_owned()
    };
    assert_eq!(told("ada"), told("nobody"), "nobody learns who may sign in");
}

#[test]
fn the_first_admin_is_made_on_this_machine_with_the_token_of_the_file() {
    let stage = Stage::new();
    let (running, told) = serve(&stage, "");
    let set_up = &told["set_up"];
    let file = set_up["token_file"].as_str().unwrap().to_owned();
    let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(token.len() == 43 && !told.to_string().contains(&token), "{told}");
    let url: Url = set_up["url"].as_str().unwrap().parse().unwrap();
    let browser = Browser::new(&stage.web);
    assert_eq!(browser.open(&url).status, 200);
    let forwarded = browser.request(Method::GET, &url, "none");
    let forwarded = forwarded.header(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_static("192.0.2.7"));
    assert_eq!(browser.send(forwarded).status, 404, "a proxy asks for somebody else");
    let send = |token: &str, password: &str| {
        browser.submit(&url, &[("token", token), ("name", "ada"), ("password", password)])
    };
    assert_eq!(send("a guess", PASSWORD).status, 403);
    let short = send(&token, "short");
    assert!(short.status == 422 && text(&short).contains("at least 12"), "{}", text(&short));
    assert_eq!(send(&token, PASSWORD).status, 303);
    assert!(!std::path::Path::new(&file).exists(), "it was used");
    assert_eq!((browser.open(&url).status, send(&token, PASSWORD).status), (404, 404));
    running.terminate();
    running.done().ends(0, &[]).without(&token);
    let users = stage.cli("users").run().ok();
    users.ends(0, &["ada", "admin", "every", "active"]);
}

#[test]
fn the_admin_of_a_file_is_made_at_the_start_and_a_weak_hash_stops_it() {
    let stage = Stage::new();
    let mut hashing = stage.cli("users hash-password --password-file -").with_input().start();
    hashing.paste(PASSWORD);
    let hash = hashing.done().ok().out;
    let file = stage.file("hash", &hash);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let start = || stage.cli("serve --listen 127.0.0.1:0 --json --admin-password-hash-file hash");
    let mut running = start().start();
    let told = running.document();
    assert_eq!(told["set_up"], Value::Null);
    stage.cli("users").run().ends(0, &["admin", "every"]);
    running.terminate();
    running.done().ends(0, &[]);
    std::fs::write(&file, hash.replace("m=47104", "m=1024")).unwrap();
    start().run().ends(78, &["--admin-password-hash-file", "too little"]);
}
