//! nginx before the host, as `deploy/nginx.conf` has it: names, certificate, ports and files are the test's, everything else is the file's.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use connector_tests::missing::is_there;
use serde_json::{Value, json};
use url::Url;

use crate::deploy;
use crate::support::api::key;
use crate::support::{MIRA, Running, Stage, param, person};

/// What others call the host in that file.
const NAME: &str = "connect.example.com";

/// An app that returns to a site, as one behind a proxy is.
const WEB_APP: &str = "[platforms.tiktok.apps.default]\nkind = \"web\"\n";

/// How often a port may be taken by somebody else between asking for it and listening on it.
const TRIES: usize = 5;

/// A host with nginx before it.
struct Front {
    nginx: Nginx,
    running: Running,
    stage: Stage,
    key: String,
}

impl Front {
    fn new() -> Option<Self> {
        let has_nginx = is_there("nginx", &["-v"], "install the package nginx-light");
        if !has_nginx || !is_there("curl", &["--version"], "install the package curl") {
            return None;
        }
        let stage = Stage::new();
        let overlay = stage.file("web.toml", WEB_APP);
        let key = key(&stage, "product", "--rights all --tenant default");
        let serve = format!("serve --listen 127.0.0.1:0 --json --every 1h --public-url https://{NAME}");
        let mut running = stage.cli(&serve).args("--trusted-proxy 127.0.0.1/32").overlay(overlay).start();
        let host: Url = running.document()["listening"].as_str().unwrap().parse().unwrap();
        let nginx = Nginx::before(&stage.path("nginx"), &host);
        Some(Self { nginx, running, stage, key })
    }

    /// A request to the API, as a product sends it.
    fn api(&self, path: &str, more: &[&str]) -> Answer {
        let bearer = format!("Authorization: Bearer {}", self.key);
        self.nginx.curl(&[&["-H", &bearer][..], more].concat(), &format!("https://{NAME}/api/v1/{path}"))
    }

    fn end(self) -> (Stage, String) {
        self.running.terminate();
        self.running.done().ends(0, &[]);
        let logs = self.nginx.logs();
        (self.stage, logs)
    }
}

/// nginx with the file of `deploy/`, as one process that ends when this is dropped.
struct Nginx {
    dir: PathBuf,
    /// Of http and of https.
    ports: [u16; 2],
    process: Child,
}

impl Nginx {
    fn before(dir: &Path, host: &Url) -> Self {
        std::fs::create_dir(dir).unwrap();
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        std::fs::write(dir.join("chain.pem"), made.cert.pem()).unwrap();
        std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let mut said = String::new();
        (0..TRIES).find_map(|_| Self::start(dir, host, &mut said)).unwrap_or_else(|| panic!("{said}"))
    }

    /// It listens before it says how it will wait for connections.
    fn start(dir: &Path, host: &Url, said: &mut String) -> Option<Self> {
        let ports = [free_port(), free_port()];
        std::fs::write(dir.join("site.conf"), site(dir, host, ports)).unwrap();
        std::fs::write(dir.join("nginx.conf"), around(dir)).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(dir).args(["-c", "nginx.conf", "-e", "stderr", "-g"]);
        command.arg("daemon off; master_process off; error_log stderr notice;");
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let listens = lines.by_ref().inspect(|line| said.push_str(line)).any(|line| line.contains("event method"));
        // Whatever else it says must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        let nginx = Self { dir: dir.to_owned(), ports, process };
        listens.then_some(nginx)
    }

    /// A request to the name of the site, with the cookies of one browser.
    fn curl(&self, args: &[&str], url: &str) -> Answer {
        let [http, https] = self.ports;
        let mut command = Command::new("curl");
        command.current_dir(&self.dir).args(["-sSi", "--cacert", "chain.pem", "-b", "jar", "-c", "jar"]);
        for (port, ours) in [(80, http), (443, https)] {
            command.args(["--connect-to", &format!(":{port}:127.0.0.1:{ours}")]);
        }
        let output = command.args(args).arg(url).output().unwrap();
        assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
        Answer(String::from_utf8(output.stdout).unwrap())
    }

    /// All that it has noted.
    fn logs(&self) -> String {
        said(&self.dir, "access.log") + &said(&self.dir, "error.log")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn said(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap_or_default()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The file as it is, but for what every operator changes in it.
fn site(dir: &Path, host: &Url, [http, https]: [u16; 2]) -> String {
    let mut text = std::fs::read_to_string(deploy::dir().join("nginx.conf")).unwrap();
    let at = |name: &str| dir.join(name).display().to_string();
    for (theirs, ours) in [
        ("listen 80;", format!("listen 127.0.0.1:{http};")),
        ("listen 443 ", format!("listen 127.0.0.1:{https} ")),
        ("/etc/letsencrypt/live/connect.example.com/fullchain.pem", at("chain.pem")),
        ("/etc/letsencrypt/live/connect.example.com/privkey.pem", at("key.pem")),
        ("/var/log/nginx/connector-host.log", at("access.log")),
        ("/var/log/nginx/connector-host.error.log", at("error.log")),
        ("http://127.0.0.1:8787", host.as_str().trim_end_matches('/').to_owned()),
    ] {
        assert!(text.contains(theirs), "{theirs} is not in the file any more");
        text = text.replace(theirs, &ours);
    }
    text
}

/// What stands around the file where nginx is installed.
fn around(dir: &Path) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|of| format!("{of}_temp_path {};\n", dir.join(of).display()));
    // It may read what the test has made whoever runs the test.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    format!(
        "{user}pid {0}/pid;\nevents {{}}\nhttp {{\n{1}include {0}/site.conf;\n}}\n",
        dir.display(),
        temporary.concat()
    )
}

