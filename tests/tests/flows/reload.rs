//! A host that runs takes up a changed configuration, and keeps the one it has where the files are wrong.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use connector_core::http::{Policy, RawAnswer, Request};
use http::Method;
use http::header::ALLOW;
use serde_json::{Value, json};
use url::Url;

use crate::support::{MIRA, Running, Stage, person};

/// So that nothing but the watch sees a change in time.
const RARELY: &str = "--every 30m";
/// So that nothing but an order does.
const WHEN_TOLD: &str = "--every 30m --no-watch";

const FRESH: &str = "[platforms.tiktok.apps.default]\nkeep_fresh = true\n";
const STALE: &str = "[platforms.tiktok.apps.default]\nkeep_fresh = false\n";
const BROKEN: &str = "[platforms.tiktok.apps.default]\nkeep_fresh = tr";

/// A host that runs, with one file over the shipped one.
struct Served<'s> {
    stage: &'s Stage,
    running: Running,
    url: Url,
}

impl<'s> Served<'s> {
    fn new(stage: &'s Stage, file: &Path, args: &str) -> Self {
        let command = stage.cli("serve --listen 127.0.0.1:0 --json").args(args).overlay(file);
        let mut running = command.start();
        let url = running.document()["listening"].as_str().unwrap().parse().unwrap();
        Self { stage, running, url }
    }

    fn ask(&self, method: Method, path: &str, token: Option<&str>) -> RawAnswer {
        let mut request = Request::new(method, self.url.join(path).unwrap(), Policy::TOKEN);
        if let Some(token) = token {
            request = request.bearer(&token.into()).unwrap();
        }
        self.stage.web.wait(self.stage.web.cx.send(request)).unwrap()
    }

    /// How the configuration stands. It never keeps a host from being ready.
    fn configuration(&self) -> Value {
        let answer = self.ask(Method::GET, "/readyz", None);
        assert_eq!(answer.status, 200);
        answer.json().unwrap()["configuration"].clone()
    }

    /// What `doctor` finds on the same data, with files of its own.
    fn doctor(&self) -> Vec<Value> {
        let report = self.stage.cli("doctor --offline --json").run().json();
        report["findings"].as_array().unwrap().clone()
    }

    /// Waits until the files are refused with these words, and gives the problems.
    fn refused(&self, words: &str) -> Value {
        until(|| {
            let problems = self.configuration()["refused"]["problems"].clone();
            problems.to_string().contains(words).then_some(problems)
        })
    }

    /// Waits until the files are right again.
    fn healed(&self) {
        until(|| self.configuration()["refused"].is_null().then_some(()));
    }

    /// Waits until so many changes were taken up.
    fn changed(&self, times: u32) {
        let line = format!("connector_host_config_reloads_total{{outcome=\"changed\"}} {times}");
        until(|| self.has_figure(&line).then_some(()));
    }

    fn has_figure(&self, line: &str) -> bool {
        let text = String::from_utf8(self.ask(Method::GET, "/metrics", None).body).unwrap();
        text.lines().any(|told| told == line)
    }
}

fn until<T>(look: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "it does not happen");
    }
}

/// Somebody is connected whose access token would be refreshed if it were to be kept fresh.
fn connected() -> (Stage, PathBuf) {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    stage.let_access_expire();
    let file = stage.file("more.toml", STALE);
    (stage, file)
}

fn notice(stage: &Stage) -> PathBuf {
    stage.realm().join("serve.running.json")
}

#[test]
fn a_file_that_changes_is_taken_up_without_a_restart() {
    let (stage, file) = connected();
    let mut served = Served::new(&stage, &file, RARELY);
    let before = served.configuration();
    assert_eq!(before["layers"].as_array().unwrap().len(), 3, "{before}");
    assert!(before["layers"][2].as_str().unwrap().ends_with("more.toml") && before["refused"].is_null(), "{before}");
    std::fs::write(&file, FRESH).unwrap();
    until(|| (stage.tiktok.refreshes() == (1, 0)).then_some(()));
    served.changed(1);
    served.running.line("tiktok/default: keep_fresh true (was false)");
    assert_ne!(served.configuration()["since"], before["since"]);
    let audit = stage.cli("audit --event configuration_changed --json").run().ok().json();
    let detail = json!({ "because": "files", "changes": ["tiktok/default: keep_fresh true (was false)"] });
    assert_eq!((audit.as_array().unwrap().len(), &audit[0]["detail"]), (1, &detail));
}

#[test]
fn a_hangup_has_the_files_read_and_ends_nothing() {
    let (stage, file) = connected();
    let mut served = Served::new(&stage, &file, WHEN_TOLD);
    std::fs::write(&file, FRESH).unwrap();
    served.running.hang_up();
    until(|| (stage.tiktok.refreshes() == (1, 0)).then_some(()));
    served.changed(1);
    std::fs::write(&file, BROKEN).unwrap();
    served.running.hang_up();
    served.refused("this is not TOML");
    served.running.line("more.toml: line 2, column 14: this is not TOML");
    served.running.terminate();
    served.running.done().ends(0, &["stopping"]);
}

