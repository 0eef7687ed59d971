//! What a browser may bring back: each is told in the browser and at the terminal, and nothing is stored.

use connector_core::http::{Policy, RawAnswer, Request};
use http::{HeaderName, HeaderValue, Method};
use url::Url;

use crate::support::{MIRA, Running, Stage, declining, param, person};

/// A flow that waits, and where its redirect goes.
struct Waiting {
    running: Running,
    redirect: Url,
    state: String,
}

impl Waiting {
    fn start(stage: &Stage) -> Self {
        let mut running = stage.cli("connect tiktok --no-browser").start();
        let url = running.url();
        let text = |name| param(&url, name).unwrap();
        Self { redirect: text("redirect_uri").parse().unwrap(), state: text("state"), running }
    }

    /// What a browser gets that goes there, or asks for it on behalf of some page.
    fn ask(&self, stage: &Stage, method: Method, headers: &[(&'static str, &'static str)]) -> RawAnswer {
        let url = self.with(&[("error", "access_denied")]);
        let request = Request::new(method, url, Policy::TOKEN);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        stage.web.wait(stage.web.cx.send(request)).unwrap()
    }

    /// The redirect with these parameters.
    fn with(&self, params: &[(&str, &str)]) -> Url {
        let mut url = self.redirect.clone();
        url.query_pairs_mut().extend_pairs(params);
        url
    }
}

/// A callback that reports this error ends the flow with these words, with and without its state.
fn refused(error: &str, error_type: Option<&str>, code: i32, words: &[&str]) {
    let stage = Stage::new();
    for with_state in [true, false] {
        let waiting = Waiting::start(&stage);
        let mut params = vec![("error", error)];
        params.extend(error_type.map(|detail| ("error_type", detail)));
        params.extend(with_state.then_some(("state", waiting.state.as_str())));
        let page = stage.visit(&waiting.with(&params));
        waiting.running.done().ends(code, words);
        assert!(page.contains("Not connected"), "{page}");
        for word in words {
            assert!(page.contains(word), "{page}");
        }
    }
    assert!(stage.connections().is_empty());
    assert!(stage.tiktok.requests("token").is_empty(), "nothing was exchanged");
}

#[test]
fn a_person_who_presses_cancel_is_respected() {
    let stage = Stage::new();
    let visit = stage.walk(stage.cli("connect tiktok --no-browser"), &declining(MIRA));
    visit.done.ends(3, &["the person did not allow access"]);
    assert!(visit.page.contains("Not connected") && visit.page.contains("did not allow access"), "{}", visit.page);
    assert!(stage.connections().is_empty());
    refused("access_denied", None, 3, &["the person did not allow access"]);
}

#[test]
fn a_client_key_that_is_not_taken_is_mended_in_the_portal() {
    refused("unauthorized_client", Some("client_key"), 2, &["client key", "the developer portal", "sandbox key"]);
}

#[test]
fn somebody_who_is_no_target_user_of_the_sandbox_is_added_there() {
    refused("access_denied", Some("non_sandbox_target"), 2, &["not a target user", "Sandbox > Target users"]);
}

#[test]
fn an_error_that_nobody_has_seen_before_is_told_as_it_is() {
    refused("strange_new_error", Some("of_some_kind"), 1, &["refused the request", "strange_new_error/of_some_kind"]);
}

#[test]
fn a_state_that_is_wrong_or_missing_is_another_flows_and_the_right_one_still_counts() {
    let stage = Stage::new();
    let mut running = stage.cli("connect tiktok --no-browser").start();
    let back = stage.consent(&mut running, &person(MIRA));
    let with = |state: Option<&str>| {
        let mut url = back.clone();
        let pairs: Vec<_> = back.query_pairs().filter(|(name, _)| name != "state").collect();
        url.query_pairs_mut().clear().extend_pairs(&pairs).extend_pairs(state.map(|state| ("state", state)));
        url
    };
    let mut twice = back.clone();
    twice.query_pairs_mut().append_pair("state", "x");
    for foreign in [with(Some("a-state-of-somebody-elses")), with(None), twice] {
        let page = stage.visit(&foreign);
        assert!(page.contains("Not connected") && page.contains("belongs to no flow in progress"), "{page}");
    }
    assert!(stage.tiktok.requests("token").is_empty(), "nothing was exchanged");

    let page = stage.visit(&back);
    assert!(page.contains("Mira Okafor is connected."), "{page}");
    running.done().ok();
}

#[test]
fn an_error_that_anybody_may_have_sent_neither_ends_a_flow_nor_speaks_in_it() {
    let stage = Stage::new();
    let mut waiting = Waiting::start(&stage);
    let words = "Call us at once";
    let page = stage.visit(&waiting.with(&[("error", "server_error"), ("error_description", words)]));
    assert!(page.contains("without saying which flow it belongs to") && !page.contains(words), "{page}");
    waiting.running.line("without saying which flow it belongs to");
    let page = stage.visit(&waiting.with(&[("error", words), ("error_description", words)]));
    assert!(!page.contains(words), "{page}");

    let back = stage.consent(&mut waiting.running, &person(MIRA));
    let page = stage.visit(&back);
    assert!(page.contains("Mira Okafor is connected."), "{page}");
    waiting.running.done().ends(0, &["Connected Mira Okafor"]).without(words);
}

