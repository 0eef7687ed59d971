//! Bodies that nobody means to send, as answers to a refresh.

use fastrand::Rng;

use super::tests::{answer, class, read};
use super::*;
use crate::mutations::mutated;
use crate::testing::size;

const CANARY: &str = "rft.canary";

/// What the mutations begin with: answers as platforms send them.
const RECORDED: [&str; 6] = [
    r#"{"access_token":"act.1","expires_in":7200,"refresh_token":"rft.canary","scope":"a,b"}"#,
    r#"{"refresh_token":"rft.canary","access_token":"act.1","scope":["a","b"],"token_type":"Bearer"}"#,
    r#"{"data":{"access_token":"act.1","refresh_token":"rft.canary"},"error":{"code":"ok"}}"#,
    "access_token=act.1&expires_in=7200&refresh_token=rft.canary",
    r#"{"error":"invalid_grant","error_description":"It is used up.","log_id":"2026"}"#,
    "<html><head><title>502 Bad Gateway</title></head></html>",
];

/// What may never come of any body.
fn check(answer: &RawAnswer) {
    let outcome = read(answer);
    let class = class(&outcome);
    let shown = || String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.is_success() || !matches!(class, "refreshed" | "unreadable"), "{class}: {}", shown());
    assert!(!format!("{outcome:?}").contains(CANARY), "a token is shown: {}", shown());
    let Some(body) = answer.json().filter(|body| answer.is_success() && body.pointer("/error").is_none()) else {
        return;
    };
    let Some(sent) = body.pointer("/refresh_token").and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    else {
        return;
    };
    match &outcome {
        RefreshOutcome::Unreadable(_) => {}
        RefreshOutcome::Refreshed(read) => {
            assert!(read.tokens.refresh.as_ref().is_some_and(|token| token.matches(sent.trim())), "{}", shown());
        }
        _ => panic!("a refresh token is lost as {class}: {}", shown()),
    }
}

/// `MUTATIONS=10000000` for more of them.
#[test]
fn no_mutation_of_an_answer_panics_or_shows_or_loses_a_token() {
    let mut random = Rng::with_seed(1);
    for _ in 0..size("MUTATIONS", 100_000) {
        let body = mutated(random.choice(RECORDED).unwrap_or_default(), &mut random);
        check(&answer(random.choice([200, 200, 200, 400, 503]).unwrap_or_default(), "", body));
    }
}

#[test]
fn bodies_without_end_are_read_in_little_time_and_stack() {
    let nested = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    let mut within = nested("[", "]");
    within.insert_str(0, r#"{"refresh_token":"rft.canary","x":"#);
    let long = "x".repeat(1 << 20);
    for (body, wanted) in [
        (nested("[", "]"), "in_doubt"),
        (nested(r#"{"a":"#, "}"), "in_doubt"),
        (within, "unreadable"),
        (long.clone(), "in_doubt"),
        (" ".repeat(1 << 20), "in_doubt"),
        (format!(r#"{{"access_token":"a","refresh_token":"r","x":"{long}"}}"#), "refreshed"),
        (format!(r#"{{"refresh_token":"{long}"}}"#), "unreadable"),
        (r#""refresh_token":7,"#.repeat(1 << 16), "in_doubt"),
    ] {
        let answer = answer(200, "application/json", body);
        check(&answer);
        assert_eq!(class(&read(&answer)), wanted, "{} bytes", answer.body.len());
    }
}

#[test]
fn bytes_that_are_no_text_lose_no_token() {
    let with = |name: &[u8]| [br#"{"access_token":"a","refresh_token":"r","name":""#, name, br#""}"#].concat();
    for name in [&b"\xff"[..], b"\xed\xa0\x80", b"\\ud800", b"\\udc00\\ud800", b"\0", b"\xc3"] {
        assert_eq!(class(&read(&answer(200, "", with(name)))), "unreadable", "{name:?}");
    }
    assert_eq!(class(&read(&answer(200, "", with("\u{1f600}".as_bytes())))), "refreshed");
    let wide: Vec<u8> = r#"{"access_token":"a"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(class(&read(&answer(200, "", wide))), "in_doubt");
}
