//! Mistakes in the configuration: each is one clear sentence with file and key, and nothing happens.

use crate::support::{Stage, param};

/// A file with this app in it makes every command that reads it end with these words.
fn app(lines: &str, words: &[&str]) {
    whole(&format!("[platforms.tiktok.apps.default]\n{lines}\n"), words);
}

fn whole(text: &str, words: &[&str]) {
    let stage = Stage::new();
    let file = stage.file("mistake.toml", text);
    for command in ["config check", "list", "connect tiktok --emulator", "metrics --emulator"] {
        let done = stage.live(command).overlay(&file).run();
        done.ends(2, words).ends(2, &["error:", "mistake.toml"]);
    }
    assert_eq!(stage.tiktok.record()["seen"], 0);
    assert!(!stage.realm().join("store.db").exists(), "nothing was made");
}

#[test]
fn a_typo_is_answered_with_the_word_that_was_meant() {
    app("scope = []", &["platforms.tiktok.apps.default", "no key `scope`", "did you mean `scopes`?"]);
}

#[test]
fn a_wrong_type_is_answered_with_the_right_one() {
    app("scopes = \"user.info.basic\"", &["platforms.tiktok.apps.default.scopes", "a list belongs here, not a text"]);
    app("client_id = 12345", &["platforms.tiktok.apps.default.client_id", "put the id in quotes"]);
    app("kind = \"mobile\"", &["`mobile` is not a word for this", "desktop, web"]);
}

#[test]
fn an_unknown_metric_is_answered_with_the_nearest() {
    whole(
        "[platforms.tiktok.scopes.\"user.info.stats\"]\nproduct = \"p\"\ndescription = \"d\"\nfields.user_info = { follower_count = \"metric.folowers\" }\n",
        &["\"user.info.stats\".fields.user_info.follower_count", "folowers", "did you mean `metric.followers`?"],
    );
}

#[test]
fn an_unknown_endpoint_is_answered_with_those_there_are() {
    whole(
        "[platforms.tiktok.scopes.\"user.info.stats\"]\nproduct = \"p\"\ndescription = \"d\"\nfields.user_inf = { follower_count = \"metric.followers\" }\n",
        &["fields.user_inf", "no endpoint `user_inf`", "user_info"],
    );
}

#[test]
fn a_scope_that_no_row_defines_is_refused() {
    app(
        "scopes = [\"user.info.basic\", \"user.info.stat\"]",
        &["`user.info.stat` is not in the catalogue", "did you mean `user.info.stats`?"],
    );
}

#[test]
fn an_app_without_scopes_is_refused() {
    app("scopes = []", &["platforms.tiktok.apps.default.scopes", "one scope at least"]);
}

#[test]
fn an_app_that_could_not_tell_accounts_apart_is_refused() {
    let scopes = "platforms.tiktok.apps.default.scopes";
    app("scopes = [\"user.info.stats\"]", &[scopes, "add `user.info.basic`", "id of an account"]);
    app(
        "pending = [\"user.info.basic\"]",
        &["platforms.tiktok.apps.default.pending", "take `user.info.basic` out", "id of an account"],
    );
}

