//! Answers that nobody means to send, for everything here that reads an answer of a platform, and callbacks that no platform sends.
//!
//! `MUTATIONS=10000000` for more of them; with `--release`, a million take some seconds.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::http::HeaderMap;
use fastrand::Rng;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::account::Session;
use crate::app::{App, AppKind};
use crate::config::{Config, Layer};
use crate::grant::{Grant, TokenSet};
use crate::http::RawAnswer;
use crate::metrics::{Cell, Missing};
use crate::mutations::mutated;
use crate::oauth::{CallbackParams, PendingFlow, RefreshOutcome, RevokeOutcome};
use crate::platform::Protocol;
use crate::registry::Platform;
use crate::scope::{GrantScopes, Granted, GrantedSource, Wanted, split_scopes};
use crate::testing::{FakeTransport, size};
use crate::{ConfiguredConnector, Connector as _, Context, ErrorKind, Secret};

const PLATFORM: &str = r#"
verified_on = "2026-11-22"
base_urls = { api = "https://example.test" }

[oauth]
authorize = { at = { base = "api", path = "/authorize" }, granted_param = "scopes" }
token = { at = { base = "api", path = "/token" } }
revoke = { at = { base = "api", path = "/revoke" }, token = "access", gone = ["gone_already"] }

[redirect.desktop]
schemes = ["http"]

[api_errors]
code = ["/error"]
message = ["/error_description"]
kinds = { token_dead = "reauth_required" }

[endpoints.me]
at = { base = "api", path = "/me" }

[accounts]
endpoint = "me"
id = "id"

[account_metrics]
endpoint = "me"
"#;

const CONFIG: &str = r#"
[platforms.example.apps.default]
kind = "desktop"
scopes = ["read"]

[platforms.example.scopes.read]
product = "API"
description = "Everything"
fields.me = { id = "profile.id", name = "profile.display_name", followers = "metric.followers" }
"#;

const CANARY: &str = "act.canary";

/// What reads an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Exchange,
    Refresh,
    Rejection,
    Revocation,
    Accounts,
    Metrics,
    ApiError,
}

/// Each reader with the status of an answer, and the member that it takes from it.
const READERS: [(Reader, u16, &str, &str); 7] = [
    (Reader::Exchange, 200, "access_token", "\"act.canary\""),
    (Reader::Refresh, 200, "access_token", "\"act.canary\""),
    (Reader::Rejection, 400, "error", "\"invalid_grant\""),
    (Reader::Revocation, 400, "error", "\"gone_already\""),
    (Reader::Accounts, 200, "id", "\"p1\""),
    (Reader::Metrics, 200, "followers", "7"),
    (Reader::ApiError, 401, "error", "\"token_dead\""),
];

/// Makes an answer of a member's key and value.
type Spoil = fn(&str, &str) -> String;

