//! Connecting, and reading counts later.

use connector_core::Secret;
use connector_host::store::{FlowFilter, Flows as _};
use serde_json::json;
use url::Url;

use crate::support::{Emulator, MIRA, Stage, param, person, unticking};

#[test]
fn a_connected_account_is_read_by_a_later_command() {
    let stage = Stage::new();
    let visit = stage.walk(stage.cli("connect tiktok --no-browser --reference customer-17"), &person(MIRA));
    visit.done.ok().ends(0, &["Connected Mira Okafor (tiktok)", "granted: user.info.basic", "video.upload"]);
    assert!(visit.page.contains("Connected") && visit.page.contains("Mira Okafor is connected."), "{}", visit.page);

    let row = stage.metrics("");
    for (metric, field) in [
        ("followers", "follower_count"),
        ("following", "following_count"),
        ("likes_received", "likes_count"),
        ("posts", "video_count"),
    ] {
        assert_eq!(row["metrics"][metric]["value"], stage.tiktok.field(MIRA, field), "{metric}");
        assert!(row["metrics"][metric]["observed_at"].is_string());
    }
    assert_eq!(row["reference"], "customer-17");
    assert_eq!(row["error"], json!(null));
    let followers = stage.tiktok.field(MIRA, "follower_count").to_string();
    stage
        .cli("metrics customer-17")
        .run()
        .ends(0, &["Mira Okafor @mira.bakes (tiktok)", "followers", &grouped(&followers), "now"]);
}

/// The program writes `1 284 310`.
fn grouped(digits: &str) -> String {
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(" ")
}

#[test]
fn counts_that_are_new_enough_ask_nothing_of_the_platform() {
    let stage = Stage::new();
    stage.connect(&person(MIRA));
    let first = stage.metrics("");
    let calls = || stage.tiktok.requests("user_info").len();
    let asked = calls();

    stage.tiktok.edit(MIRA, &json!({ "follower_count": 5 }));
    assert_eq!(stage.metrics("")["metrics"], first["metrics"]);
    assert_eq!(stage.metrics("--max-age 6h")["metrics"], first["metrics"]);
    assert_eq!(calls(), asked);

    assert_eq!(stage.metrics("--max-age 0")["metrics"]["followers"]["value"], 5);
    assert_eq!(calls(), asked + 1);
}

#[test]
fn an_address_that_is_pasted_ends_the_flow_too() {
    let stage = Stage::new();
    let mut running = stage.cli("connect tiktok --no-browser").with_input().start();
    let back = stage.consent(&mut running, &person(MIRA));
    running.paste("");
    running.paste(format!("  {back}  "));
    running.done().ends(0, &["Connected Mira Okafor", "may also be pasted here"]);
    assert_eq!(stage.connections().len(), 1);
}

#[test]
fn the_redirect_of_a_web_app_is_pasted() {
    let stage = Stage::new();
    let web = stage.file("web.toml", "[platforms.tiktok.apps.default]\nkind = \"web\"\n");
    let uri = "https://app.example/callback";
    stage.cli("connect tiktok").overlay(&web).run().ends(2, &["kind web", "--redirect-uri"]);

    let command = stage.cli("connect tiktok --no-browser --redirect-uri").arg(uri).overlay(&web).with_input();
    let mut running = command.start();
    let back = stage.consent(&mut running, &person("jonas"));
    assert!(back.as_str().starts_with(uri), "{back}");
    running.paste(back);
    running.done().ends(0, &["Connected Jonas"]);
}

#[test]
fn an_address_that_is_only_printed_starts_nothing() {
    let stage = Stage::new();
    let done = stage.cli("connect tiktok --print-url --port 8123").run().ok();
    let url: Url = done.out.trim().parse().unwrap();
    assert_eq!(done.err, "");
    assert_eq!(url.path(), "/v2/auth/authorize/");
    let redirect = param(&url, "redirect_uri").unwrap();
    assert_eq!(redirect, "http://127.0.0.1:8123/oauth/callback/tiktok/default");
    assert_eq!(
        param(&url, "scope").unwrap(),
        "user.info.basic,user.info.profile,user.info.stats,video.upload,video.publish,video.list"
    );
    assert_eq!(param(&url, "code_challenge_method").as_deref(), Some("S256"));

    let digest = Secret::from(param(&url, "state").unwrap()).digest();
    let store = stage.store();
    assert!(stage.web.wait(store.take_flow(&digest, &FlowFilter::default())).unwrap().is_none());
    assert_eq!(stage.tiktok.record()["seen"], 0);
}

