//! The consent page, connect links and the last page in a real browser: Chromium, driven over the `WebDriver` protocol.
//!
//! Without `chromium` and `chromedriver` on this machine the tests pass and say so, unless `CONNECTOR_TESTS_REQUIRE` names `chromium`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod driver;
#[path = "../flows/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the other flows use the rest of it")]
mod support;

use self::driver::Browser;
use self::support::Stage;

#[test]
fn a_click_in_a_browser_connects_the_account() {
    let stage = Stage::new();
    let Some(browser) = Browser::open(&stage) else { return };
    let mut running = stage.cli("connect tiktok --no-browser").start();
    browser.visit(&running.url());
    browser.click("input[name=person][value=jonas]");
    browser.click("input[name=scope][value='video.list']");
    browser.screenshot("consent");
    browser.click("button[value=authorize]");
    assert_eq!(browser.text("main.well h1"), "Connected");
    assert!(browser.text("main").contains("Jonas is connected."), "{}", browser.text("main"));
    browser.screenshot("done");
    assert!(browser.url().path() == "/done" && browser.url().query().is_none(), "the code is gone from the address");
    running.done().ends(0, &["Connected Jonas (tiktok)", "Asked for, and not granted: video.list."]);

    let row = stage.metrics("");
    assert_eq!(row["metrics"]["followers"]["value"], stage.tiktok.field("jonas", "follower_count"));
    stage
        .cli("connections show jonas_8841")
        .run()
        .ends(0, &["video.list         not_granted", "user.info.stats    granted"]);
    stage.cli("metrics -vv --max-age 0").run().ok();
    stage.assert_nothing_leaked();
}

#[test]
fn a_browser_that_has_consented_is_asked_again_only_to_reconnect() {
    let stage = Stage::new();
    let Some(browser) = Browser::open(&stage) else { return };
    let connect = |command: &str| {
        let mut running = stage.cli(command).start();
        browser.visit(&running.url());
        running
    };
    let first = connect("connect tiktok --no-browser");
    browser.click("input[name=person][value=noor]");
    browser.click("button[value=authorize]");
    browser.text("main.well h1");
    first.done().ok();

    let second = connect("connect tiktok --no-browser");
    assert!(browser.text("main.well").contains("is connected."), "the page is passed over");
    second.done().ok();

    let third = connect("reconnect noor.moon --no-browser");
    browser.screenshot("consent-again");
    assert!(browser.is_selected("input[name=person][value=noor]"), "who is logged in is chosen");
    browser.click("button[value=authorize]");
    browser.text("main.well h1");
    third.done().ends(0, &["Reconnected"]);
    assert_eq!(stage.connections().len(), 1);
}

#[test]
fn a_click_on_cancel_connects_nothing() {
    let stage = Stage::new();
    let Some(browser) = Browser::open(&stage) else { return };
    let mut running = stage.cli("connect tiktok --no-browser").start();
    browser.visit(&running.url());
    browser.click("button[value=cancel]");
    assert_eq!(browser.text("main.ill h1"), "Not connected");
    assert!(browser.text("main").contains("the person did not allow access"), "{}", browser.text("main"));
    browser.screenshot("cancelled");
    running.done().ends(3, &["the person did not allow access"]);
    assert!(stage.connections().is_empty());
}

#[test]
fn a_person_without_a_login_connects_by_a_link_and_may_try_again() {
    let stage = Stage::new();
    let Some(browser) = Browser::open(&stage) else { return };
    let mut serve = stage.cli("serve --listen 127.0.0.1:0 --json --every 1h").start();
    serve.document();
    let link = stage.cli("links create tiktok --reference user-7 --json").run().ok().json();
    let url = link["url"].as_str().unwrap().parse().unwrap();
    browser.visit(&url);
    assert_eq!(browser.text("h1"), "Connect your TikTok account");
    browser.screenshot("link");
    browser.click("form button");
    browser.click("input[name=person][value=jonas]");
    browser.click("button[value=cancel]");
    assert!(browser.text("main.ill").contains("You did not allow access"), "{}", browser.text("main"));
    browser.screenshot("link-declined");

    browser.click("form button");
    browser.click("input[name=person][value=jonas]");
    browser.click("button[value=authorize]");
    assert!(browser.text("main.well").contains("Jonas is connected."), "{}", browser.text("main"));
    browser.screenshot("link-connected");
    assert!(browser.url().query().is_none(), "the code is gone from the address");
    assert_eq!(stage.connections()[0]["reference"], "user-7");
    browser.visit(&url);
    assert!(browser.text("main").contains("has been used"), "{}", browser.text("main"));
    serve.terminate();
    serve.done().ends(0, &[]);
}
