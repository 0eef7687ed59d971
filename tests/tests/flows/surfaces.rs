//! A scope is written down once: what a file changes about it is seen wherever scopes are told, asked for or used, with no rebuild.

use std::fs;

use serde_json::{Value, json};

use crate::scopes::{asked, fields, listed, status};
use crate::support::{Cli, MIRA, Stage, person};

/// One scope is described otherwise, with another field and one more ability; the list is in another order, and one of it is pending.
const CHANGE: &str = r#"
[platforms.tiktok.apps.default]
scopes  = ["video.list", "user.info.stats", "user.info.basic"]
pending = ["video.list"]

[platforms.tiktok.scopes."user.info.stats"]
product     = "Login Kit"
description = "Followers, and the score of the account"
fields.user_info = { follower_count = "metric.followers", score = "custom.tiktok.score" }
abilities   = ["publish.draft"]
"#;

const STATS: &str = "user.info.stats";

/// What of a surface tells of the scope: before the change, and after it.
struct Surfaces<'a> {
    stage: &'a Stage,
    overlay: Option<std::path::PathBuf>,
}

impl Surfaces<'_> {
    fn cli(&self, args: &str) -> Cli {
        let cli = self.stage.cli("");
        self.overlay.iter().fold(cli, Cli::overlay).args(args)
    }

    fn json(&self, args: &str) -> Value {
        self.cli(args).run().ok().json()
    }

    /// Its row of `scopes`.
    fn scope(&self) -> Value {
        let rows = self.json("scopes list tiktok --json");
        rows.as_array().unwrap().iter().find(|row| row["scope"] == STATS).unwrap().clone()
    }

    /// The scopes that `list` names for an ability.
    fn unlocking(&self, ability: &str) -> Value {
        let platforms = self.json("list --json");
        let tiktok = platforms.as_array().unwrap().iter().find(|row| row["id"] == "tiktok").unwrap().clone();
        let abilities = tiktok["abilities"].as_array().unwrap();
        abilities.iter().find(|row| row["name"] == ability).unwrap()["scopes"].clone()
    }

    /// The scopes of the table for the docs, in its order, and the row of the one.
    fn docs(&self) -> (Vec<String>, String) {
        let table = self.json("docs --json")["scopes tiktok"].as_str().unwrap().to_owned();
        let rows: Vec<&str> = table.lines().skip(2).collect();
        let scopes = rows.iter().map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
        (scopes, (*rows.iter().find(|row| row.contains(STATS)).unwrap()).to_owned())
    }

    fn shown(&self) -> Value {
        self.json("config show --json")[format!("platforms.tiktok.scopes.\"{STATS}\"")].clone()
    }

    /// Counts that are read anew.
    fn counts(&self) -> Value {
        self.json("metrics --json --max-age 0")[0]["metrics"].clone()
    }
}

