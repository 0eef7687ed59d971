//! The pages of people who sign in, from setting up to signing out.

use serde_json::json;
use url::Url;

use crate::chromium::{Chromium, origin};
use crate::support::{Running, SHIPPED, Stage};

pub(crate) const OVERLAY: &str = "more.toml";

/// A scope that the platform has and the shipped configuration has not, with a count of its own.
pub(crate) const AFTER: &str = r#"
[platforms.tiktok.apps.default]
scopes = ["user.info.basic", "user.info.profile", "user.info.stats", "video.upload", "video.publish", "video.list", "user.info.score"]

[platforms.tiktok.scopes."user.info.score"]
product     = "Login Kit"
description = "The score of the account"
fields.user_info = { score = "custom.tiktok.score" }
"#;

const MISTAKE: &str = "[platforms.tiktok.apps.default]\nscopes = [\"user.info.basic\", \"no.such.scope\"]\n";

/// Lets the platform have it.
pub(crate) fn knows_more(stage: &Stage) {
    stage.tiktok.switch(&json!({
        "extra_scopes": ["user.info.score"],
        "extra_fields": { "score": { "scope": "user.info.score", "value": 4711 } },
    }));
}

/// A count, and how a page writes it.
const FOLLOWERS: (i64, &str) = (1_284_310, "1 284 310");

const DESKTOP: (u32, u32) = (1280, 900);
pub(crate) const PHONE: (u32, u32) = (390, 844);

/// A host that runs.
pub(crate) struct Served {
    running: Running,
    pub(crate) host: Url,
    /// Where the token is that makes the first admin, while there is none.
    token_file: Option<String>,
}

impl Served {
    pub(crate) fn new(stage: &Stage, overlay: &str) -> Self {
        let file = stage.file(OVERLAY, overlay);
        let command = stage.cli("serve --listen 127.0.0.1:0 --json --every 1h").overlay(file);
        let mut running = command.start();
        let said = running.document();
        let host = said["listening"].as_str().unwrap().parse().unwrap();
        Self { running, host, token_file: said["set_up"]["token_file"].as_str().map(str::to_owned) }
    }

    /// The same, with an admin who is called ada.
    pub(crate) fn with_admin(stage: &Stage, overlay: &str, password: &str) -> Self {
        let mut create = stage.cli("admin create ada --password-file -").with_input().start();
        create.paste(password);
        create.done().ok();
        Self::new(stage, overlay)
    }

    pub(crate) fn end(self) {
        self.running.terminate();
        self.running.done().ends(0, &[]);
    }
}

/// The scopes that the shipped configuration asks for.
fn shipped_scopes() -> Vec<String> {
    let text = std::fs::read_to_string(SHIPPED).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("scopes        = ")).unwrap();
    serde_json::from_str(line).unwrap()
}

/// What is seen on the way is kept under a name, if there is one.
fn walk((width, height): (u32, u32), scripts: bool, keyboard: bool, keeps: &str) {
    let Some(chromium) = Chromium::here() else { return };
    let stage = Stage::new();
    knows_more(&stage);
    stage.tiktok.edit("mira", &json!({ "follower_count": FOLLOWERS.0 }));
    let served = Served::new(&stage, "");
    let told = json!({
        "host": origin(&served.host),
        "emulator": origin(&stage.tiktok.base),
        "tokenFile": served.token_file,
        "overlay": stage.path(OVERLAY),
        "before": shipped_scopes(),
        "after": AFTER,
        "mistake": MISTAKE,
        "followers": FOLLOWERS.1,
        "ways": { "width": width, "height": height, "scripts": scripts, "keyboard": keyboard, "keeps": keeps },
    });
    chromium.run(&stage, "walk.mjs", &told);
    served.end();
    assert_eq!(stage.tiktok.live_grants("mira"), 0, "the platform has taken the access back");
    stage.assert_nothing_leaked();
}

#[test]
fn at_a_desk() {
    walk(DESKTOP, true, false, "desk");
}

#[test]
fn at_a_desk_without_scripts() {
    walk(DESKTOP, false, false, "");
}

#[test]
fn with_the_keyboard_alone() {
    walk(DESKTOP, true, true, "");
}

#[test]
fn on_a_phone() {
    walk(PHONE, true, false, "phone");
}

#[test]
fn on_a_phone_without_scripts() {
    walk(PHONE, false, false, "");
}