#[test]
fn only_a_window_that_a_person_looks_at_brings_a_callback() {
    let stage = Stage::new();
    let waiting = Waiting::start(&stage);
    for (headers, status) in [
        (&[("sec-fetch-dest", "image"), ("sec-fetch-mode", "no-cors")][..], 403),
        (&[("sec-fetch-dest", "iframe"), ("sec-fetch-mode", "navigate")], 403),
        (&[("sec-fetch-dest", "empty"), ("sec-fetch-mode", "cors")], 403),
        (&[("sec-fetch-mode", "no-cors")], 403),
    ] {
        let answer = waiting.ask(&stage, Method::GET, headers);
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{headers:?}");
    }
    assert_eq!(waiting.ask(&stage, Method::HEAD, &[]).status, 405);
    let window = [("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")];
    assert_eq!(waiting.ask(&stage, Method::GET, &window).status, 303);
    waiting.running.done().ends(3, &["the person did not allow access"]);
}

#[test]
fn a_state_is_good_for_one_callback_of_whoever_began_it() {
    let stage = Stage::new();
    let first = Waiting::start(&stage);
    let mut second = Waiting::start(&stage);
    let params = [("code", "a-code"), ("state", first.state.as_str())];
    let page = stage.visit(&second.with(&params));
    assert!(page.contains("belongs to no flow in progress"), "{page}");
    let page = stage.visit(&first.with(&params));
    assert!(page.contains("it was used already"), "{page}");
    first.running.done().ends(1, &["it was used already"]);
    assert!(stage.tiktok.requests("token").is_empty(), "nothing was exchanged");
    second.running.interrupt();
    second.running.line("stopping");
    assert!(stage.connections().is_empty());
}

#[test]
fn a_callback_of_another_path_is_nobodys() {
    let stage = Stage::new();
    let waiting = Waiting::start(&stage);
    let elsewhere = waiting.redirect.join("/oauth/callback/tiktok/other?code=a&state=b").unwrap();
    assert_eq!(stage.web.get(&elsewhere).status, 404);
    assert_eq!(stage.web.get(&waiting.redirect.join("/done").unwrap()).status, 404);
    let page = stage.visit(&waiting.with(&[("state", &waiting.state)]));
    assert!(page.contains("neither a code nor an error"), "{page}");
    waiting.running.done().ends(1, &["neither a code nor an error"]);
}

#[test]
fn a_code_that_has_expired_is_told() {
    let stage = Stage::new();
    stage.tiktok.switch(&serde_json::json!({ "code_lifetime_seconds": 0 }));
    let visit = stage.walk(stage.cli("connect tiktok --no-browser"), &person(MIRA));
    visit.done.ends(1, &["no longer takes this code", "start connecting again", "invalid_grant", "log_id"]);
    assert!(visit.page.contains("Not connected"), "{}", visit.page);
    assert!(stage.connections().is_empty());
}

#[test]
fn a_redirect_uri_that_the_platform_would_refuse_is_refused_first() {
    let stage = Stage::new();
    let refuses = |uri: &str, words: &[&str]| {
        stage.cli("connect tiktok --no-browser --redirect-uri").arg(uri).run().ends(2, words);
    };
    refuses(
        "http://example.com:8080/back",
        &["takes no redirect URI like", "kind desktop", "127.0.0.1", "--redirect-uri"],
    );
    refuses("http://127.0.0.1/back", &["it must name a port"]);
    refuses("ftp://127.0.0.1:99/back", &["scheme"]);
    refuses("HTTP://LocalHost:8080", &["write it as `http://localhost:8080/`", "register it like that"]);
    let web = stage.file("web.toml", "[platforms.tiktok.apps.default]\nkind = \"web\"\n");
    let command = stage.cli("connect tiktok --no-browser --redirect-uri http://127.0.0.1:9999/back").overlay(&web);
    command.run().ends(2, &["kind web", "https"]);
    assert_eq!(stage.tiktok.record()["seen"], 0);
}

#[test]
fn a_redirect_uri_with_a_port_of_this_machine_is_listened_on() {
    let stage = Stage::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for path in ["/my/own/path", "/done", "/:x/cb", "/*/cb", "/%7Bx%7D", "/"] {
        let uri = format!("http://localhost:{port}{path}");
        let visit = stage.walk(stage.cli("connect tiktok --no-browser --redirect-uri").arg(&uri), &person(MIRA));
        visit.done.ok();
        assert!(visit.page.contains("Mira Okafor is connected."), "{path}: {}", visit.page);
    }
}

#[test]
fn ctrl_c_while_waiting_for_the_person_stores_nothing() {
    let stage = Stage::new();
    let waiting = Waiting::start(&stage);
    waiting.running.interrupt();
    waiting.running.done().ends(130, &["stopping"]);
    assert!(stage.connections().is_empty());
    assert_eq!(stage.tiktok.record()["seen"], 0);
}
