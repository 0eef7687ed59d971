//! For whom a host that runs is there, by what name, and how much of it anybody may have. What is sent is written by hand.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use crate::support::{Running, Stage};

/// Whatever is waited for is there by then.
const DEADLINE: Duration = Duration::from_mins(1);

/// A route that anybody may read who comes by the right name.
const OPEN: &str = "/api/v1/openapi.json";

/// What every answer says.
const HARDENED: [&str; 6] = [
    "content-security-policy: default-src 'none'; frame-ancestors 'none'",
    "cache-control: no-store",
    "x-content-type-options: nosniff",
    "referrer-policy: no-referrer",
    "cross-origin-opener-policy: same-origin",
    "cross-origin-resource-policy: same-origin",
];

/// A host that runs.
struct Served {
    stage: Stage,
    running: Running,
    said: Value,
}

impl Served {
    fn new(args: &str) -> Self {
        let stage = Stage::new();
        let mut running = stage.cli("serve --json --every 1h").args(args).start();
        let said = running.document();
        Self { stage, running, said }
    }

    fn local(args: &str) -> Self {
        Self::new(&format!("--listen 127.0.0.1:0 {args}"))
    }

    fn at(&self, what: &str) -> SocketAddr {
        let url: Url = self.said[what].as_str().unwrap().parse().unwrap();
        SocketAddr::from(([127, 0, 0, 1], url.port().unwrap()))
    }

    fn key(&self, args: &str) -> String {
        self.stage.cli("api-keys create product").args(args).run().ok().out.trim().to_owned()
    }

    fn end(self) {
        self.running.terminate();
        self.running.done().ends(0, &[]);
    }
}

/// Sends these bytes, and gives all that comes back until the other side hangs up.
fn send(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let (mut writer, bytes) = (stream.try_clone().unwrap(), bytes.to_vec());
    // Who is refused early may be cut off, and who does not read is not read.
    let writing = std::thread::spawn(move || writer.write_all(&bytes));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let _ = writing.join().unwrap();
    String::from_utf8(answer).unwrap()
}

fn ask(to: SocketAddr, line: &str, headers: &str, body: &str) -> String {
    let text = format!("{line} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    send(to, text.as_bytes())
}

fn get(to: SocketAddr, path: &str, host: &str) -> String {
    ask(to, &format!("GET {path}"), &format!("Host: {host}\r\n"), "")
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status: {answer:?}")).parse().unwrap()
}

fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_else(|_| panic!("{answer}"))
}

/// What it answers to; PORT is the one it listens on.
const OURS: [&str; 7] = [
    "127.0.0.1:PORT",
    "localhost:PORT",
    "LocalHost:PORT",
    "[::1]:PORT",
    "connect.example.com",
    "CONNECT.example.com",
    "connect.example.com:443",
];

/// What looks like it; OTHER is another port.
const NOT_OURS: [&str; 53] = [
    "",
    " ",
    ":",
    ":PORT",
    "evil.example",
    "evil.example:PORT",
    "EVIL.example",
    "127.0.0.1",
    "localhost",
    "[::1]",
    "::1",
    "::1:PORT",
    "127.0.0.1:OTHER",
    "localhost:OTHER",
    "[::1]:OTHER",
    "127.0.0.1:PORT:PORT",
    "127.0.0.1:0PORT",
    "127.0.0.1:+PORT",
    "127.0.0.1:PORT.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1.evil.example:PORT",
    "localhost.evil.example:PORT",
    "localhost.:PORT",
    "localhost.",
    "127.0.0.1.:PORT",
    "127.1:PORT",
    "127.0.0.2:PORT",
    "2130706433:PORT",
    "0x7f000001:PORT",
    "0177.0.0.1:PORT",
    "0.0.0.0:PORT",
    "[::]:PORT",
    "[::ffff:127.0.0.1]:PORT",
    "[0:0:0:0:0:0:0:1]:PORT",
    "[::1%25lo]:PORT",
    "evil.example#127.0.0.1:PORT",
    "evil.example@127.0.0.1:PORT",
    "127.0.0.1:PORT@evil.example",
    "127.0.0.1:PORT/",
    "127.0.0.1:PORT, evil.example",
    "127.0.0.1:PORT evil.example",
    "localhost:PORT\tevil.example",
    "connect.example.com:PORT",
    "connect.example.com:80",
    "connect.example.com.",
    "xconnect.example.com",
    "connect.example.com.evil.example",
    "connect.example.co",
    "https://connect.example.com",
    "connect.example.com/",
    "*",
    "127.0.0.1\u{ff1a}PORT",
    "ⓛocalhost:PORT",
];

