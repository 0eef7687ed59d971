//! A host that runs for long: what it tells, and how it ends.

use std::time::{Duration, Instant};

use connector_core::http::{Policy, RawAnswer, Request};
use http::header::{ALLOW, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use crate::support::{MIRA, Running, Stage, person};

fn serve(stage: &Stage, args: &str) -> (Running, Url) {
    let mut running = stage.cli("serve --listen 127.0.0.1:0 --json").args(args).start();
    let url = running.document()["listening"].as_str().unwrap().parse().unwrap();
    (running, url)
}

fn ask(stage: &Stage, method: Method, url: &Url, host: Option<&'static str>) -> RawAnswer {
    let mut request = Request::new(method, url.clone(), Policy::TOKEN);
    if let Some(host) = host {
        request = request.header(HOST, HeaderValue::from_static(host));
    }
    stage.web.wait(stage.web.cx.send(request)).unwrap()
}

fn get(stage: &Stage, url: &Url, path: &str) -> RawAnswer {
    ask(stage, Method::GET, &url.join(path).unwrap(), None)
}

/// The figures, once a pass has been through.
fn figures(stage: &Stage, url: &Url) -> String {
    loop {
        let answer = get(stage, url, "/metrics");
        assert_eq!(answer.headers[CONTENT_TYPE], "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let text = String::from_utf8(answer.body).unwrap();
        if !text.contains("connector_host_passes_total{outcome=\"through\"} 0\n") {
            return text;
        }
    }
}

#[test]
fn a_host_that_runs_is_alive_ready_and_tells_figures_without_naming_anybody() {
    let stage = Stage::new();
    let connected = stage.connect(&person(MIRA));
    stage.let_tokens_be_due();
    let (running, url) = serve(&stage, "--every 1s");
    assert_eq!(get(&stage, &url, "/healthz").status, 200);

    let text = figures(&stage, &url);
    assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok() && name.starts_with(|c: char| c.is_ascii_lowercase()), "{line}");
        let family = name.split('{').next().unwrap().trim_end_matches("_total").trim_end_matches("_info");
        assert!(text.contains(&format!("# TYPE {family} ")), "{line}");
    }
    for line in [
        "connector_host_connections{platform=\"tiktok\",app=\"default\",state=\"active\"} 1",
        "connector_host_refreshes_total{platform=\"tiktok\",app=\"default\",outcome=\"refreshed\"} 1",
        "connector_host_refresh_lag_seconds 0.000",
        "connector_host_app_trouble{platform=\"tiktok\",app=\"default\",trouble=\"refused\"} 0",
        "connector_host_doubts 0",
        "connector_host_unsaved_answers 0",
        "connector_host_store_up 1",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}: {text}");
    }
    for nobody in ["mira", "Mira", connected["id"].as_str().unwrap(), connected["account_id"].as_str().unwrap()] {
        assert!(!text.contains(nobody), "{nobody}: {text}");
    }
    let ready = get(&stage, &url, "/readyz");
    let told: Value = ready.json().unwrap();
    assert_eq!((ready.status, &told["ready"]), (200, &json!(true)), "{told}");
    assert_eq!((&told["store"]["reachable"], &told["store"]["writable"]), (&json!(true), &json!(true)));
    assert!(told["last_pass"]["age_seconds"].is_i64() && told["unsaved_answers"] == 0, "{told}");
    assert_eq!(stage.tiktok.refreshes(), (1, 0));

    running.terminate();
    running.done().ends(0, &["stopping"]);
}

/// Asks until it is not ready any more, and gives what it says then.
fn unready(stage: &Stage, url: &Url) -> Value {
    let began = Instant::now();
    loop {
        let answer = get(stage, url, "/readyz");
        let told: Value = answer.json().unwrap();
        assert_eq!(answer.status == 200, told["ready"] == true, "{told}");
        if answer.status == 503 {
            return told;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{told}");
    }
}

#[test]
fn a_host_whose_store_takes_no_row_is_not_ready() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    stage.by_others("CREATE TRIGGER full BEFORE INSERT ON meta BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    let (_running, url) = serve(&stage, "");
    let store = &unready(&stage, &url)["store"];
    assert_eq!((&store["reachable"], &store["ours"], &store["writable"]), (&json!(true), &json!(true), &json!(false)));
    assert!(store["error"].is_string(), "{store}");
}

#[test]
fn a_host_whose_passes_cannot_go_on_is_not_ready() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let (_running, url) = serve(&stage, "--every 1s");
    figures(&stage, &url);
    assert_eq!(get(&stage, &url, "/readyz").status, 200);
    stage.by_others("ALTER TABLE flows RENAME TO elsewhere");
    let told = unready(&stage, &url);
    assert!(told["failed_pass"]["error"].is_string() && told["store"]["writable"] == true, "{told}");
    stage.by_others("ALTER TABLE elsewhere RENAME TO flows");
    let began = Instant::now();
    while get(&stage, &url, "/readyz").status != 200 {
        assert!(began.elapsed() < Duration::from_mins(1), "the next pass is through");
    }
}

#[test]
fn a_host_whose_store_becomes_anothers_is_not_ready_and_refreshes_nothing() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let (_running, url) = serve(&stage, "--every 1s --instance prod");
    figures(&stage, &url);
    stage.cli("store adopt --yes --instance other").run().ok();
    stage.let_tokens_be_due();
    let told = unready(&stage, &url);
    assert_eq!((&told["store"]["ours"], &told["store"]["writable"]), (&json!(false), &json!(false)), "{told}");
    assert!(told["store"]["error"].as_str().unwrap().contains("belongs to the instance `other`"), "{told}");
    while unready(&stage, &url)["failed_pass"].is_null() {}
    assert_eq!(stage.tiktok.refreshes(), (0, 0));
}

