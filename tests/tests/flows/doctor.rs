//! Each fault of an installation is found, by its id, with what to do about it; a healthy one has none.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};

use connector_host::doctor::Kind;
use connector_host::testing::DatabaseFile;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Cli, LANTERN, MIRA, SHIPPED, Stage, person, unticking};

const ID: &str = "aw0123456789abcd";
const SECRET: &str = "hush9f3kd02mslqpw7x5nvc1zr8tyu4e";
const TEST_ID: &str = "sbaw0123456789abcd";

/// A home directory with an installation in it that lacks nothing.
struct Home {
    said: (Sender<String>, Receiver<String>),
    dir: TempDir,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        Self { said: mpsc::channel(), dir }
    }

    /// One whose store and key are made.
    fn installed() -> Self {
        let home = Self::new();
        home.cli("connections").run().ok();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    /// A command with everything that a healthy installation has.
    fn cli(&self, args: &str) -> Cli {
        self.cli_at("data", args)
    }

    fn cli_at(&self, data: &str, args: &str) -> Cli {
        let cli = Cli::new(self.dir.path(), self.said.0.clone()).args("--data-dir").arg(self.path(data));
        // Overlays have to stand together: those behind the command take the place of those before it.
        let cli = cli.arg("--config").arg(SHIPPED).args(args).overlay(LANTERN);
        let cli = cli.env("TIKTOK_CLIENT_KEY", ID).env("TIKTOK_CLIENT_SECRET", SECRET);
        cli.env("LANTERN_CLIENT_ID", "lantern-app").env("LANTERN_CLIENT_SECRET", "a-secret-of-lantern")
    }

    /// An examination that sends nothing.
    fn doctor(&self) -> Cli {
        self.cli("doctor --offline --json -v")
    }

    /// The same with lines about the app laid over the configuration.
    fn with_app(&self, lines: &str) -> Cli {
        self.doctor().overlay(self.file("fault.toml", &format!("[platforms.tiktok.apps.default]\n{lines}\n")))
    }

    /// Nothing secret is in what the commands said.
    fn assert_nothing_was_told(&self) {
        let said: String = self.said.1.try_iter().collect();
        let keys = fs::read_to_string(self.path("data/vault.key")).unwrap_or_default();
        let keys = keys.split_whitespace().filter(|word| word.len() > 30);
        for secret in [SECRET, "a-secret-of-lantern", "pass@word", "hunter2-hunter2"].into_iter().chain(keys) {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

/// What was found, without what the passing of time alone brings.
fn findings(report: &Value) -> Vec<&Value> {
    report["findings"].as_array().unwrap().iter().filter(|finding| finding["id"] != "facts_old").collect()
}

/// A fault that somebody makes, the command that has to find it, and what has to be said about it.
struct Fault {
    id: &'static str,
    make: fn(&Home) -> Cli,
    /// In `fix`, all of it.
    fix: &'static [&'static str],
    /// In the fields that say where, joined.
    place: &'static str,
}

const CONFIGURATION: &[Fault] = &[
    Fault {
        id: "config_wrong",
        make: |home| home.with_app("scope = []").overlay(home.file("other.toml", "this is not TOML")),
        fix: &["mend `platforms.tiktok.apps.default` in", "fault.toml", "connector-host config check"],
        place: "fault.toml platforms.tiktok.apps.default",
    },
    Fault {
        id: "config_wrong",
        make: |home| home.with_app("scope = []").overlay(home.file("other.toml", "this is not TOML")),
        fix: &["mend ", "other.toml", "connector-host config check"],
        place: "other.toml",
    },
    Fault {
        id: "config_wrong",
        make: |home| home.doctor().overlay("nowhere.toml"),
        fix: &["mend nowhere.toml"],
        place: "nowhere.toml",
    },
    Fault {
        id: "config_wrong",
        make: |home| home.with_app("kind = \"web\"\nredirect_uri = \"http://example.com/callback\""),
        fix: &["mend `platforms.tiktok.apps.default.redirect_uri` in", "fault.toml"],
        place: "fault.toml platforms.tiktok.apps.default.redirect_uri",
    },
    Fault {
        id: "config_writable",
        make: |home| {
            let cli = home.with_app("keep_fresh = true");
            home.chmod("fault.toml", 0o666);
            cli
        },
        fix: &["chmod o-w ", "fault.toml"],
        place: "fault.toml",
    },
    Fault {
        id: "platform_not_linked",
        make: |home| {
            home.doctor().overlay(home.file("fault.toml", "[platforms.torch.apps.default]\nkind = \"web\"\nscopes = [\"a\"]\n[platforms.torch.scopes.a]\nproduct = \"p\"\ndescription = \"d\"\n"))
        },
        fix: &["remove [platforms.torch] from", "fault.toml"],
        place: "fault.toml platforms.torch torch",
    },
    Fault {
        id: "platform_not_configured",
        make: |home| {
            let cli = Cli::new(home.dir.path(), home.said.0.clone())
                .args("doctor --offline --json --data-dir data --config")
                .arg(SHIPPED);
            cli.env("TIKTOK_CLIENT_KEY", ID).env("TIKTOK_CLIENT_SECRET", SECRET)
        },
        fix: &["connector-host init lantern --data-dir data"],
        place: "lantern",
    },
    Fault {
        id: "scopes_pending",
        make: |home| home.with_app("pending = [\"video.list\"]"),
        fix: &[
            "https://developers.tiktok.com/apps",
            "take it out of `platforms.tiktok.apps.default.pending` in",
            "fault.toml",
        ],
        place: "fault.toml platforms.tiktok.apps.default.pending tiktok default",
    },
    Fault {
        id: "redirect_wrong",
        make: |home| home.with_app("redirect_uri = \"https://example.com/callback\""),
        fix: &["`redirect_uri = \"http://127.0.0.1:", "[platforms.tiktok.apps.default]", "fault.toml"],
        place: "fault.toml platforms.tiktok.apps.default.redirect_uri tiktok default",
    },
    Fault {
        id: "redirect_wrong",
        make: |home| home.with_app("kind = \"web\"\nredirect_uri = \"https://localhost/callback\""),
        fix: &["`redirect_uri = \"https://", "fault.toml"],
        place: "platforms.tiktok.apps.default.redirect_uri",
    },
    Fault {
        id: "redirect_missing",
        make: |home| home.with_app("kind = \"web\""),
        fix: &["`redirect_uri = \"https://", "[platforms.tiktok.apps.default]", "fault.toml"],
        place: "fault.toml platforms.tiktok.apps.default.redirect_uri tiktok default",
    },
];

const CREDENTIALS: &[Fault] = &[
    Fault {
        id: "credential_missing",
        make: |home| home.doctor().without_env("TIKTOK_CLIENT_SECRET"),
        fix: &["TIKTOK_CLIENT_SECRET", "`export TIKTOK_CLIENT_SECRET=", "https://developers.tiktok.com/apps"],
        place: "social-platforms.toml platforms.tiktok.apps.default.client_secret tiktok default",
    },
    Fault {
        id: "credential_missing",
        make: |home| home.with_app("client_secret = { file = \"/nowhere/secret\" }"),
        fix: &["client secret", "first line of `/nowhere/secret`", "chmod 600"],
        place: "fault.toml platforms.tiktok.apps.default.client_secret /nowhere/secret tiktok default",
    },
    Fault {
        id: "credential_empty",
        make: |home| home.doctor().env("TIKTOK_CLIENT_KEY", "  "),
        fix: &["`export TIKTOK_CLIENT_KEY="],
        place: "platforms.tiktok.apps.default.client_id",
    },
    Fault {
        id: "credential_quoted",
        make: |home| home.doctor().env("TIKTOK_CLIENT_SECRET", &format!("\"{SECRET}\"")),
        fix: &["quotes away in the environment variable TIKTOK_CLIENT_SECRET"],
        place: "platforms.tiktok.apps.default.client_secret",
    },
    Fault {
        id: "credential_blanks",
        make: |home| home.doctor().env("TIKTOK_CLIENT_SECRET", &format!("{SECRET}\n")),
        fix: &["blanks away in the environment variable TIKTOK_CLIENT_SECRET"],
        place: "platforms.tiktok.apps.default.client_secret",
    },
    Fault {
        id: "credentials_same",
        make: |home| home.doctor().env("TIKTOK_CLIENT_SECRET", ID),
        fix: &["client secret into the environment variable TIKTOK_CLIENT_SECRET"],
        place: "platforms.tiktok.apps.default.client_secret",
    },
    Fault {
        id: "credentials_swapped",
        make: |home| home.doctor().env("TIKTOK_CLIENT_KEY", SECRET).env("TIKTOK_CLIENT_SECRET", ID),
        fix: &["client id into the environment variable TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET"],
        place: "platforms.tiktok.apps.default.client_id",
    },
    Fault {
        id: "credential_strange",
        make: |home| home.doctor().env("TIKTOK_CLIENT_KEY", "aw0123"),
        fix: &["environment variable TIKTOK_CLIENT_KEY", "client id in the developer portal"],
        place: "platforms.tiktok.apps.default.client_id",
    },
    Fault {
        id: "credentials_test",
        make: |home| home.doctor().env("TIKTOK_CLIENT_KEY", TEST_ID),
        fix: &["live app", "https://developers.tiktok.com/apps"],
        place: "tiktok default",
    },
    Fault {
        id: "credential_exposed",
        make: |home| {
            let secret = home.file("secret", SECRET);
            home.chmod("secret", 0o644);
            home.with_app(&format!("client_secret = {{ file = \"{}\" }}", secret.display()))
        },
        fix: &["chmod 600 ", "/secret"],
        place: "platforms.tiktok.apps.default.client_secret",
    },
];

const MACHINE: &[Fault] = &[
    Fault {
        id: "ca_bundle_missing",
        make: |home| home.doctor().env("SSL_CERT_FILE", "/nowhere/bundle.pem"),
        fix: &["`unset SSL_CERT_FILE`"],
        place: "/nowhere/bundle.pem",
    },
    Fault {
        id: "tls_unusable",
        make: |home| {
            let cli = home.cli("doctor --json").env("SSL_CERT_FILE", "/nonexistent");
            cli.env("SSL_CERT_DIR", "/nonexistent")
        },
        fix: &["ca-certificates", "SSL_CERT_FILE"],
        place: "",
    },
    Fault {
        id: "proxy_ignored",
        make: |home| home.doctor().env("HTTPS_PROXY", "http://me:pass@word@proxy.example:3128"),
        fix: &["unset HTTPS_PROXY"],
        place: "",
    },
    Fault {
        id: "file_exposed",
        make: |home| {
            home.chmod("data", 0o755);
            home.doctor()
        },
        fix: &["chmod 700 ", "/data"],
        place: "/data",
    },
    Fault {
        id: "file_exposed",
        make: |home| {
            home.chmod("data/store.db", 0o640);
            home.doctor()
        },
        fix: &["chmod 600 ", "/data/store.db"],
        place: "/data/store.db",
    },
    Fault {
        id: "file_exposed",
        make: |home| {
            home.chmod("data/vault.key", 0o604);
            home.doctor()
        },
        fix: &["chmod 600 ", "/data/vault.key"],
        place: "/data/vault.key",
    },
    Fault {
        id: "file_unusable",
        make: |home| {
            fs::rename(home.path("data"), home.path("moved")).unwrap();
            std::os::unix::fs::symlink(home.path("moved"), home.path("data")).unwrap();
            home.doctor()
        },
        fix: &["put a directory at", "/data"],
        place: "/data",
    },
    Fault {
        id: "data_in_git",
        make: |home| {
            fs::create_dir(home.path(".git")).unwrap();
            home.doctor()
        },
        fix: &["mv ", "/data ", "outside", "--data-dir", "CONNECTOR_DATA_DIR"],
        place: "/data",
    },
    Fault {
        id: "data_replaceable",
        make: |home| {
            fs::create_dir(home.path("shared")).unwrap();
            fs::DirBuilder::new().mode(0o700).create(home.path("shared/data")).unwrap();
            home.chmod("shared", 0o777);
            home.cli_at("shared/data", "doctor --offline --json")
        },
        fix: &["chmod go-w ", "/shared"],
        place: "/shared/data",
    },
];

const STORE: &[Fault] = &[
    Fault {
        id: "keys_named_twice",
        make: |home| {
            home.doctor().env("CONNECTOR_VAULT_KEY", "k1 AAAA").arg("--vault-key").arg(home.path("data/vault.key"))
        },
        fix: &["CONNECTOR_VAULT_KEY_FILE", "CONNECTOR_VAULT_KEY", "unset the others"],
        place: "",
    },
    Fault {
        id: "key_missing",
        make: |home| {
            fs::remove_file(home.path("data/vault.key")).unwrap();
            home.doctor()
        },
        fix: &["put your copy of the key file back at", "/data/vault.key"],
        place: "/data/vault.key",
    },
    Fault {
        id: "key_other",
        make: |home| {
            home.cli_at("other", "connections").run().ok();
            fs::copy(home.path("other/vault.key"), home.path("data/vault.key")).unwrap();
            home.doctor()
        },
        fix: &["put the keys of this store back at", "/data/vault.key"],
        place: "",
    },
    Fault {
        id: "key_unreadable",
        make: |home| {
            fs::write(home.path("data/vault.key"), "not a key\n").unwrap();
            home.doctor()
        },
        fix: &["put your copy of the keys back at", "/data/vault.key"],
        place: "",
    },
    Fault {
        id: "store_not_ours",
        make: |home| {
            home.cli("connections --instance prod").run().ok();
            home.doctor().args("--instance copy")
        },
        fix: &["--instance prod", "connector-host store adopt --instance copy --data-dir"],
        place: "/data/store.db",
    },
    Fault {
        id: "store_newer",
        make: |home| {
            DatabaseFile::in_dir(&home.path("data")).run("PRAGMA user_version = 9999").unwrap();
            home.doctor()
        },
        fix: &["update connector-host"],
        place: "/data/store.db",
    },
    Fault {
        id: "store_foreign",
        make: |home| {
            fs::write(home.path("data/store.db"), "a shopping list, ".repeat(100)).unwrap();
            home.doctor()
        },
        fix: &["move it away", "--data-dir"],
        place: "/data/store.db",
    },
    Fault {
        id: "store_behind",
        make: |home| {
            fs::write(home.path("data/store.db"), "").unwrap();
            home.doctor()
        },
        fix: &["`connector-host connections --data-dir"],
        place: "/data/store.db",
    },
    Fault {
        id: "store_unusable",
        make: |home| home.doctor().env("CONNECTOR_DATABASE_URL", "postgres://anna:hunter2-hunter2@127.0.0.1:1/links"),
        fix: &["see whether `connector-host store show"],
        place: "",
    },
    Fault {
        id: "spool_damaged",
        make: |home| {
            home.file("data/spool/slot-0000.damaged-1", "half");
            home.chmod("data/spool/slot-0000.damaged-1", 0o600);
            home.doctor()
        },
        fix: &["keep it until every connection works", "`rm ", "slot-0000.damaged-1`"],
        place: "slot-0000.damaged-1",
    },
];

/// Where a finding is, in the order in which a fault names it.
fn place(finding: &Value) -> String {
    let fields = ["file", "key", "path", "platform", "app"].map(|name| finding[name].as_str().unwrap_or_default());
    fields.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Seeds each fault into an installation of its own, and looks for what is said about it.
fn find_all(faults: &[Fault]) {
    for fault in faults {
        let home = Home::installed();
        let kind = Kind::ALL.iter().find(|kind| kind.id() == fault.id).unwrap();
        let is_note = kind.severity().as_str() == "note";
        let done = (fault.make)(&home).run().ends(if is_note { 0 } else { 3 }, &[]);
        let report = done.json();
        let fits = |finding: &&&Value| {
            finding["id"] == fault.id
                && fault.fix.iter().all(|words| finding["fix"].as_str().unwrap().contains(words))
                && place(finding).contains(fault.place)
        };
        let found = findings(&report);
        assert_eq!(found.iter().filter(fits).count(), 1, "{} {:?}: {report:#}", fault.id, fault.fix);
        home.assert_nothing_was_told();
    }
}

#[test]
fn faults_of_the_configuration_are_found() {
    find_all(CONFIGURATION);
}

#[test]
fn faults_of_credentials_are_found_and_no_value_is_told() {
    find_all(CREDENTIALS);
}

#[test]
fn faults_of_the_machine_are_found() {
    find_all(MACHINE);
}

#[test]
fn faults_of_store_and_keys_are_found() {
    find_all(STORE);
}

#[test]
fn a_healthy_installation_has_none_and_is_left_as_it_is() {
    let home = Home::installed();
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(home.path("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (store, before) = (fs::read(home.path("data/store.db")).unwrap(), names());
    let report = home.doctor().run().json();
    assert_eq!(findings(&report), Vec::<&Value>::new());
    assert!(report["ok"].as_array().unwrap().iter().any(|area| area == "store"), "{report:#}");
    assert_eq!((fs::read(home.path("data/store.db")).unwrap(), names()), (store, before));
    let text = home.cli("doctor --offline").run();
    assert!(text.out.contains("ok: ") && text.out.contains("connections"), "{}", text.out);
    home.assert_nothing_was_told();
}

#[test]
fn on_a_fresh_machine_nothing_is_made() {
    let home = Home::new();
    let report = home.doctor().run().json();
    assert_eq!(findings(&report), Vec::<&Value>::new());
    assert!(!home.path("data").exists());
    let emulated = home.cli("--emulator doctor --json").run();
    assert_eq!(findings(&emulated.json()), Vec::<&Value>::new());
    assert!(!home.path("data").exists());
}

#[test]
fn a_port_that_somebody_else_has_is_found() {
    let (home, taken) = (Home::installed(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = taken.local_addr().unwrap().port();
    let report = home.with_app(&format!("redirect_uri = \"http://127.0.0.1:{port}/back\"")).run().ends(3, &[]).json();
    let [finding] = findings(&report)[..] else { panic!("{report:#}") };
    assert_eq!(finding["id"], "redirect_port_taken");
    assert!(finding["fix"].as_str().unwrap().contains(&port.to_string()), "{finding}");
    drop(taken);
}

#[test]
fn people_are_shown_each_finding_with_what_to_do_below_it() {
    let home = Home::installed();
    let done = home.cli("doctor --offline").env("TIKTOK_CLIENT_KEY", "").run();
    let done = done.ends(3, &["apps", "error: the client id of the app `default` of TikTok is empty", "1 error"]);
    let lines: Vec<_> = done.out.lines().collect();
    let fix = lines.iter().position(|line| line.trim_start().starts_with("fix: ")).unwrap();
    assert!(
        lines[fix].contains("export TIKTOK_CLIENT_KEY=") && lines[fix - 1].contains("[credential_empty]"),
        "{}",
        done.out
    );
}

/// What an examination of the emulated realm finds.
fn found(stage: &Stage, args: &str) -> Vec<Value> {
    let report = stage.cli("doctor --json").args(args).overlay(LANTERN).run().json();
    findings(&report).into_iter().cloned().collect()
}

fn ids(found: &[Value]) -> Vec<&str> {
    found.iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

#[test]
fn connections_that_wait_are_counted_by_reason() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    assert_eq!(found(&stage, ""), Vec::<Value>::new());
    stage.by_others("UPDATE grants SET state = 'reauth_required', reason = 'user_revoked'");
    let waiting = found(&stage, "");
    assert_eq!(ids(&waiting), ["people_needed"]);
    assert_eq!((&waiting[0]["connections"], &waiting[0]["app"]), (&1.into(), &"default".into()));
    assert!(waiting[0]["what"].as_str().unwrap().contains("user_revoked"), "{waiting:?}");
    let fix = waiting[0]["fix"].as_str().unwrap();
    for words in ["connector-host connections list --state reauth_required --emulator --data-dir data", "reconnect"] {
        assert!(fix.contains(words), "{fix}");
    }
    stage.by_others("UPDATE grants SET tenant = 'a; b'");
    stage.by_others("UPDATE connections SET tenant = 'a; b'");
    let fix = found(&stage, "")[0]["fix"].clone();
    assert!(fix.as_str().unwrap().contains("--tenant 'a; b' --emulator"), "a shell takes it as one word: {fix}");
    stage.by_others("UPDATE grants SET state = 'held', reason = 'imported'");
    assert_eq!(ids(&found(&stage, "")), ["connections_held"]);
    stage.by_others(
        "UPDATE grants SET state = 'active', reason = NULL, refresh_attempt = 'a', refresh_sent_at = 1, refresh_unanswered = 0",
    );
    let doubts = found(&stage, "");
    assert_eq!(ids(&doubts), ["refreshes_in_doubt"]);
    assert!(doubts[0]["fix"].as_str().unwrap().contains("tokens refresh --due --emulator"), "{doubts:?}");
    stage.assert_nothing_leaked();
}

#[test]
fn connections_that_lack_what_is_required_are_found_although_no_row_says_so() {
    let stage = Stage::new();
    stage.connect_with("", &unticking(MIRA, &["user.info.stats"]));
    assert_eq!(found(&stage, ""), Vec::<Value>::new());
    let required = "[platforms.tiktok.apps.default]\nrequired = [\"user.info.stats\"]\n";
    let report =
        stage.cli("doctor --json").overlay(stage.file("required.toml", required)).overlay(LANTERN).run().json();
    let needed = findings(&report);
    assert_eq!((needed.len(), &needed[0]["id"], &needed[0]["connections"]), (1, &"people_needed".into(), &1.into()));
    assert!(needed[0]["what"].as_str().unwrap().contains("required_scope_missing"), "{needed:?}");
    assert!(needed[0]["fix"].as_str().unwrap().contains("reconnect --all-needed"), "{needed:?}");
}

#[test]
fn an_app_that_the_platform_refuses_is_found() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    stage.let_access_expire();
    stage.retell(|known| {
        for app in known["apps"].as_array_mut().unwrap() {
            app["client_secret"] = "another-secret-than-the-platform-knows".into();
        }
    });
    stage.cli("metrics --max-age 0").run();
    let refused = found(&stage, "");
    assert_eq!(ids(&refused), ["app_refused"]);
    let fix = refused[0]["fix"].as_str().unwrap();
    assert!(fix.contains("platforms.tiktok.apps.default.client_secret"), "{fix}");
}

/// Answers every request with this head, for as long as the test runs.
fn host_that_answers(head: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            // Whoever asked may be gone.
            let _ = stream.write_all(head.as_bytes());
        }
    });
    base
}

#[test]
fn a_clock_that_is_not_the_platforms_is_found() {
    let stage = Stage::new();
    let base = host_that_answers(
        "HTTP/1.1 405 Method Not Allowed\r\nDate: Sun, 22 Nov 2020 12:00:00 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    stage.retell(|known| known["base_urls"]["api"] = base.into());
    let off = found(&stage, "");
    assert_eq!(ids(&off), ["clock_off"]);
    assert!(off[0]["what"].as_str().unwrap().contains("ahead of that of 127.0.0.1"), "{off:?}");
    assert!(off[0]["fix"].as_str().unwrap().contains("timedatectl set-ntp true"), "{off:?}");
    assert_eq!(found(&stage, "--offline"), Vec::<Value>::new());
}

#[test]
fn a_platform_that_does_not_answer_is_found_and_offline_nothing_is_sent() {
    let stage = Stage::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    stage.retell(|known| known["base_urls"]["api"] = format!("http://{closed}/").into());
    let silent = found(&stage, "");
    assert_eq!(ids(&silent), ["platform_unreachable"]);
    assert!(silent[0]["fix"].as_str().unwrap().contains(&closed.to_string()), "{silent:?}");
    let seen = stage.tiktok.record()["seen"].clone();
    assert_eq!(found(&stage, "--offline"), Vec::<Value>::new());
    assert_eq!(stage.tiktok.record()["seen"], seen);
}