#[test]
fn it_answers_to_its_own_names_whole_and_to_nothing_like_them() {
    let served = Served::local("--public-url https://connect.example.com");
    let at = served.at("listening");
    let port = at.port();
    let other = if port == 1 { 2 } else { 1 };
    let filled = |text: &str| text.replace("PORT", &port.to_string()).replace("OTHER", &other.to_string());
    for host in OURS.map(filled) {
        assert_eq!(status(&get(at, OPEN, &host)), 200, "{host}");
        let target = format!("http://{host}{OPEN}");
        assert_eq!(status(&get(at, &target, &host)), 200, "{target}");
    }
    for host in NOT_OURS.map(filled) {
        assert_eq!(status(&get(at, OPEN, &host)), 403, "{host:?}");
    }
    served.end();
}

#[test]
fn a_target_or_a_second_header_does_not_stand_in_for_the_name() {
    let served = Served::local("");
    let (at, own) = (served.at("listening"), format!("Host: {}\r\n", served.at("listening")));
    assert_eq!(served.said["public_url"], format!("http://{at}"));
    for (line, headers) in [
        (format!("GET {OPEN}"), String::new()),
        (format!("GET {OPEN}"), format!("{own}Host: evil.example\r\n")),
        (format!("GET {OPEN}"), format!("Host: evil.example\r\n{own}")),
        (format!("GET {OPEN}"), format!("{own}{own}")),
        (format!("GET http://evil.example{OPEN}"), own.clone()),
        (format!("GET http://evil.example:{}{OPEN}", at.port()), own.clone()),
        (format!("GET http://{at}{OPEN}"), "Host: evil.example\r\n".to_owned()),
        (format!("GET http://evil@{at}{OPEN}"), own.clone()),
        (format!("GET {OPEN}"), format!("Host: evil.example\r\nX-Forwarded-Host: {at}\r\n")),
        (format!("GET {OPEN}"), format!("Host: evil.example\r\nForwarded: host={at}\r\n")),
        (format!("GET {OPEN}"), format!("Host: evil.example\r\n:authority: {at}\r\n")),
    ] {
        let refused = status(&ask(at, &line, &headers, ""));
        assert!([400, 403].contains(&refused), "{line} {headers}: {refused}");
    }
    for headers in ["X-Forwarded-Host: evil.example\r\n", "Forwarded: host=evil.example\r\n"] {
        assert_eq!(status(&ask(at, &format!("GET {OPEN}"), &format!("{own}{headers}"), "")), 200, "it is not read");
    }
    let old = send(at, format!("GET {OPEN} HTTP/1.0\r\n\r\n").as_bytes());
    assert_eq!(status(&old), 403, "{old}");
    served.end();
}

fn assert_hardened(answer: &str, at: &str) {
    let head = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
    for line in HARDENED.iter().chain(&["strict-transport-security: max-age=63072000"]) {
        assert_eq!(head.lines().filter(|told| told == line).count(), 1, "{at} {line}: {head}");
    }
    assert!(!head.contains("\nserver:") && !head.contains("x-powered-by"), "{head}");
}