#[test]
fn a_store_that_does_not_answer_keeps_nobody_waiting() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let (_running, url) = serve(&stage, "");
    let store = &stage.while_others_write(|| unready(&stage, &url))["store"];
    assert_eq!((&store["reachable"], &store["writable"]), (&json!(true), &json!(false)));
    assert_eq!(store["error"], "the store has not answered for 2 s");
}

#[test]
fn a_host_that_was_started_to_outlive_its_terminal_does() {
    let stage = Stage::new();
    let line = stage.held_line();
    stage.connect(&person(MIRA));
    stage.let_tokens_be_due();
    line.hold();
    let mut running = stage.cli("serve --listen 127.0.0.1:0 --json --every 1s").nohup().start();
    running.document();
    line.wait();
    running.hang_up();
    running.terminate();
    running.line("what is under way is finished first");
    line.release();
    running.done().ends(0, &[]);
}

#[test]
fn only_this_machine_reads_what_a_host_tells_and_nobody_writes() {
    let stage = Stage::new();
    let (running, url) = serve(&stage, "");
    for path in ["/healthz", "/readyz", "/metrics"] {
        let there = url.join(path).unwrap();
        for host in ["evil.example", "evil.example:8787", "127.0.0.1.evil.example"] {
            let answer = ask(&stage, Method::GET, &there, Some(host));
            assert_eq!(answer.status, 403, "{path} {host}");
            assert!(!String::from_utf8_lossy(&answer.body).contains("connector_host"), "{path} {host}");
        }
        let head = ask(&stage, Method::HEAD, &there, None);
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = ask(&stage, method, &there, None);
            assert_eq!((answer.status, answer.headers[ALLOW].to_str().unwrap()), (405, "GET,HEAD"), "{path}");
        }
    }
    assert_eq!(get(&stage, &url, "/nothing").status, 404);
    running.interrupt();
    running.done().ends(0, &[]);
}

#[test]
fn an_address_that_others_reach_is_refused() {
    let stage = Stage::new();
    stage
        .cli("serve --listen 0.0.0.0:0")
        .run()
        .ends(78, &["0.0.0.0:0 can be reached from other machines", "127.0.0.1"]);
    stage.cli("serve --listen 8787").run().ends(2, &["`8787` is not an address with a port"]);
    stage.cli("serve --every 0").run().ends(2, &["a pass without end"]);
    for rate in ["0", "1001", "2000000000", "many"] {
        stage.cli("serve --max-rate").arg(rate).run().ends(2, &["--max-rate", "write a number from 1 to 1000"]);
    }
    let (_running, url) = serve(&stage, "");
    let taken = format!("serve --listen 127.0.0.1:{}", url.port().unwrap());
    stage.cli(&taken).run().ends(1, &["cannot be listened on", "--listen"]);
}

#[test]
fn a_host_that_is_stopped_during_a_refresh_stores_its_answer_first() {
    let stage = Stage::new();
    let line = stage.held_line();
    stage.connect(&person(MIRA));
    stage.let_tokens_be_due();
    line.hold();
    let (mut running, url) = serve(&stage, "--every 1s");
    line.wait();
    running.terminate();
    running.line("what is under way is finished first");
    let ready = get(&stage, &url, "/readyz");
    assert_eq!((ready.status, ready.json().unwrap()["stopping"].clone()), (503, json!(true)));
    line.release();
    running.done().ends(0, &[]);

    assert_eq!(stage.tiktok.refreshes(), (1, 0));
    stage.cli("tokens refresh --due").run().ends(0, &["Nothing is due."]);
    stage.tiktok.let_tokens_expire_at_once();
    stage.metrics("--max-age 0");
    assert_eq!(stage.tiktok.refreshes().1, 0, "the stored token is the one that works");
}

#[test]
fn a_second_signal_ends_a_host_at_once() {
    let stage = Stage::new();
    let line = stage.held_line();
    stage.connect(&person(MIRA));
    stage.let_tokens_be_due();
    line.hold();
    let (mut running, _) = serve(&stage, "--every 1s");
    line.wait();
    running.terminate();
    running.line("what is under way is finished first");
    running.terminate();
    running.done().ends(130, &["stopped at once"]);
    line.release();
}

#[test]
fn a_log_of_json_is_one_object_a_line_whatever_a_person_is_called() {
    let stage = Stage::new();
    let name = "Mira\r\n\u{1b}[31m\u{202e}evil\u{2028}\u{9b}31m";
    stage.tiktok.edit(MIRA, &json!({ "display_name": name }));
    stage.connect(&person(MIRA));
    stage.let_tokens_be_due();
    let (mut running, url) = serve(&stage, "--every 1s --log-format json -vv");
    figures(&stage, &url);
    running.line("a grant that was due");
    running.terminate();
    let served = running.done().ends(0, &[]);
    let failed = stage.cli("metrics --log-format json").arg(format!("nobody {name}")).run().ends(2, &[]);
    for line in served.err.lines().chain(failed.err.lines()) {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event["level"].is_string() && event["timestamp"].is_string(), "{line}");
        assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}')), "{line:?}");
    }
    assert!(served.err.lines().count() > 3 && failed.err.lines().count() == 1, "{}{}", served.err, failed.err);
}