#[test]
fn a_redirect_uri_that_would_be_sent_otherwise_than_written_is_refused() {
    app(
        "redirect_uri = \"https://Example.com:443\"",
        &["platforms.tiktok.apps.default.redirect_uri", "write it as `https://example.com/`"],
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let secret = "hush9f3kd02mslq";
    let stage = Stage::new();
    let texts = [
        format!("client_secret = \"{secret}\""),
        format!("client_secret = {{ env = \"{secret} \" }}"),
        format!("client_secret = {{ value = \"{secret}\" }}"),
        format!("client_secret = [\"{secret}\"]"),
        format!("client_secret = \"{secret}"),
        format!("client_secret = {secret}"),
        format!("client_secrt = \"{secret}\""),
        format!("scopes = {{ client_secret = \"{secret}\" }}"),
    ];
    for text in texts {
        let file = stage.file("mistake.toml", &format!("[platforms.tiktok.apps.default]\n{text}\n"));
        for command in ["config check", "config show --origin -vv", "list --json -vv", "connect tiktok --emulator -vv"]
        {
            stage.live(command).overlay(&file).run().ends(2, &["mistake.toml"]).without(secret);
        }
    }
    let file = stage.file("mistake.toml", &format!("[platforms.tiktok.apps.default]\nclient_secret = \"{secret}\"\n"));
    stage
        .live("config")
        .overlay(&file)
        .run()
        .ends(2, &["a secret is never written in this file", "{ env = \"NAME\" }"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let stage = Stage::new();
    stage.live("list --overlay nowhere.toml").run().ends(2, &["nowhere.toml", "there is no such file"]);
    stage.bare("list --config nowhere.toml").run().ends(2, &["nowhere.toml", "there is no such file"]);
    stage.bare("list").env("CONNECTOR_CONFIG", "elsewhere.toml").run().ends(2, &["elsewhere.toml"]);
}

#[test]
fn a_file_in_the_current_directory_is_not_read() {
    let stage = Stage::new();
    stage.file("social-platforms.toml", "this is not TOML");
    stage.bare("config check -v").run().ends(0, &["built-in"]).without("social-platforms.toml:");
}

#[test]
fn the_file_in_the_users_configuration_directory_is_read() {
    let stage = Stage::new();
    std::fs::create_dir_all(stage.path(".config/connector-host")).unwrap();
    stage.file(
        ".config/connector-host/social-platforms.toml",
        "[platforms.tiktok.apps.second]\nkind = \"web\"\nscopes = [\"user.info.basic\", \"video.list\"]\n",
    );
    stage.bare("list").run().ends(0, &["app second, web", "asks for user.info.basic, video.list"]);
    stage.bare("config show --origin").run().ends(0, &["platforms.tiktok.apps.second.kind", "social-platforms.toml"]);
}

#[test]
fn a_platform_that_is_not_linked_is_answered_with_those_that_are() {
    let stage = Stage::new();
    for command in ["connect nosuch", "emulator nosuch", "init nosuch", "demo nosuch"] {
        stage.cli(command).run().ends(2, &["no connector for the platform `nosuch`", "linked: lantern, tiktok"]);
    }
    let file = stage.file("more.toml", "[platforms.nosuch.scopes.read]\nproduct = \"p\"\ndescription = \"d\"\n");
    stage.live("list").overlay(&file).run().ends(0, &["nosuch", "no connector is linked"]);
    stage.cli("connect nosuch").overlay(&file).run().ends(2, &["no connector for the platform `nosuch`"]);
}

#[test]
fn a_linked_platform_that_is_not_configured_says_so() {
    let stage = Stage::new();
    let words = ["Lantern is linked but not configured", "[platforms.lantern]"];
    stage.cli("connect lantern").run().ends(2, &words);
    stage.live("list").run().ends(0, &["Lantern (lantern): linked", "no app", "[platforms.lantern.apps.default]"]);
    stage.cli("connect tiktok --app second").run().ends(2, &["second", "default"]);
    stage.live("scopes list lantern").run().ends(2, &["lantern"]);
}

#[test]
fn an_app_without_id_or_secret_names_the_variable() {
    let stage = Stage::new();
    let connect = || stage.live("connect tiktok --print-url");
    connect().run().ends(2, &["client id", "TIKTOK_CLIENT_KEY", "connector-host init tiktok", "--emulator"]);
    connect().env("TIKTOK_CLIENT_KEY", "").run().ends(2, &["TIKTOK_CLIENT_KEY"]);
    connect()
        .env("TIKTOK_CLIENT_KEY", "awkey")
        .run()
        .ends(2, &["client secret", "TIKTOK_CLIENT_SECRET"])
        .without("awkey");
    stage.live("list").run().ends(0, &["not configured", "TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET"]);
    stage.live("connect tiktok --print-url").run().ends(2, &[]);
    assert!(!stage.path("data/emulator/store.db").exists());
}

#[test]
fn an_id_of_digits_alone_is_an_id() {
    let stage = Stage::new();
    let print = |command: &str| {
        let command = stage.live(command).env("TIKTOK_CLIENT_SECRET", "not-shown-anywhere");
        command.env("TIKTOK_CLIENT_KEY", "00123456789012345678")
    };
    let done = print("connect tiktok --print-url").run().ok().without("not-shown-anywhere");
    assert_eq!(param(&done.out.trim().parse().unwrap(), "client_key").as_deref(), Some("00123456789012345678"));
    let file = stage.file("id.toml", "[platforms.tiktok.apps.default]\nclient_id = \"0098765432109876543\"\n");
    let done = print("connect tiktok --print-url").overlay(&file).run().ok();
    assert_eq!(param(&done.out.trim().parse().unwrap(), "client_key").as_deref(), Some("0098765432109876543"));
    print("list").run().ends(0, &["app default, desktop: configured"]).without("not-shown-anywhere");
}

#[test]
fn a_secret_in_a_file_is_read_from_it() {
    let stage = Stage::new();
    let secret = stage.file("secret", "s3cret-in-a-file\n");
    let overlay = format!(
        "[platforms.tiktok.apps.default]\nclient_id = \"k\"\nclient_secret = {{ file = \"{}\" }}\n",
        secret.display()
    );
    let overlay = stage.file("file.toml", &overlay);
    stage.live("connect tiktok --print-url").overlay(&overlay).run().ok().without("s3cret-in-a-file");
    std::fs::remove_file(&secret).unwrap();
    let name = secret.display().to_string();
    stage.live("connect tiktok --print-url").overlay(&overlay).run().ends(2, &["client secret", &name]);
}