/// An answer, head and body.
struct Answer(String);

impl Answer {
    fn status(&self) -> u16 {
        self.0.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let head = self.0.split("\r\n\r\n").next().unwrap();
        let line =
            head.lines().find_map(|line| line.split_once(": ").filter(|(given, _)| given.eq_ignore_ascii_case(name)));
        line.map_or("", |(_, value)| value)
    }

    fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }

    fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap_or_else(|_| panic!("{}", self.0))
    }
}

#[test]
fn somebody_connects_through_nginx_and_its_log_has_no_secret() {
    let Some(front) = Front::new() else { return };
    let order = json!({ "platform": "tiktok" }).to_string();
    let link = front.api("connect-links", &["--json", &order]).json();
    let url = link["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("https://{NAME}/connect/")), "{link}");
    assert_eq!(front.nginx.curl(&[], url).status(), 200);
    let form = ["-X", "POST", "-H", &format!("Origin: https://{NAME}"), "-H", "Sec-Fetch-Site: same-origin", "-d", ""];
    let sent = front.nginx.curl(&form, url);
    let cookie = sent.header("set-cookie");
    assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{}", sent.0);
    let back = front.stage.consent_at(&sent.header("location").parse().unwrap(), &person(MIRA));
    assert_eq!((back.host_str(), back.path()), (Some(NAME), "/oauth/callback/tiktok/default"));
    let ended = front.nginx.curl(&[], back.as_str());
    assert_eq!(ended.status(), 303, "{}", ended.0);
    let page = front.nginx.curl(&[], ended.header("location"));
    assert!(page.body().contains("Mira Okafor is connected."), "{}", page.0);
    let connections = front.api("connections", &[]).json();
    assert_eq!(connections["connections"].as_array().map(Vec::len), Some(1), "{connections}");

    let key = front.key.clone();
    let (stage, logs) = front.end();
    for path in ["POST /connect/- ", "GET /oauth/callback/tiktok/default ", "GET /api/v1/connections "] {
        assert!(logs.contains(path), "{path}: {logs}");
    }
    let (_, token) = url.rsplit_once('/').unwrap();
    let secrets = [Some(key), Some(token.to_owned()), param(&back, "code"), param(&back, "state")];
    for secret in secrets {
        assert!(!logs.contains(&secret.unwrap()), "{logs}");
    }
    stage.assert_nothing_leaked();
}

#[test]
fn nginx_passes_on_what_the_host_takes_and_nothing_that_clients_say_of_themselves() {
    let Some(front) = Front::new() else { return };
    let curl = |args: &[&str], url: &str| front.nginx.curl(args, url);
    let site = format!("https://{NAME}");
    // What came unprotected is not sent on, and has been seen.
    assert_eq!(curl(&[], &format!("http://{NAME}/oauth/callback/tiktok/default?code=1")).status(), 403);
    for told_here_alone in ["healthz", "readyz", "metrics"] {
        assert_eq!(curl(&[], &format!("{site}/{told_here_alone}")).status(), 404, "{told_here_alone}");
    }
    assert_eq!(curl(&["-H", "Host: evil.example"], &format!("{site}/sign-in")).status(), 403);
    let big = front.nginx.dir.join("big");
    std::fs::write(&big, vec![b' '; 65 * 1024]).unwrap();
    assert_eq!(front.api("flows", &["--data-binary", &format!("@{}", big.display())]).status(), 413);
    assert_eq!(front.api("connections", &[]).status(), 200);

    // Two clients by their own account, and one in truth: it has a few guesses.
    let guess = |of: &str, number: &str| {
        let (bearer, of) = (format!("Authorization: Bearer chk_{}", "A".repeat(43)), format!("X-Forwarded-For: {of}"));
        let args = ["-H", &bearer, "-H", &of, "-H", "Forwarded: for=192.0.2.3"];
        curl(&args, &format!("{site}/api/v1/connections?limit={number}")).0
    };
    let first = guess("192.0.2.1", "[1-100]");
    let looked_up = first.matches("HTTP/2 401").count();
    assert!((50..70).contains(&looked_up) && first.matches("HTTP/2 429").count() == 100 - looked_up, "{looked_up}");
    assert!(
        guess("192.0.2.2", "1").starts_with("HTTP/2 429"),
        "no name that a client gives itself makes another client"
    );
    assert_eq!(front.api("connections", &[]).status(), 200, "a key that has worked is let in");
    front.end();
}