#[test]
fn one_change_of_one_scope_is_seen_everywhere() {
    let stage = Stage::new();
    stage.tiktok.switch(&json!({ "extra_fields": { "score": { "scope": STATS, "value": 4711 } } }));
    stage.connect_with("--reference mira", &person(MIRA));
    let before = Surfaces { stage: &stage, overlay: None };
    let after = Surfaces { stage: &stage, overlay: Some(stage.file("change.toml", CHANGE)) };

    // What people are asked for.
    assert_eq!(asked(before.cli(""))[2..4], [STATS, "video.upload"]);
    assert_eq!(asked(after.cli("")), [STATS, "user.info.basic"]);

    // What calls ask for, and what becomes of it.
    assert!(before.counts().get("custom.tiktok.score").is_none());
    assert!(fields(&stage).contains(&"likes_count".to_owned()));
    let counts = after.counts();
    assert_eq!(counts["custom.tiktok.score"]["value"], 4711);
    assert!(fields(&stage).contains(&"score".to_owned()) && !fields(&stage).contains(&"likes_count".to_owned()));

    // What is listed.
    assert_eq!(listed(before.cli("")).len(), 6);
    assert_eq!(listed(after.cli("")), ["video.list", STATS, "user.info.basic"]);
    assert_eq!(before.unlocking("publish.draft"), json!(["video.upload"]));
    assert_eq!(after.unlocking("publish.draft"), json!([STATS, "video.upload"]));
    assert_eq!(before.scope()["description"], "Follower count, following count, likes count, video count");
    assert_eq!(after.scope()["description"], "Followers, and the score of the account");
    assert_eq!(after.scope()["unlocks"], json!(["custom.tiktok.score", "metric.followers", "publish.draft"]));

    // What is told of a connection.
    let extra = |surfaces: &Surfaces<'_>| surfaces.json("connections show mira --json")["extra_scopes"].clone();
    assert_eq!(extra(&before), json!([]));
    assert_eq!(extra(&after), json!(["user.info.profile", "video.publish", "video.upload"]));
    let of_list = |surfaces: &Surfaces<'_>| status(surfaces.cli(""), "video.list");
    assert_eq!((of_list(&before), of_list(&after)), (json!("granted"), json!("pending")));

    // What the docs and the configuration say.
    assert_eq!(before.docs().0[..3], ["user.info.basic", "user.info.profile", STATS]);
    let (order, row) = after.docs();
    assert_eq!(order[..3], ["video.list", STATS, "user.info.basic"]);
    assert_eq!(
        row,
        "| TikTok | `user.info.stats` | Login Kit | Followers, and the score of the account | `custom.tiktok.score`, `metric.followers`, `publish.draft` | default |"
    );
    assert!(after.shown()["value"].as_str().unwrap().contains("Followers, and the score of the account"));
    assert!(before.shown()["origin"] != after.shown()["origin"]);
}

#[test]
fn the_lists_in_a_file_are_checked_and_written_anew() {
    let stage = Stage::new();
    let (before, overlay) = (stage.cli(""), stage.file("change.toml", CHANGE));
    let text = "# Ours\n\n<!-- generated: scopes tiktok -->\n<!-- /generated -->\n\n<!-- generated: platforms -->\n<!-- /generated -->\n";
    fs::create_dir_all(stage.path("docs/.hidden")).unwrap();
    let file = stage.file("docs/README.md", text);
    stage.file("docs/.hidden/other.md", text);
    stage.file("docs/plain.md", "nothing is generated here\n");
    before.args("docs --dir docs").run().ends(0, &["README.md: the block `scopes tiktok` is written anew"]);
    stage.cli("docs --check --dir docs").run().ends(0, &["Every block is fresh, in 1 files."]);
    let fresh = fs::read_to_string(&file).unwrap();
    assert!(fresh.starts_with("# Ours\n\n<!-- generated: scopes tiktok -->\n| platform |"), "{fresh}");

    let changed = |args: &str| stage.cli(args).overlay(&overlay);
    let words = ["docs/README.md: the block `scopes tiktok` is stale", "docs docs/README.md` writes it anew"];
    changed("docs --check docs/README.md").run().ends(1, &words).without("`platforms`");
    assert_eq!(fs::read_to_string(&file).unwrap(), fresh, "a check changes nothing");
    let told = changed("docs --check --json --dir docs").run().ends(1, &[]).json();
    assert_eq!(told["files"][0]["stale"], json!(["scopes tiktok"]));
    changed("docs docs/README.md").run().ok();
    changed("docs --check docs/README.md").run().ok();
    assert!(fs::read_to_string(&file).unwrap().contains("Followers, and the score of the account"));

    stage.cli("docs docs/plain.md").run().ends(2, &["docs/plain.md has no block", "connector-host docs"]);
    stage.cli("docs --check").run().ends(2, &["name what to check"]);
    stage.file("docs/wrong.md", "<!-- generated: scope -->\n<!-- /generated -->\n");
    stage.cli("docs --dir docs").run().ends(2, &["docs/wrong.md: line 1: there is no list `scope`", "scopes tiktok"]);
    assert!(fs::read_to_string(stage.path("docs/.hidden/other.md")).unwrap() == text, "what is hidden is left alone");
}

#[test]
fn the_lists_are_printed_to_be_pasted() {
    let stage = Stage::new();
    let done = stage.cli("docs").run().ok();
    assert!(done.out.starts_with("<!-- generated: platforms -->\n| platform |"), "{}", done.out);
    assert_eq!(
        done.out.matches("<!-- /generated -->").count(),
        5,
        "platforms, scopes, each of the two linked, findings"
    );
}
