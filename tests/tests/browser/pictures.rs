//! The pictures that the README shows. `UPDATE=1` takes them anew.

use std::path::PathBuf;

use serde_json::json;

use crate::chromium::{Chromium, origin};
use crate::support::{Stage, person, unticking};
use crate::walk::{AFTER, PHONE, Served, knows_more};

const PASSWORD: &str = "a kayak on a cold lake";

/// Where they are, and how large one may be, in bytes.
const PLACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/guides");
const LARGEST: u64 = 150_000;

/// Their names, and how the page is shown.
const PICTURES: [(&str, &str, (u32, u32)); 2] =
    [("connections.png", "light", (1280, 1000)), ("connections-phone.png", "dark", PHONE)];

/// Lets what was counted have been counted on every other day of a month before, with fewer each time.
const A_MONTH: &str = "
    WITH RECURSIVE days (day) AS (SELECT 2 UNION ALL SELECT day + 2 FROM days WHERE day < 28)
    INSERT INTO samples
    SELECT connection, metric, observed_at - day * 86400000, value - value * day * (31 + day * 7 % 5) / 30000, feed, -position * 100 - day
    FROM samples, days";

#[test]
fn the_pictures_of_the_readme_are_small_and_there() {
    if std::env::var_os("UPDATE").is_some() {
        take();
    }
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    for (name, _, _) in PICTURES {
        let size = std::fs::metadata(PathBuf::from(PLACE).join(name)).map(|file| file.len());
        assert!(size.is_ok_and(|size| size > 10_000 && size < LARGEST), "{name} is to be taken anew with UPDATE=1");
        assert!(readme.contains(&format!("](host/guides/{name})")), "the README does not show {name}");
    }
}

/// Three connections: one of whom something is asked for anew, one who did not allow the counts, and one as it should be.
fn take() {
    let Some(chromium) = Chromium::here() else { return };
    let stage = Stage::new();
    knows_more(&stage);
    let more = stage.file("new.toml", AFTER);
    let connect = |args: &str, who| {
        let command = stage.cli("connect tiktok --no-browser").overlay(&more).args(args);
        stage.walk(command, &who).done.ok();
    };
    stage.connect_with("--reference customer-17", &person("mira"));
    connect("--reference customer-31", unticking("linnea", &["user.info.stats", "video.publish"]));
    connect("--reference customer-44", person("jonas"));
    stage.cli("metrics --max-age 0").overlay(&more).run().ok();
    stage.by_others(A_MONTH);
    let served = Served::with_admin(&stage, AFTER, PASSWORD);
    std::fs::create_dir_all(PLACE).unwrap();
    let pictures = PICTURES.map(
        |(name, scheme, (width, height))| json!({ "name": name, "scheme": scheme, "width": width, "height": height }),
    );
    let told = json!({
        "host": origin(&served.host),
        "emulator": origin(&stage.tiktok.base),
        "password": PASSWORD,
        "to": PLACE,
        "pictures": pictures,
    });
    chromium.run(&stage, "pictures.mjs", &told);
    served.end();
}
