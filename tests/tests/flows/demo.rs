//! The story that the program tells.

use crate::support::{LANTERN, Stage};

const STORY: [&str; 12] = [
    "1. An emulator of TikTok runs at http://127.0.0.1:",
    "2. The app asks for little: user.info.basic, video.upload, video.publish, video.list.",
    "3. Their metrics.",
    "needs user.info.stats, not in the app's list",
    "4. Now the configuration asks for more",
    "scope=user.info.basic,user.info.profile,user.info.stats,video.upload,video.publish,video.list",
    "asking again would also ask for user.info.profile, user.info.stats",
    "5. Each is asked again, in place",
    "unticks user.info.stats",
    "6. Their metrics again",
    "needs user.info.stats, not granted",
    "7. That was all.",
];

#[test]
fn the_demo_tells_its_story_twice_in_a_row_and_without_certificates() {
    let stage = Stage::new();
    let demo = || stage.bare("demo tiktok --data-dir play").env("SSL_CERT_FILE", "/none").env("SSL_CERT_DIR", "/none");
    for _ in 0..2 {
        let done = demo().run().ends(0, &STORY);
        let places: Vec<_> = STORY.iter().map(|words| done.out.find(words).unwrap()).collect();
        assert!(places.is_sorted(), "the story is told in order:\n{}", done.out);
        let followers = done.out.rsplit("6. Their metrics again").next().unwrap();
        assert!(followers.contains("1 284 "), "{followers}");
        assert!(done.out.contains("$ connector-host connect tiktok --reference mira"), "{}", done.out);
    }
}

#[test]
fn the_commands_that_the_demo_leaves_behind_work() {
    let stage = Stage::new();
    let done = stage.bare("demo tiktok --data-dir play").run().ok();
    let last = done.out.rsplit("7. That was all.").next().unwrap();
    let commands: Vec<&str> = last.lines().filter_map(|line| line.strip_prefix("$ connector-host ")).collect();
    assert!(commands.len() >= 2, "{last}");
    for command in commands.iter().filter(|command| !command.starts_with("connect ")) {
        stage.bare(command).run().ends(0, &["Mira Okafor"]);
    }
}

#[test]
fn the_demo_removes_nothing_that_it_did_not_make() {
    let stage = Stage::new();
    std::fs::create_dir_all(stage.path("play/demo")).unwrap();
    stage.file("play/demo/precious", "keep me");
    stage.bare("demo tiktok --data-dir play").run().ends(2, &["is in the way", "--data-dir"]);
    assert_eq!(std::fs::read_to_string(stage.path("play/demo/precious")).unwrap(), "keep me");
}

#[test]
fn any_connector_with_a_tour_can_tell_the_story() {
    let stage = Stage::new();
    let done = stage.bare("demo lantern --data-dir play").overlay(LANTERN).run();
    done.ends(0, &["An emulator of Lantern", "needs stats:read", "Ada", "1 204", "7. That was all."]);
}