#[test]
fn a_command_has_the_files_read_and_says_what_changed_or_what_is_wrong() {
    let (stage, file) = connected();
    let served = Served::new(&stage, &file, WHEN_TOLD);
    let reload = || stage.cli("config reload");
    reload().run().ends(0, &["The configuration says the same"]);
    std::fs::write(&file, FRESH).unwrap();
    reload().run().ends(0, &["The configuration changed.", "tiktok/default: keep_fresh true (was false)"]);
    until(|| (stage.tiktok.refreshes() == (1, 0)).then_some(()));

    let scopes = "[platforms.tiktok.apps.default]\nscopes = [\"user.info.basic\", \"video.list\", \"new.one\"]\npending = [\"video.list\"]\n\
        [platforms.tiktok.scopes.\"new.one\"]\nproduct = \"p\"\ndescription = \"d\"\n[platforms.nosuch.apps.default]\nkind = \"web\"\n";
    std::fs::write(&file, scopes).unwrap();
    reload().run().ends(2, &["refused", "more.toml: platforms.nosuch.apps.default", "goes on with the one it has"]);
    std::fs::write(
        &file,
        scopes.replace(
            "kind = \"web\"",
            "kind = \"web\"\nscopes = [\"a\"]\n[platforms.nosuch.scopes.a]\nproduct = \"p\"\ndescription = \"d\"",
        ),
    )
    .unwrap();
    let told = reload().args("--json").run().ok().json();
    assert_eq!((&told["outcome"], &told["problems"]), (&json!("changed"), &json!([])), "{told}");
    let changes = told["changes"].as_array().unwrap();
    let has = |line: &str| assert!(changes.iter().any(|told| told == line), "{line}: {told}");
    has("nosuch: new");
    has("nosuch/default: new");
    has("tiktok: catalogue + new.one");
    has(
        "tiktok/default: scopes + new.one, - user.info.profile, - user.info.stats, - video.upload, - video.publish; pending + video.list; keep_fresh false (was true)",
    );
    assert_eq!(
        stage.metrics("--max-age 0")["connection"],
        stage.connections()[0]["id"],
        "what was granted goes on working"
    );

    std::fs::write(&file, "[platforms.tiktok.apps.default]\nscopse = []").unwrap();
    let told = reload().args("--json").run().ends(2, &[]).json();
    assert_eq!((&told["outcome"], &told["changes"]), (&json!("refused"), &json!([])));
    let problem = &told["problems"][0];
    assert!(problem["file"].as_str().unwrap().ends_with("more.toml"), "{told}");
    assert_eq!(problem["key"], "platforms.tiktok.apps.default");
    drop(served);
}

#[test]
fn a_file_that_is_wrong_or_half_written_changes_nothing_and_the_next_one_heals() {
    let (stage, file) = connected();
    let mut served = Served::new(&stage, &file, RARELY);
    std::fs::write(&file, BROKEN).unwrap();
    let problems = served.refused("this is not TOML");
    assert!(problems[0]["file"].as_str().unwrap().ends_with("more.toml") && problems[0]["key"] == "", "{problems}");
    served.running.line("the configuration is refused, and the one before stays in use");
    assert!(served.has_figure("connector_host_config_refused 1"));
    assert!(served.has_figure("connector_host_config_reloads_total{outcome=\"changed\"} 0"));
    assert_eq!(stage.tiktok.refreshes(), (0, 0));
    let told = served.doctor();
    let finding = told.iter().find(|finding| finding["id"] == "serve_config_refused").unwrap();
    assert!(finding["what"].as_str().unwrap().contains("this is not TOML"), "{finding}");
    assert!(finding["fix"].as_str().unwrap().contains("config reload"), "{finding}");

    let mut whole = std::fs::File::options().append(true).open(&file).unwrap();
    std::io::Write::write_all(&mut whole, b"ue\n").unwrap();
    served.healed();
    served.changed(1);
    until(|| (stage.tiktok.refreshes() == (1, 0)).then_some(()));
    assert!(served.has_figure("connector_host_config_refused 0"));
    assert!(!served.doctor().iter().any(|finding| finding["id"].as_str().unwrap().starts_with("serve_")));
    std::fs::write(&file, BROKEN).unwrap();
    served.refused("this is not TOML");
    std::fs::write(&file, format!("# The same in effect.\n{FRESH}")).unwrap();
    served.healed();
    assert!(served.has_figure("connector_host_config_reloads_total{outcome=\"changed\"} 1"), "it says the same");
}