#[test]
fn every_route_says_to_browsers_that_it_is_not_for_them() {
    let served = Served::local("--public-url https://connect.example.com");
    let at = served.at("listening");
    let bearer = format!("Host: connect.example.com\r\nAuthorization: Bearer {}\r\n", served.key("--rights all"));
    let description = body(&get(at, OPEN, "connect.example.com"));
    let mut routes = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let path = format!("/api/v1{}", path.replace(['{', '}'], ""));
        routes.extend(methods.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    assert!(routes.len() >= 12, "{routes:?}");
    let others = ["/nothing", "/healthz", "/readyz", "/metrics", OPEN, "/config/reload"];
    routes.extend(
        others.iter().flat_map(|path| ["GET", "POST", "TRACE", "BREW"].map(|method| format!("{method} {path}"))),
    );
    let mut seen = Vec::new();
    for route in &routes {
        for headers in ["Host: connect.example.com\r\n", "Host: evil.example\r\n", &bearer] {
            let answer = ask(at, route, &format!("{headers}Content-Type: application/json\r\n"), "{}");
            assert_hardened(&answer, route);
            seen.push(status(&answer));
        }
    }
    // One byte too many: all of it is read, so that the answer is not cut off.
    let large = "{}".to_owned() + &" ".repeat(64 * 1024 - 1);
    let answer = ask(at, "POST /api/v1/flows", &format!("{bearer}Content-Type: application/json\r\n"), &large);
    assert_hardened(&answer, "a large body");
    seen.push(status(&answer));
    for wanted in [200, 401, 403, 404, 405, 413, 501] {
        assert!(seen.contains(&wanted), "{wanted}: {seen:?}");
    }
    served.end();
}

#[test]
fn others_reach_it_only_by_tls_or_through_a_named_proxy() {
    let stage = Stage::new();
    let refused = |args: &str, code: i32, words: &[&str]| {
        stage.cli("serve").args(args).run().ends(code, words);
    };
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.7:80"] {
        refused(
            &format!("--listen {address}"),
            78,
            &["can be reached from other machines", "--tls-cert", "--trusted-proxy"],
        );
    }
    stage.cli("serve").env("CONNECTOR_LISTEN", "0.0.0.0:0").run().ends(78, &["can be reached"]);
    refused("--listen 0.0.0.0:0 --public-url https://connect.example.com", 78, &["can be reached"]);
    refused("--listen 0.0.0.0:0 --health-listen 127.0.0.1:0", 78, &["can be reached"]);
    refused("--tls-cert chain.pem --tls-key key.pem", 78, &["chain.pem is of no use for TLS"]);
    refused("--tls-cert chain.pem", 2, &["--tls-key"]);
    refused("--trusted-proxy 0.0.0.0/0", 2, &["that is everybody"]);
    refused("--trusted-proxy proxy.example", 2, &["write an address or a network"]);
    refused("--public-url http://connect.example.com", 2, &["http can be read on the way"]);
    refused("--health-listen 9000", 2, &["--health-listen"]);
}

#[test]
fn behind_a_proxy_commands_on_this_machine_still_reach_it() {
    let served = Served::new(
        "--listen 0.0.0.0:0 --trusted-proxy 192.0.2.1,192.0.2.8/29 --public-url https://connect.example.com",
    );
    let at = served.at("listening");
    assert_eq!(status(&get(at, OPEN, "connect.example.com")), 200);
    assert_eq!(status(&get(at, "/metrics", "connect.example.com")), 404, "others are not told figures");
    assert_eq!(status(&get(at, "/metrics", &at.to_string())), 200);
    served.stage.cli("config reload").run().ends(0, &["nothing changed"]);
    served.stage.cli("doctor --offline --json").run().without("serve_not_ready");
    served.end();
}

