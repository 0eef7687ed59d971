//! The story that the program tells.

use url::Url;

use crate::support::{LANTERN, Stage, param};

const STORY: [&str; 15] = [
    "1. An emulator of TikTok runs at http://127.0.0.1:",
    "configured, with the emulator's own credentials",
    "2. 3 people connect",
    "scopes = [\"user.info.basic\", \"video.upload\", \"video.publish\", \"video.list\"]",
    "3. Their metrics.",
    "needs user.info.stats, not in the app's list",
    "4. Now the configuration asks for more",
    "This address carries the scopes user.info.basic, user.info.profile,",
    "ask for user.info.profile, user.info.stats",
    "5. Each is asked again, in place",
    "unticks user.info.stats",
    "Asked for, and not granted: user.info.stats.",
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
        assert_eq!(done.err, "", "all of it is the story");
        assert!(!done.out.starts_with('\n') && !done.out.contains("\n\n\n"), "{}", done.out);
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
fn the_commands_in_the_story_print_what_follows_them() {
    let stage = Stage::new();
    let overlay =
        stage.file("more.toml", "[platforms.tiktok.apps.other]\nkind = \"web\"\nscopes = [\"user.info.basic\"]\n");
    let done = stage.bare("demo tiktok --tenant other --data-dir play").overlay(&overlay).run().ok();
    let told = |command: &str| {
        let (line, after) =
            done.out.split_once(&format!("$ connector-host {command}")).unwrap().1.split_once('\n').unwrap();
        (format!("{command}{line}"), after)
    };
    let (command, after) = told("list");
    let out = stage.bare(&command).run().ok().out;
    assert!(after.starts_with(&out), "{command}:\n{out}\n{after}");
    // A count may have grown meanwhile, and an age has: what is the same is whose they are.
    for (command, person) in [("metrics", 0), ("connections", 1)] {
        let (command, after) = told(command);
        let out = stage.bare(&command).run().ends(0, &["Mira Okafor", "nova"]).out;
        let words =
            |text: &str| text.lines().nth(person).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let id = |text: &str| words(text).into_iter().find(|word| word.len() == 36).unwrap();
        assert_eq!(id(&out), id(after), "{command}");
    }
    let (command, after) = told("connect tiktok --print-url");
    let printed: Url = stage.bare(&command).run().ok().out.trim().parse().unwrap();
    let shown: Url = after.lines().next().unwrap().parse().unwrap();
    for name in ["client_key", "scope", "redirect_uri", "code_challenge_method"] {
        assert!(param(&shown, name).is_some(), "{shown}");
        assert_eq!(param(&printed, name), param(&shown, name), "{name}");
    }
    let names = |url: &Url| url.query_pairs().map(|(name, _)| name.into_owned()).collect::<Vec<_>>();
    assert_eq!(names(&printed), names(&shown));
}

#[test]
fn a_story_is_no_data() {
    let stage = Stage::new();
    stage.bare("demo --json --data-dir play").run().ends(2, &["`demo` tells a story", "--json"]);
    assert!(!stage.path("play").exists());
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