#[test]
fn a_file_is_followed_however_it_is_replaced() {
    let (stage, _) = connected();
    for dir in ["etc", "etc/..1", "etc/..2"] {
        std::fs::create_dir(stage.path(dir)).unwrap();
    }
    stage.file("etc/..1/more.toml", STALE);
    symlink("..1", stage.path("etc/..data")).unwrap();
    symlink("..data/more.toml", stage.path("etc/more.toml")).unwrap();
    let file = stage.path("etc/more.toml");
    let served = Served::new(&stage, &file, RARELY);
    // As a cluster does it.
    stage.file("etc/..2/more.toml", FRESH);
    symlink("..2", stage.path("etc/..next")).unwrap();
    std::fs::rename(stage.path("etc/..next"), stage.path("etc/..data")).unwrap();
    served.changed(1);
    // As an editor does it.
    std::fs::rename(stage.file("etc/.more.toml.swp", STALE), &file).unwrap();
    served.changed(2);
    // In its place.
    std::fs::write(&file, FRESH).unwrap();
    served.changed(3);
}

#[test]
fn a_directory_that_is_removed_is_said_once_and_followed_again_when_it_is_back() {
    let (stage, _) = connected();
    std::fs::create_dir(stage.path("etc")).unwrap();
    let file = stage.file("etc/more.toml", STALE);
    let mut served = Served::new(&stage, &file, RARELY);
    std::fs::remove_dir_all(stage.path("etc")).unwrap();
    let problems = served.refused("there is no such file");
    assert_eq!(problems.as_array().unwrap().len(), 1, "{problems}");
    served.running.line("a directory of the configuration is not there");
    stage.file("beside", "something happens where the directory was");
    std::fs::create_dir(stage.path("etc")).unwrap();
    served.running.line("a directory of the configuration is there again");
    stage.file("etc/more.toml", FRESH);
    served.healed();
    served.changed(1);
    std::fs::write(&file, STALE).unwrap();
    served.changed(2);
    served.running.terminate();
    let done = served.running.done().ends(0, &[]);
    assert_eq!(done.err.matches("there is no such file").count(), 1, "{}", done.err);
}

#[test]
fn a_file_in_the_users_directory_is_taken_up_when_it_comes_and_missed_when_it_goes() {
    let stage = Stage::new();
    let dir = stage.path(".config/connector-host");
    let mut running = stage.bare("--emulator --data-dir data serve --listen 127.0.0.1:0 --json").args(RARELY).start();
    let url = running.document()["listening"].as_str().unwrap().parse().unwrap();
    let served = Served { stage: &stage, running, url };
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("social-platforms.toml"), FRESH).unwrap();
    served.changed(1);
    std::fs::remove_file(dir.join("social-platforms.toml")).unwrap();
    served.refused("there is no such file");
}

#[test]
fn only_who_can_read_the_data_directory_has_the_files_read() {
    let (stage, file) = connected();
    let mut served = Served::new(&stage, &file, WHEN_TOLD);
    let found: Value = serde_json::from_slice(&std::fs::read(notice(&stage)).unwrap()).unwrap();
    assert_eq!(notice(&stage).metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(found["address"], served.url.authority());
    let token = found["token"].as_str().unwrap().to_owned();
    std::fs::write(&file, FRESH).unwrap();
    for wrong in [None, Some("x"), Some(&token[1..])] {
        assert_eq!(served.ask(Method::POST, "/config/reload", wrong).status, 401);
    }
    let answer = served.ask(Method::GET, "/config/reload", Some(&token));
    assert_eq!((answer.status, answer.headers[ALLOW].to_str().unwrap()), (405, "POST"));
    assert!(served.has_figure("connector_host_config_reloads_total{outcome=\"changed\"} 0"), "nothing was read");
    assert_eq!(served.ask(Method::POST, "/config/reload", Some(&token)).status, 200);
    served.changed(1);
    let second = stage.cli("serve --listen 127.0.0.1:0 --json -v").start();
    let mut second = second;
    second.line("another `serve` runs on this data");
    stage.cli("config reload -vv").overlay(&file).run().ok().without(&token);
    second.terminate();
    second.done().ends(0, &[]).without(&token);
    served.running.terminate();
    served.running.line("nothing is under way any more");
    served.running.done().ends(0, &[]).without(&token);
    assert!(!notice(&stage).exists(), "it is taken away");
}

#[test]
fn where_no_host_runs_the_command_says_what_to_do() {
    let (stage, file) = connected();
    let reload = || stage.cli("config reload").run();
    reload().ends(1, &["no `serve` runs on the data in", "data/emulator", "--data-dir"]);
    let served = Served::new(&stage, &file, WHEN_TOLD);
    served.running.kill();
    assert!(notice(&stage).exists());
    reload().ends(1, &["has ended", "nothing to reload"]);
    stage.bare("config reload --data-dir nowhere").run().ends(1, &["no `serve` runs on the data in nowhere"]);
    assert!(!stage.path("nowhere").exists());
}