#[test]
fn health_is_told_to_others_at_an_address_of_its_own() {
    let served = Served::local("--health-listen 0.0.0.0:0");
    let health = served.at("health");
    for path in ["/healthz", "/readyz", "/metrics"] {
        for host in [&*health.to_string(), "prometheus.example:9000"] {
            assert_eq!(status(&get(health, path, host)), 200, "{path} {host}");
        }
        let at = served.at("listening");
        assert_eq!(status(&get(at, path, &at.to_string())), 200, "this machine is told as before");
        let passed_on = format!("Host: {at}\r\nX-Forwarded-For: 192.0.2.1\r\n");
        assert_eq!(status(&ask(at, &format!("GET {path}"), &passed_on, "")), 404);
    }
    for route in [format!("GET {OPEN}"), "POST /config/reload".to_owned()] {
        assert_eq!(status(&ask(health, &route, &format!("Host: {health}\r\n"), "")), 404, "{route}");
    }
    served.end();
    let local = Served::local("--health-listen 127.0.0.1:0");
    assert_eq!(status(&get(local.at("health"), "/healthz", "evil.example")), 403, "a page must not read it");
    local.end();
}

#[test]
fn connections_that_never_ask_keep_nobody_out() {
    let served = Served::local("--max-connections 200");
    let at = served.at("listening");
    let open: Vec<_> = (0..500)
        .map(|_| {
            let mut stream = TcpStream::connect(at).unwrap();
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost:");
            stream
        })
        .collect();
    for _ in 0..10 {
        assert_eq!(status(&get(at, "/healthz", &at.to_string())), 200);
    }
    drop(open);
    served.end();
}

#[test]
fn who_guesses_at_keys_is_slowed_down_and_nobody_else() {
    let served = Served::local("");
    let at = served.at("listening");
    let key = served.key("--rights connections:read --tenant default");
    let with =
        |key: &str| ask(at, "GET /api/v1/connections", &format!("Host: {at}\r\nAuthorization: Bearer {key}\r\n"), "");
    assert_eq!(status(&with(&key)), 200);
    let mut guesses = String::new();
    for guess in 0..1_000 {
        let head =
            format!("GET /api/v1/connections HTTP/1.1\r\nHost: {at}\r\nX-Forwarded-For: 192.0.2.{}\r\n", guess % 256);
        write!(guesses, "{head}Authorization: Bearer chk_{guess:0>43}\r\n").unwrap();
        guesses += if guess == 999 { "Connection: close\r\n\r\n" } else { "\r\n" };
    }
    let answers = send(at, guesses.as_bytes());
    let count = |status: &str| answers.matches(&format!("HTTP/1.1 {status} ")).count();
    let (looked_up, refused) = (count("401"), count("429"));
    assert_eq!(looked_up + refused, 1_000, "{looked_up} and {refused}");
    assert!(
        (50..70).contains(&looked_up),
        "{looked_up} were looked up: names that nobody is trusted to give make no clients"
    );
    let answer = with(&format!("chk_{}", "A".repeat(43)));
    assert_eq!(
        (status(&answer), &body(&answer)["type"]),
        (429, &json!("urn:connector-host:problem:too_many_requests"))
    );
    assert!(answer.contains("retry-after: "), "{answer}");
    assert_eq!(status(&with(&key)), 200, "a key that has worked is let in");
    served.end();
}

#[test]
fn a_key_has_a_rate() {
    let served = Served::local("--key-rate 1");
    let (at, key) = (served.at("listening"), served.key("--rights all --tenant default"));
    let head = format!("GET /api/v1/connections HTTP/1.1\r\nHost: {at}\r\nAuthorization: Bearer {key}\r\n");
    let requests = format!("{head}\r\n").repeat(99) + &head + "Connection: close\r\n\r\n";
    let answers = send(at, requests.as_bytes());
    let count = |status: &str| answers.matches(&format!("HTTP/1.1 {status} ")).count();
    assert_eq!(count("200") + count("429"), 100);
    assert!((2..50).contains(&count("200")), "{}", count("200"));
    served.end();
}
