use http::HeaderMap;

use super::*;
use crate::http::{Cause, Reach};

/// Every status that is asked for, with what it means where the body holds no code and no token.
const STATUSES: [(u16, &str); 10] = [
    (200, "in_doubt"),
    (400, "refused"),
    (401, "refused"),
    (403, "refused"),
    (408, "in_doubt"),
    (429, "not_processed"),
    (500, "in_doubt"),
    (502, "in_doubt"),
    (503, "in_doubt"),
    (504, "in_doubt"),
];

/// The codes of RFC 6749 sections 5.2 and 4.1.2.1, with what each means under any status.
const CODES: [(&str, &str); 9] = [
    ("invalid_grant", "rejected"),
    ("invalid_client", "app"),
    ("unauthorized_client", "app"),
    ("invalid_request", "refused"),
    ("invalid_scope", "refused"),
    ("unsupported_grant_type", "refused"),
    ("access_denied", "refused"),
    ("server_error", "in_doubt"),
    ("temporarily_unavailable", "in_doubt"),
];

/// Bodies without a code that can be read: the status decides.
const NO_CODE: [&str; 10] = [
    "",
    "  \n",
    "<html><body><h1>Bad gateway</h1></body></html>",
    r#"{"error":"invalid_gra"#,
    r#"{"error":"invalid_grant""#,
    r#"{"error":"quite_our_own","error_description":"invalid_grant"}"#,
    r#"{"error":"INVALID_GRANT"}"#,
    r#"{"error":{"code":"invalid_grant"}}"#,
    "{}",
    "null",
];

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON: &str = "application/json";

