//! What a browser may bring back: each is told in the browser and at the terminal, and nothing is stored.

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
fn a_scope_that_the_app_does_not_hold_is_mended_in_the_portal() {
    let words = ["because of a scope", "the developer portal", "pending"];
    refused("access_denied", Some("scope"), 2, &words);
    refused("invalid_scope", Some("scope"), 2, &["does not hold one of its scopes", "the developer portal", "pending"]);
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
fn what_the_platform_itself_refuses_comes_back_as_a_sentence() {
    let stage = Stage::new();
    stage.tiktok.switch(&serde_json::json!({ "pre_consent_errors": "redirect" }));
    let file = stage.file(
        "unheld.toml",
        "[platforms.tiktok.apps.default]\nscopes = [\"user.info.basic\", \"user.info.unheld\"]\n[platforms.tiktok.scopes.\"user.info.unheld\"]\nproduct = \"p\"\ndescription = \"d\"\n",
    );
    let visit = stage.walk(stage.cli("connect tiktok --no-browser").overlay(&file), &person(MIRA));
    visit.done.ends(2, &["does not hold one of its scopes"]);
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
    let page = stage.visit(&with(Some("a-state-of-somebody-elses")));
    assert!(page.contains("Not connected") && page.contains("no flow in progress"), "{page}");
    let page = stage.visit(&with(None));
    assert!(page.contains("Not connected") && page.contains("no `state`"), "{page}");
    let mut twice = back.clone();
    twice.query_pairs_mut().append_pair("state", "x");
    let page = stage.visit(&twice);
    assert!(page.contains("more than once"), "{page}");
    assert!(stage.tiktok.requests("token").is_empty(), "nothing was exchanged");

    let page = stage.visit(&back);
    assert!(page.contains("Mira Okafor is connected."), "{page}");
    running.done().ok();
}

#[test]
fn a_state_is_good_for_one_callback_of_whoever_began_it() {
    let stage = Stage::new();
    let mut first = Waiting::start(&stage);
    let second = Waiting::start(&stage);
    let params = [("code", "a-code"), ("state", first.state.as_str())];
    let page = stage.visit(&second.with(&params));
    assert!(page.contains("begun by somebody else"), "{page}");
    let page = stage.visit(&first.with(&params));
    assert!(page.contains("it was used already"), "{page}");
    assert!(stage.tiktok.requests("token").is_empty(), "nothing was exchanged");
    for running in [&mut first.running, &mut { second }.running] {
        running.interrupt();
        running.line("stopping");
    }
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
    waiting.running.interrupt();
    waiting.running.done();
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
    let web = stage.file("web.toml", "[platforms.tiktok.apps.default]\nkind = \"web\"\n");
    let command = stage.cli("connect tiktok --no-browser --redirect-uri http://127.0.0.1:9999/back").overlay(&web);
    command.run().ends(2, &["kind web", "https"]);
    assert_eq!(stage.tiktok.record()["seen"], 0);
}

#[test]
fn a_redirect_uri_with_a_port_of_this_machine_is_listened_on() {
    let stage = Stage::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let uri = format!("http://localhost:{port}/my/own/path");
    let visit = stage.walk(stage.cli("connect tiktok --no-browser --redirect-uri").arg(&uri), &person(MIRA));
    visit.done.ok();
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
