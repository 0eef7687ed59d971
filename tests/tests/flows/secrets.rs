//! Nothing that could be used as a token is ever written down or said.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use url::form_urlencoded::byte_serialize;

use crate::support::{Cli, Leaks, MIRA, Stage, person};

#[test]
fn no_code_or_token_is_in_the_data_directory_or_in_any_output() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.walk(stage.cli("connect tiktok --no-browser -vv"), &person(MIRA)).done.ok();
    stage.cli("metrics -vv --max-age 0").run().ok();
    stage.cli("metrics --json --max-age 0").run().ok();
    stage.walk(stage.cli("reconnect mira.bakes --no-browser -vv"), &person(MIRA)).done.ok();
    stage.cli("connections -vv show mira.bakes").run().ok();
    stage.assert_nothing_leaked();

    stage.cli("metrics -vv --max-age 0").run().ok();
    stage.cli("disconnect mira.bakes -vv").run().ends(0, &["revoked"]);
    stage.cli("connections -vv").run().ok();
    stage.assert_nothing_leaked();
    assert!(stage.tiktok.issued().len() >= 10, "{:?}", stage.tiktok.issued());
}

#[test]
fn what_goes_wrong_says_no_token_either() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.connect(&person(MIRA));
    for fault in ["json", "html", "truncated", "reset"] {
        stage.tiktok.fail(&serde_json::json!({ "endpoint": "user_info", "times": 3, "body": fault }));
        stage.cli("metrics -vv --max-age 0").run();
        stage.tiktok.fail(&serde_json::json!({ "endpoint": "user_info", "times": 0 }));
    }
    let mut running = stage.cli("connect tiktok --no-browser -vv").start();
    let back = stage.consent(&mut running, &person("jonas"));
    stage.tiktok.fail(&serde_json::json!({ "endpoint": "token", "body": "truncated", "status": 200 }));
    stage.visit(&back);
    running.done().ends(1, &["unreadable"]);
    stage.assert_nothing_leaked();
}

/// Each library says all it can, and a panic shows where it came from.
fn talkative(stage: &Stage, args: &str) -> Cli {
    stage.cli(args).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full")
}

#[test]
fn a_log_of_everything_holds_no_code_and_no_token() {
    let stage = Stage::new();
    stage.tiktok.let_tokens_expire_at_once();
    stage.walk(talkative(&stage, "connect tiktok --no-browser"), &person(MIRA)).done.ok();
    stage.let_tokens_be_due();
    talkative(&stage, "tokens refresh --due").run().ok();
    for command in ["metrics --max-age 0", "vault rotate", "backup saved.db", "restore saved.db --yes", "store adopt"] {
        talkative(&stage, command).run();
    }
    stage.let_tokens_be_due();
    let mut serving = talkative(&stage, "serve --listen 127.0.0.1:0 --every 1s --log-format json --json").start();
    serving.document();
    serving.line("a grant that was due");
    serving.terminate();
    serving.done().ok();
    assert!(stage.tiktok.refreshes().0 >= 3, "{:?}", stage.tiktok.refreshes());
    stage.assert_nothing_leaked();
}

#[test]
fn an_answer_in_the_spool_is_sealed() {
    let stage = Stage::new();
    let line = stage.held_line();
    stage.tiktok.let_tokens_expire_at_once();
    stage.connect(&person(MIRA));
    line.hold();
    let mut running = talkative(&stage, "metrics --max-age 0").start();
    line.wait();
    stage.while_others_write(|| {
        line.release();
        running.line("is in the spool until the store takes it");
        running.kill();
    });
    stage.assert_nothing_leaked();
    talkative(&stage, "connections").run().ends(0, &["Stored 1 answers"]);
    stage.assert_nothing_leaked();
    stage.cli("metrics --max-age 0").run().ok();
    assert_eq!(stage.tiktok.refreshes().1, 0, "the answer in the spool brought the token that works");
}

#[test]
fn the_search_finds_what_is_there() {
    let secret = "act.0123456789abcdef!*5012.va";
    let leaks = Leaks::of(&[("access_token".to_owned(), secret.to_owned())]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("clean"), "nothing here").unwrap();
    assert_eq!(leaks.under(dir.path()), (Vec::new(), 1));
    let texts = [
        format!("x{secret}x"),
        byte_serialize(secret.as_bytes()).collect(),
        hex::encode(secret),
        hex::encode_upper(secret),
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        STANDARD.encode(format!("1{secret}23")),
        URL_SAFE_NO_PAD.encode(format!("12{secret}3")),
    ];
    for text in texts {
        std::fs::write(dir.path().join("dirty"), &text).unwrap();
        assert!(!leaks.under(dir.path()).0.is_empty(), "{text}");
    }
}