/// Successes in shapes that platforms send, or might: what it is, its media type, its body, what it means.
const SUCCESSES: [(&str, &str, &str, &str); 48] = [
    (
        "by the book",
        JSON,
        r#"{"access_token":"a","token_type":"bearer","expires_in":7200,"refresh_token":"r"}"#,
        "refreshed",
    ),
    ("no media type", "", r#"{"access_token":"a","refresh_token":"r"}"#, "refreshed"),
    ("a wrong media type", "text/html", r#"{"access_token":"a","refresh_token":"r"}"#, "refreshed"),
    ("a byte-order mark", JSON, "\u{feff}{\"access_token\":\"a\",\"refresh_token\":\"r\"}", "refreshed"),
    ("white space around", JSON, " \r\n{\"access_token\":\"a\",\"refresh_token\":\"r\"}\n", "refreshed"),
    ("members nobody knows", JSON, r#"{"access_token":"a","refresh_token":"r","x":{"y":[1,null,"z"]}}"#, "refreshed"),
    ("an empty code", JSON, r#"{"error":"","access_token":"a","refresh_token":"r"}"#, "refreshed"),
    ("no code but null", JSON, r#"{"error":null,"access_token":"a","refresh_token":"r"}"#, "refreshed"),
    ("expires_in as text", JSON, r#"{"access_token":"a","refresh_token":"r","expires_in":"7200"}"#, "refreshed"),
    ("expires_in as a fraction", JSON, r#"{"access_token":"a","refresh_token":"r","expires_in":7200.5}"#, "refreshed"),
    ("expires_in below zero", JSON, r#"{"access_token":"a","refresh_token":"r","expires_in":-1}"#, "refreshed"),
    (
        "expires_in of 2^63",
        JSON,
        r#"{"access_token":"a","refresh_token":"r","expires_in":9223372036854775808}"#,
        "refreshed",
    ),
    ("expires_in of 1e308", JSON, r#"{"access_token":"a","refresh_token":"r","expires_in":1e308}"#, "refreshed"),
    ("expires_in in words", JSON, r#"{"access_token":"a","refresh_token":"r","expires_in":"soon"}"#, "refreshed"),
    ("expires_in null", JSON, r#"{"access_token":"a","refresh_token":"r","expires_in":null}"#, "refreshed"),
    ("no refresh token", JSON, r#"{"access_token":"a","expires_in":7200}"#, "refreshed"),
    ("refresh token null", JSON, r#"{"access_token":"a","refresh_token":null}"#, "refreshed"),
    ("refresh token empty", JSON, r#"{"access_token":"a","refresh_token":""}"#, "refreshed"),
    ("refresh token blank", JSON, r#"{"access_token":"a","refresh_token":" \t"}"#, "refreshed"),
    ("refresh token a number", JSON, r#"{"access_token":"a","refresh_token":7}"#, "refreshed"),
    (
        "a key twice, the last one good",
        JSON,
        r#"{"access_token":"","access_token":"a","refresh_token":"r"}"#,
        "refreshed",
    ),
    ("the refresh token elsewhere", JSON, r#"{"access_token":"a","data":{"refresh_token":"r"}}"#, "unreadable"),
    ("the refresh token in an object", JSON, r#"{"access_token":"a","refresh_token":{"value":"r"}}"#, "unreadable"),
    ("the refresh token by another convention", JSON, r#"{"access_token":"a","refreshToken":"r"}"#, "unreadable"),
    ("no access token", JSON, r#"{"refresh_token":"r"}"#, "unreadable"),
    ("access token null", JSON, r#"{"access_token":null,"refresh_token":"r"}"#, "unreadable"),
    ("access token blank", JSON, r#"{"access_token":"  ","refresh_token":"r"}"#, "unreadable"),
    ("access token a number", JSON, r#"{"access_token":7,"refresh_token":"r"}"#, "unreadable"),
    (
        "a key twice, the last one empty",
        JSON,
        r#"{"access_token":"a","access_token":"","refresh_token":"r"}"#,
        "unreadable",
    ),
    ("all of it one level down", JSON, r#"{"data":{"access_token":"a","refresh_token":"r"}}"#, "unreadable"),
    ("all of it in an array", JSON, r#"[{"access_token":"a"},{"tokens":[{"refresh_token":"r"}]}]"#, "unreadable"),
    ("a code for success", JSON, r#"{"error":"ok","access_token":"a","refresh_token":"r"}"#, "unreadable"),
    (
        "a failure that passes, and tokens",
        JSON,
        r#"{"error":"server_error","access_token":"a","refresh_token":"r"}"#,
        "unreadable",
    ),
    ("cut off behind the refresh token", JSON, r#"{"access_token":"a","refresh_token" : "r","sco"#, "unreadable"),
    ("half a letter further on", JSON, r#"{"access_token":"a","refresh_token":"r","name":"\ud83d"}"#, "unreadable"),
    ("a form", FORM, "access_token=a&expires_in=7200&refresh_token=r%2B", "unreadable"),
    ("a form that says it is text", "text/plain", "refresh_token=r&access_token=a\n", "unreadable"),
    ("a form without a refresh token", FORM, "access_token=a&expires_in=7200", "in_doubt"),
    ("a form with an empty refresh token", FORM, "access_token=a&refresh_token=%20", "in_doubt"),
    ("a page that names a parameter", "text/html", "<a href='?grant_type=x&refresh_token=r&y'>", "in_doubt"),
    ("cut off inside the refresh token", JSON, r#"{"access_token":"a","refresh_token":"r"#, "in_doubt"),
    ("cut off before the refresh token", JSON, r#"{"access_token":"a","refresh_to"#, "in_doubt"),
    ("a refresh token's life alone", JSON, r#"{"refresh_token_expires_in":"86400"}"#, "in_doubt"),
    ("neither token", JSON, r#"{"access_token":"","refresh_token":""}"#, "in_doubt"),
    ("a key twice, the last one blank", JSON, r#"{"refresh_token":"r","refresh_token":" "}"#, "in_doubt"),
    ("a list", JSON, r#"["refresh_token","r"]"#, "in_doubt"),
    (
        "a rejection, and what was sent",
        JSON,
        r#"{"error":"invalid_grant","request":{"refresh_token":"r"}}"#,
        "rejected",
    ),
    ("another app's fault", JSON, r#"{"error":"invalid_client","access_token":"a","refresh_token":"r"}"#, "app"),
];

pub(super) fn answer(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> RawAnswer {
    let mut headers = HeaderMap::new();
    if !kind.is_empty() {
        headers.insert("content-type", kind.parse().unwrap());
    }
    RawAnswer { status, headers, body: body.into(), sent_at: "2026-11-22T12:00:00Z".parse().unwrap() }
}

pub(super) fn read(answer: &RawAnswer) -> RefreshOutcome {
    let (pointers, errors) = (TokenPointers::default(), OAuthErrors::default());
    TokenReader::new(&pointers, &errors).refresh(answer)
}

pub(super) fn class(outcome: &RefreshOutcome) -> &'static str {
    match outcome {
        RefreshOutcome::Refreshed(_) => "refreshed",
        RefreshOutcome::Unreadable(_) => "unreadable",
        RefreshOutcome::Rejected(_) => "rejected",
        RefreshOutcome::AppFault(_) => "app",
        RefreshOutcome::Refused(_) => "refused",
        RefreshOutcome::NotProcessed(_) => "not_processed",
        RefreshOutcome::InDoubt(_) => "in_doubt",
    }
}

fn class_of(status: u16, kind: &str, body: &str) -> &'static str {
    class(&read(&answer(status, kind, body)))
}

fn tokens(body: &str) -> TokenSet {
    match read(&answer(200, JSON, body)) {
        RefreshOutcome::Refreshed(answer) => answer.tokens,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn the_code_in_the_body_decides_whatever_the_status() {
    for (status, _) in STATUSES {
        for (code, wanted) in CODES {
            for body in [
                format!(r#"{{"error":"{code}"}}"#),
                format!("\u{feff}{{\"error\":\"{code}\",\"error_description\":\"server_error\",\"x\":[1]}}"),
                format!(r#"{{"access_token":"a","error":"invalid_x","error":"{code}"}}"#),
            ] {
                assert_eq!(class_of(status, "text/html", &body), wanted, "HTTP {status} with {body}");
            }
        }
    }
}

#[test]
fn without_a_code_the_status_decides() {
    for (status, wanted) in STATUSES {
        for body in NO_CODE {
            for kind in ["", JSON, "text/html"] {
                assert_eq!(class_of(status, kind, body), wanted, "HTTP {status} with {body:?}");
            }
        }
    }
    for status in [100, 204, 301, 302, 303, 307, 308, 501, 505, 599] {
        assert_eq!(class_of(status, "", ""), "in_doubt", "HTTP {status}");
    }
}

#[test]
fn a_success_in_any_shape_is_read_or_kept_or_in_doubt() {
    for (what, kind, body, wanted) in SUCCESSES {
        assert_eq!(class_of(200, kind, body), wanted, "{what}: {body}");
    }
}

#[test]
fn tokens_count_only_in_a_success() {
    for (status, wanted) in STATUSES.into_iter().filter(|(status, _)| *status != 200) {
        let by_the_book = r#"{"access_token":"a","refresh_token":"r"}"#;
        assert_eq!(class_of(status, JSON, by_the_book), wanted, "HTTP {status}");
    }
}

/// What a success means that came this far, then broke off.
fn class_cut_off(status: u16, body: &str) -> &'static str {
    let (answer, broken) =
        (answer(status, JSON, body), TransportError::new(Reach::MaybeSent, Cause::Exchange, "broken"));
    class(&read(&answer).of_cut_off(&answer, broken))
}

#[test]
fn of_an_answer_that_was_cut_off_tokens_count_alone() {
    for (body, wanted) in [
        (r#"{"access_token":"a","refresh_token":"r"}"#, "refreshed"),
        (r#"{"access_token":"a","refresh_token":"r"#, "in_doubt"),
        (r#"{"access_token":"a","refresh_token":"r""#, "unreadable"),
        (r#"{"access_token":"a","refresh_token":"r","sc"#, "unreadable"),
        (r#"{"refresh_token":"r","access_token":"a"#, "unreadable"),
        (r#"{"error":"invalid_grant"}"#, "in_doubt"),
        (r#"{"error":"invalid_client""#, "in_doubt"),
        ("", "in_doubt"),
    ] {
        assert_eq!(class_cut_off(200, body), wanted, "{body}");
    }
}

#[test]
fn an_overloaded_platform_that_says_when_to_come_back_may_have_processed_it() {
    let mut overloaded = answer(503, JSON, "{}");
    overloaded.headers.insert("retry-after", "30".parse().unwrap());
    assert_eq!(class(&read(&overloaded)), "in_doubt");
}

#[test]
fn a_refresh_token_is_looked_for_under_the_platforms_own_name() {
    let (errors, body) = (OAuthErrors::default(), r#"{"tokens":{"renewal":"r"}}"#);
    for (pointer, wanted) in [("/renewal", "unreadable"), ("/tokens/renewal", "unreadable"), ("", "unreadable")] {
        let pointers = TokenPointers { refresh_token: pointer.to_owned(), ..TokenPointers::default() };
        let reader = TokenReader::new(&pointers, &errors);
        let outcome = reader.refresh(&answer(200, JSON, body));
        assert_eq!(class(&outcome), wanted, "{pointer}");
    }
}

#[test]
fn lifetimes_come_from_the_answer_and_count_from_the_send() {
    let lives = |expires_in: &str| {
        let tokens = tokens(&format!(r#"{{"access_token":"a"{expires_in}}}"#));
        tokens.access_expires_at.map(|at| at.to_string())
    };
    for two_hours in ["7200", "\"7200\"", "\" 7200 \"", "7200.9", "7.2e3"] {
        let expires_in = format!(r#","expires_in":{two_hours}"#);
        assert_eq!(lives(&expires_in).as_deref(), Some("2026-11-22T14:00:00Z"), "{two_hours}");
    }
    for nonsense in ["-1", "9223372036854775808", "1e308", "null", "\"soon\"", "\"NaN\"", "[]"] {
        assert_eq!(lives(&format!(r#","expires_in":{nonsense}"#)), None, "{nonsense}");
    }
    assert_eq!(lives(""), None);
}

#[test]
fn an_empty_refresh_token_is_none() {
    assert!(tokens(r#"{"access_token":"a"}"#).refresh.is_none());
    for refresh_token in [r#""""#, r#""  ""#, "null", "7"] {
        let body = format!(r#"{{"access_token":"a","refresh_token":{refresh_token}}}"#);
        assert!(tokens(&body).refresh.is_none(), "{refresh_token}");
    }
}

#[test]
fn of_two_tokens_under_one_key_the_last_one_counts() {
    let tokens = tokens(r#"{"access_token":"a","access_token":"b","refresh_token":"r","refresh_token":"s"}"#);
    assert!(tokens.access.matches("b") && tokens.refresh.is_some_and(|token| token.matches("s")));
}