#[test]
fn what_a_person_unticks_is_respected_and_said() {
    let stage = Stage::new();
    let visit = stage.walk(stage.cli("connect tiktok --no-browser"), &unticking(MIRA, &["user.info.stats"]));
    visit.done.ends(0, &["Connected Mira Okafor", "Asked for, and not granted: user.info.stats."]);

    let done = stage.cli("metrics").run().ends(0, &["followers", "needs user.info.stats, not granted"]);
    assert!(!done.out.contains(" 0 "), "{}", done.out);
    let row = stage.metrics("");
    assert_eq!(
        row["metrics"]["followers"],
        json!({ "missing": { "reason": "not_granted", "scope": "user.info.stats" } })
    );
    for request in stage.tiktok.requests("user_info") {
        assert!(!request["detail"].as_str().unwrap().contains("_count"), "{request}");
        assert_eq!(request["outcome"], "ok");
    }
    stage.cli("connections show").arg(MIRA).run().ends(2, &["is called `mira`"]);
    stage
        .cli("connections show mira.bakes")
        .run()
        .ends(0, &["user.info.stats    not_granted", "should the person want it"]);
}

#[test]
fn counts_of_zero_are_counts() {
    let stage = Stage::new();
    stage.connect(&person("nova"));
    let row = stage.metrics("");
    for metric in ["followers", "following", "likes_received", "posts"] {
        assert_eq!(row["metrics"][metric]["value"], 0, "{row}");
    }
}

#[test]
fn accounts_of_every_kind_connect_side_by_side() {
    let stage = Stage::new();
    for name in ["linnea", "noor", "jonas"] {
        stage.connect_with(&format!("--reference {name}"), &person(name));
    }
    assert_eq!(stage.connections().len(), 3);
    for name in ["linnea", "noor", "jonas"] {
        let row = stage.metrics(name);
        assert_eq!(row["metrics"]["likes_received"]["value"], stage.tiktok.field(name, "likes_count"), "{name}");
    }
    let id = stage.connections()[0]["account_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with('-'), "{id}");
    stage.cli("metrics --").arg(&id).run().ends(0, &["Linnéa Ström"]);
}

#[test]
fn a_tenant_does_not_see_what_is_anothers() {
    let stage = Stage::new();
    let theirs = stage.connect_with("--tenant a --reference shop", &person(MIRA));
    let id = theirs["id"].as_str().unwrap();

    assert_eq!(stage.cli("--tenant b connections --json").run().ok().json(), json!([]));
    assert_eq!(stage.cli("--tenant b metrics --json").run().ok().json(), json!([]));
    assert_eq!(stage.connections(), Vec::<serde_json::Value>::new());
    for command in ["metrics", "connections show", "disconnect", "reconnect --no-browser"] {
        for name in [id, "shop", "mira.bakes"] {
            let command = stage.cli("--tenant b").args(command).arg(name);
            command.run().ends(2, &["no connection of the tenant `b` is called"]);
        }
    }

    let ours = stage.connect_with("--tenant b --reference shop", &person(MIRA));
    assert_ne!(ours["id"], theirs["id"]);
    assert_eq!(ours["new"], true);
    let kept = stage.cli("--tenant a connections --json").run().ok().json();
    assert_eq!(kept[0]["id"], theirs["id"]);
    assert_eq!(kept[0]["state"], "active");
}

#[test]
fn what_is_pasted_by_mistake_does_not_end_the_flow() {
    let stage = Stage::new();
    let mut running = stage.cli("connect tiktok --no-browser").with_input().start();
    let back = stage.consent(&mut running, &person(MIRA));
    running.paste("oops, that was for another window");
    running.line("no `state`");
    running.paste("http://127.0.0.1:1/oauth/callback/tiktok/default?code=x&state=of-another-flow");
    running.line("no flow in progress");
    running.paste(back);
    running.done().ok();
}

#[test]
fn a_reference_that_means_two_connections_is_asked_back() {
    let stage = Stage::new();
    let ids = [MIRA, "jonas"].map(|name| stage.connect_with("--reference shop", &person(name))["id"].clone());
    let ids = ids.map(|id| id.as_str().unwrap().to_owned());
    for command in ["metrics shop", "disconnect shop", "connections show shop", "reconnect shop --no-browser"] {
        stage.cli(command).run().ends(2, &["means several connections", &ids[0], &ids[1]]);
    }
    stage.cli("metrics").arg(&ids[1]).run().ends(0, &["Jonas"]);
    assert_eq!(stage.tiktok.live_grants(MIRA), 1);
}

#[test]
fn a_grant_is_only_sent_where_it_was_made() {
    let stage = Stage::new();
    let alone = |args: &str| stage.bare("--emulator --data-dir alone").args(args);
    stage.walk(alone("connect tiktok --no-browser"), &person(MIRA)).done.ok();
    alone("metrics").run().ok();

    let moved = Emulator::start(stage.bare("emulator tiktok --json --data-dir alone --port 0"));
    alone("metrics --max-age 0").run().ends(2, &["at another address", "reconnect it", "stale"]);
    assert_eq!(moved.record()["seen"], 0);
    stage.walk(alone("reconnect mira.bakes --no-browser"), &person(MIRA)).done.ok();
    alone("metrics --max-age 0").run().ok();
}