/// What is done to an answer, and whether it is one then.
const SPOILED: [(&str, Spoil, bool); 34] = [
    ("as it is", |k, v| format!(r#"{{"{k}":{v}}}"#), true),
    ("a byte-order mark", |k, v| format!("\u{feff}{{\"{k}\":{v}}}"), true),
    ("white space around", |k, v| format!(" \r\n\t{{ \"{k}\" : {v} }}\n\n"), true),
    ("members nobody knows", |k, v| format!(r#"{{"x":[1,null,{{"y":"z"}}],"{k}":{v},"":{{}}}}"#), true),
    ("a key in escapes", |k, v| format!(r#"{{"{}":{v}}}"#, escaped(k)), true),
    ("a key twice, the last one good", |k, v| format!(r#"{{"{k}":"other","{k}":{v}}}"#), true),
    ("a key twice, the first one good", |k, v| format!(r#"{{"{k}":{v},"{k}":"other"}}"#), false),
    ("a key twice, the last one null", |k, v| format!(r#"{{"{k}":{v},"{k}":null}}"#), false),
    ("a key twice, the last one in escapes", |k, v| format!(r#"{{"{k}":"other","{}":{v}}}"#, escaped(k)), true),
    ("a hundred lists deep beside it", |k, v| format!(r#"{{"x":{},"{k}":{v}}}"#, nested(100, "[", "]")), true),
    ("a hundred thousand lists deep", |k, v| format!(r#"{{"x":{},"{k}":{v}}}"#, nested(100_000, "[", "]")), false),
    ("as many objects", |k, v| format!(r#"{{"{k}":{v},"x":{}}}"#, nested(100_000, "{\"x\":", "}")), false),
    ("as many that never close", |k, v| format!(r#"{{"{k}":{v},"x":{}"#, nested(100_000, "[", "")), false),
    ("as many around it", |k, v| nested(100_000, "[", "]").replacen("[]", &format!(r#"[{{"{k}":{v}}}]"#), 1), false),
    ("a lone surrogate", |k, v| format!(r#"{{"{k}":{v},"x":"\ud800"}}"#), false),
    ("a lone surrogate in a key", |k, v| format!(r#"{{"\udc00":1,"{k}":{v}}}"#), false),
    ("surrogates the wrong way round", |k, v| format!(r#"{{"x":"\udc00\ud800","{k}":{v}}}"#), false),
    ("a pair of surrogates", |k, v| format!(r#"{{"x":"\ud83d\ude00","{k}":{v}}}"#), true),
    ("a zero in escapes", |k, v| format!(r#"{{"x":"\u0000","{k}":{v}}}"#), true),
    ("a zero behind it", |k, v| format!("{{\"{k}\":{v}}}\0"), false),
    ("a line break in a text", |k, v| format!("{{\"x\":\"\n\",\"{k}\":{v}}}"), false),
    ("two byte-order marks", |k, v| format!("\u{feff}\u{feff}{{\"{k}\":{v}}}"), false),
    ("a number of 1e999", |k, v| format!(r#"{{"x":1e999,"{k}":{v}}}"#), false),
    ("a number of 400 digits", |k, v| format!(r#"{{"x":{},"{k}":{v}}}"#, "9".repeat(400)), false),
    ("a number of 300 digits", |k, v| format!(r#"{{"x":{},"{k}":{v}}}"#, "9".repeat(300)), true),
    ("a number of 1e-999", |k, v| format!(r#"{{"x":-1e-999,"{k}":{v}}}"#), true),
    ("a number with a zero before it", |k, v| format!(r#"{{"x":07,"{k}":{v}}}"#), false),
    ("no number", |k, v| format!(r#"{{"x":NaN,"{k}":{v}}}"#), false),
    ("a comma too many", |k, v| format!(r#"{{"{k}":{v},}}"#), false),
    ("two of them", |k, v| format!(r#"{{"{k}":{v}}}{{"{k}":{v}}}"#), false),
    ("a comment", |k, v| format!(r#"{{"{k}":{v}/**/}}"#), false),
    ("single quotes", |k, v| format!(r#"{{"{k}":{v}}}"#).replace('"', "'").replace('7', "'7'"), false),
    ("a key in capitals", |k, v| format!(r#"{{"{}":{v}}}"#, k.to_uppercase()), false),
    ("the value in a list", |k, v| format!(r#"{{"{k}":[{v}]}}"#), false),
];

fn nested(deep: usize, open: &str, close: &str) -> String {
    open.repeat(deep) + &close.repeat(deep)
}

/// The same key, its first letter by number.
fn escaped(key: &str) -> String {
    format!("\\u{:04x}{}", u32::from(key.as_bytes()[0]), &key[1..])
}

/// A platform with everything that reads, and a grant there.
struct Bench {
    connector: ConfiguredConnector,
    session: Session,
    runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let config = Config::of(vec![Layer::embedded("test", CONFIG).unwrap()]).unwrap();
        let settings = config.settings.platform(&"example".parse().unwrap()).unwrap();
        let protocol = Arc::new(Protocol::parse(PLATFORM).unwrap());
        let platform = Platform { protocol: Arc::clone(&protocol), catalogue: Arc::clone(&settings.catalogue) };
        let app = App {
            name: "default".to_owned(),
            client_id: "id".to_owned(),
            client_secret: None,
            kind: AppKind::Desktop,
            redirect_uri: None,
            pkce: None,
            wanted: Wanted { scopes: vec!["read".parse().unwrap()], ..Wanted::default() },
            base_urls: protocol.base_urls.clone(),
        };
        let tokens = TokenSet {
            access: Secret::from(CANARY),
            access_expires_at: None,
            refresh: Some(Secret::from(CANARY)),
            refresh_expires_at: None,
        };
        let known = Granted::Known { scopes: split_scopes("read"), source: GrantedSource::Token };
        let scopes = GrantScopes::of_flow(split_scopes("read"), known);
        let grant = Grant { tokens, scopes, subject: None, base_urls: app.base_urls.clone() };
        let runtime = Builder::new_current_thread().build().unwrap();
        Self { connector: ConfiguredConnector::new(&platform), session: Session { app, grant }, runtime }
    }

    /// Whether the reader takes what it is to take from this answer. No token is in what it says.
    fn takes(&self, reader: Reader, status: u16, body: &[u8]) -> bool {
        let (taken, said) = self.read(reader, status, body);
        assert!(!said.contains(CANARY), "{reader:?} shows a token of {:?}", String::from_utf8_lossy(body));
        taken
    }

    fn read(&self, reader: Reader, status: u16, body: &[u8]) -> (bool, String) {
        let cx = FakeTransport::default().answer(status, body).context();
        let answer = RawAnswer { status, headers: HeaderMap::new(), body: body.to_vec(), sent_at: cx.now() };
        let (oauth, session) = (self.connector.oauth(), &self.session);
        match reader {
            Reader::Exchange => {
                let grant = self.complete(&cx, "code=c&state=st4te");
                (grant.as_ref().is_ok_and(|grant| grant.tokens.access.matches(CANARY)), format!("{grant:?}"))
            }
            Reader::Refresh | Reader::Rejection => {
                let outcome = oauth.read_refresh(&answer);
                let taken = match &outcome {
                    RefreshOutcome::Refreshed(read) => reader == Reader::Refresh && read.tokens.access.matches(CANARY),
                    outcome => reader == Reader::Rejection && matches!(outcome, RefreshOutcome::Rejected(_)),
                };
                (taken, format!("{outcome:?}"))
            }
            Reader::Revocation => {
                let outcome = oauth.read_revoke(&answer);
                (matches!(outcome, RevokeOutcome::Gone), format!("{outcome:?}"))
            }
            Reader::Accounts => {
                let accounts = self.runtime.block_on(self.connector.accounts().accounts(&cx, session));
                let taken = accounts.as_ref().is_ok_and(|accounts| accounts.iter().any(|account| account.id == "p1"));
                (taken, format!("{:?}", accounts.err()))
            }
            Reader::Metrics => {
                let cell = self.followers(&cx);
                (cell.as_ref().is_ok_and(|cell| *cell == Cell::Value(7)), format!("{cell:?}"))
            }
            Reader::ApiError => {
                let accounts = self.runtime.block_on(self.connector.accounts().accounts(&cx, session));
                let error = accounts.err();
                let kind = error.as_ref().map(crate::Error::kind);
                (matches!(kind, Some(ErrorKind::ReauthRequired { .. })), format!("{error:?}"))
            }
        }
    }

    fn followers(&self, cx: &Context) -> crate::Result<Cell> {
        let metrics = self.connector.account_metrics().unwrap();
        let report = self.runtime.block_on(metrics.account_metrics(cx, &self.session, "p1"))?;
        Ok(report.cells[&"followers".parse().unwrap()].clone())
    }

    fn complete(&self, cx: &Context, query: &str) -> crate::Result<Grant> {
        let pending = PendingFlow {
            state: Secret::from("st4te"),
            verifier: None,
            redirect_uri: "http://127.0.0.1:5000/callback".parse().unwrap(),
            requested: Vec::new(),
        };
        let callback = CallbackParams::from_query(query);
        let complete = self.connector.oauth().complete(cx, &self.session.app, &pending, &callback);
        self.runtime.block_on(complete)
    }
}

#[test]
fn every_reader_takes_the_same_for_an_answer_and_of_two_members_the_last() {
    let bench = Bench::new();
    for (reader, status, key, value) in READERS {
        for (what, spoil, taken) in SPOILED {
            let body = spoil(key, value);
            assert_eq!(bench.takes(reader, status, body.as_bytes()), taken, "{reader:?}: {what}");
        }
        for empty in ["", " \n", "null", "[]", "{}", "7", "\"\"", "\u{feff}"] {
            assert!(!bench.takes(reader, status, empty.as_bytes()), "{reader:?}: {empty:?}");
        }
    }
}

#[test]
fn no_reader_takes_a_part_or_another_encoding_for_an_answer() {
    let bench = Bench::new();
    for (reader, status, key, value) in READERS {
        let whole = format!(r#"{{"{key}":{value},"ü":"ü"}}"#);
        assert!(bench.takes(reader, status, whole.as_bytes()), "{reader:?}");
        for upto in 0..whole.len() {
            assert!(!bench.takes(reader, status, &whole.as_bytes()[..upto]), "{reader:?}: {upto} bytes");
        }
        let wide = |bytes: fn(u16) -> [u8; 2]| whole.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
        let latin: Vec<u8> = whole.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
        for (what, mark, body) in [
            ("little-endian", &b"\xff\xfe"[..], wide(u16::to_le_bytes)),
            ("big-endian", b"\xfe\xff", wide(u16::to_be_bytes)),
            ("one byte a letter", b"", latin),
        ] {
            assert!(!bench.takes(reader, status, &body), "{reader:?}: {what}");
            assert!(!bench.takes(reader, status, &[mark, &body].concat()), "{reader:?}: {what}, marked");
        }
        let raw = [b"{\"x\":\"\xed\xa0\x80\",", &whole.as_bytes()[1..]].concat();
        assert!(!bench.takes(reader, status, &raw), "{reader:?}: a surrogate as it is");
    }
}

#[test]
fn a_count_is_a_whole_number_of_64_bits_or_no_count() {
    let bench = Bench::new();
    let counts = [
        ("9223372036854775807", Some(i64::MAX)),
        ("\"9223372036854775807\"", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("\"9223372036854775808\"", None),
        ("18446744073709551616", None),
        ("1e308", None),
        ("7.5", None),
        ("\"7e0\"", None),
        ("\"0x7\"", None),
        ("\"\"", None),
        ("\"NaN\"", None),
        ("true", None),
        ("[7]", None),
        ("{\"7\":7}", None),
    ];
    for (value, count) in counts {
        let cx = FakeTransport::default().answer(200, format!(r#"{{"followers":{value}}}"#)).context();
        let expected = count.map_or(Cell::Missing(Missing::Failed(ErrorKind::Protocol)), Cell::Value);
        assert_eq!(bench.followers(&cx).unwrap(), expected, "{value}");
    }
}

/// What is taken stands in the answer: nothing is made up.
#[test]
fn no_mutation_of_any_answer_panics_or_is_taken_for_what_it_does_not_say() {
    let (bench, mut random, mut taken) = (Bench::new(), Rng::with_seed(2), BTreeMap::new());
    for _ in 0..size("MUTATIONS", 30_000) {
        let (reader, status, key, value) = READERS[random.usize(0..READERS.len())];
        let others = r#""scope":"read","name":"Somebody","error_description":"No.","log_id":"2026""#;
        let body = mutated(&format!(r#"{{{others},"{key}":{value},"expires_in":7200}}"#), &mut random);
        if bench.takes(reader, status, &body) {
            *taken.entry(key).or_insert(0) += 1;
            let plain = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&body);
            let said: Value = serde_json::from_slice(plain).unwrap();
            let said = said[key].as_str().map_or_else(|| said[key].to_string(), str::to_owned);
            assert_eq!(said.trim(), value.trim_matches('"'), "{reader:?}");
        }
    }
    assert_eq!(taken.len(), 4, "some are still read: {taken:?}");
}

/// A parameter that comes twice is refused, unlike a member of an answer: somebody else may have added it.
#[test]
fn no_mutation_of_a_callback_panics_or_uses_up_another_code() {
    let (bench, mut random) = (Bench::new(), Rng::with_seed(3));
    let recorded = ["code=c&state=st4te&scopes=read", "error=access_denied&error_description=No.&state=st4te"];
    for round in 0..size("MUTATIONS", 30_000) {
        let query = mutated(recorded[round % 2], &mut random);
        let query = String::from_utf8_lossy(&query);
        let callback = CallbackParams::from_query(&query);
        let _ = bench.connector.oauth().callback_error(&callback);
        let transport = FakeTransport::default();
        transport.answer(200, r#"{"access_token":"act.canary"}"#);
        let done = bench.complete(&transport.context(), &query);
        let is = |name: &str| callback.one(name).ok().flatten();
        if done.is_ok() {
            assert!(is("state") == Some("st4te") && is("code").is_some_and(|code| !code.is_empty()), "{query}");
        }
        assert_eq!(transport.sent().len(), usize::from(done.is_ok()), "{query}");
    }
}

#[test]
fn no_mutation_of_a_header_panics() {
    let mut random = Rng::with_seed(4);
    let recorded = ["120", "Sun, 22 Nov 2026 12:01:00 GMT", "-99999999999999999999"];
    for round in 0..size("MUTATIONS", 30_000) {
        let Ok(value) = ::http::HeaderValue::from_bytes(&mutated(recorded[round % 3], &mut random)) else { continue };
        let names = ["retry-after", "date", "age", "content-type"];
        let headers: HeaderMap = names.map(|name| (name.parse().unwrap(), value.clone())).into_iter().collect();
        let sent_at = "2026-11-22T12:00:00Z".parse().unwrap();
        let answer = RawAnswer { status: 429, headers, body: Vec::new(), sent_at };
        assert!(answer.retry_at().is_none_or(|at| at >= sent_at));
        let _ = (answer.host_time(), answer.content_type());
    }
}
