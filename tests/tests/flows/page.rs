//! The Platform Connections page, as a browser without a script has it.

use connector_core::emulator::Consent;
use connector_core::http::RawAnswer;
use http::header::ACCEPT;
use http::{HeaderValue, Method};
use url::Url;

use crate::support::browser::{Browser, sent_on};
use crate::support::house::{House, form_token, text};
use crate::support::{MIRA, declining, param, person, unticking};

const CONNECT: &str = "/platforms/tiktok/default/connect";

/// What a page says, with entities as people read them.
fn read(answer: &RawAnswer) -> String {
    assert_eq!(answer.status, 200, "{}", text(answer));
    text(answer).replace("&#39;", "'").replace("&#38;", "&")
}

/// Presses a button.
fn press(house: &House, browser: &Browser<'_>, path: &str, fields: &[(&str, &str)]) -> RawAnswer {
    let token = house.token(browser);
    browser.submit(&house.at(path), &[&[("form_token", token.as_str())], fields].concat())
}

/// Presses a button that leads to the platform, walks its page, and gives where the browser ends.
fn walk(house: &House, browser: &Browser<'_>, path: &str, fields: &[(&str, &str)], consent: &Consent) -> Url {
    let authorize = sent_on(&house.at(path), &press(house, browser, path, fields));
    let scopes = param(&authorize, "scope").unwrap();
    assert_eq!(scopes.split(',').count(), 6, "{scopes}");
    let back = house.stage.consent_at(&authorize, consent);
    let ended = sent_on(&back, &browser.open(&back));
    assert_eq!(ended.path(), "/connected");
    sent_on(&ended, &browser.open(&ended))
}

fn has(page: &str, words: &[&str]) {
    for words in words {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
fn an_account_is_connected_read_asked_again_and_given_up() {
    let house = House::new();
    let ada = house.signed_in("ada");
    has(
        &read(&ada.open(&house.at("/"))),
        &["Nobody is connected yet", "TikTok", "Account metrics", "video.publish", "Display API"],
    );

    let consent = unticking(MIRA, &["user.info.stats", "video.publish"]);
    let own = walk(&house, &ada, CONNECT, &[("reference", " user-7 ")], &consent);
    assert_eq!(param(&own, "said").as_deref(), Some("connected"));
    let page = read(&ada.open(&own));
    has(
        &page,
        &["Mira Okafor", "user-7", "Connected.", "4 of 6 scopes allowed", "not allowed", "needs user.info.stats"],
    );
    has(&page, &["Re-authenticate", "Not allowed: user.info.stats, video.publish"]);
    assert!(!page.contains("x-signature") && !page.contains("open_id="), "{page}");

    let updated = sent_on(&own, &press(&house, &ada, &format!("{}/metrics", own.path()), &[]));
    assert_eq!(param(&updated, "said").as_deref(), Some("updated"));
    let again = walk(&house, &ada, &format!("{}/reconnect", own.path()), &[], &person(MIRA));
    assert_eq!((again.path(), param(&again, "said").as_deref()), (own.path(), Some("connected")));
    press(&house, &ada, &format!("{}/metrics", own.path()), &[]);
    let list = read(&ada.open(&house.at("/")));
    has(&list, &["6 of 6 scopes allowed", "Followers", "1 284 310", "just now", "available"]);

    let refused = walk(&house, &ada, &format!("{}/reconnect", own.path()), &[], &declining(MIRA));
    has(&read(&ada.open(&refused)), &["You did not allow access", "1 284 310"]);

    let ask = house.at(&format!("{}/disconnect", own.path()));
    has(&read(&ada.open(&ask)), &["Disconnect <bdi>Mira Okafor</bdi>?", "Keep it"]);
    let done = sent_on(&own, &press(&house, &ada, ask.path(), &[]));
    let over = read(&ada.open(&done));
    has(&over, &["has taken the access back", "Disconnected", "Connect again", "1 284 310", "by: ada"]);
    assert!(!over.contains("scopes allowed"), "nothing is allowed any more: {over}");
    let twice = sent_on(&own, &press(&house, &ada, ask.path(), &[]));
    assert_eq!(param(&twice, "said").as_deref(), Some("already_disconnected"));
    house.end();
    house.stage.assert_nothing_leaked();
}

#[test]
fn who_removes_the_app_at_the_platform_is_asked_to_allow_it_again() {
    let house = House::new();
    let ada = house.signed_in("ada");
    let own = walk(&house, &ada, CONNECT, &[], &person(MIRA));
    let emulator = sent_on(&own, &press(&house, &ada, CONNECT, &[])).join("/").unwrap();
    let mira = house.browser();
    let home = mira.open(&emulator);
    has(&read(&home), &["Lets the app", "video.publish, video.upload", "Remove the app"]);
    let kind = text(&home).split_once("name=\"app\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let form = [("form_token", form_token(&home)), ("person", MIRA.to_owned()), ("app", kind)];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(mira.submit(&emulator.join("/settings/remove").unwrap(), &form).status, 302);
    assert!(!read(&mira.open(&emulator)).contains("Remove the app"));

    let updated = sent_on(&own, &press(&house, &ada, &format!("{}/metrics", own.path()), &[]));
    assert_eq!(param(&updated, "said").as_deref(), Some("not_updated"));
    has(&read(&ada.open(&updated)), &["Needs re-authentication", "Re-authenticate"]);
    let again = walk(&house, &ada, &format!("{}/reconnect", own.path()), &[], &person(MIRA));
    assert_eq!((again.path(), param(&again, "said").as_deref()), (own.path(), Some("connected")));
    assert!(!read(&ada.open(&again)).contains("Needs re-authentication"));
}

#[test]
fn a_part_of_a_page_is_given_to_a_script() {
    let house = House::new();
    let ada = house.signed_in("ada");
    let own = walk(&house, &ada, CONNECT, &[], &person(MIRA));
    let (token, url) = (house.token(&ada), house.at(&format!("{}/metrics", own.path())));
    let origin = http::HeaderValue::from_str(&url.origin().ascii_serialization()).unwrap();
    let request = ada.request(Method::POST, &url, "same-origin").header(http::header::ORIGIN, origin);
    let request = request.header("hx-request".parse().unwrap(), http::HeaderValue::from_static("true"));
    let part = read(&ada.send(request.form([("form_token", token.as_str())])));
    assert!(part.starts_with("<article") && !part.contains("<html"), "{part}");
    has(&part, &["1 284 310", "role=\"status\"", "are up to date"]);

    let part_of = |browser: &Browser<'_>, url: &Url| {
        let request = browser.request(Method::GET, url, "same-origin");
        browser.send(request.header("hx-request".parse().unwrap(), http::HeaderValue::from_static("true")))
    };
    let sent = part_of(&house.browser(), &house.at("/"));
    assert_eq!((sent.status, &sent.headers["hx-redirect"]), (200, &"/sign-in?next=%2F".parse().unwrap()));
    let missing = part_of(&ada, &house.at("/connections/none"));
    assert_eq!((missing.status, &missing.headers["hx-refresh"]), (404, &"true".parse().unwrap()));
}

#[test]
fn a_member_sees_and_changes_nothing_of_another_tenant() {
    let house = House::new();
    let (ada, grace) = (house.signed_in("ada"), house.signed_in("grace"));
    let own = walk(&house, &ada, CONNECT, &[], &person(MIRA));
    let theirs = walk(&house, &grace, CONNECT, &[], &person("nova"));
    assert_eq!(grace.open(&theirs).status, 200);
    for query in ["", "?tenant=default", "?tenant="] {
        for path in [own.path().to_owned(), format!("{}/disconnect", own.path()), format!("{}/avatar", own.path())] {
            assert_eq!(grace.open(&house.at(&format!("{path}{query}"))).status, 404, "{path}{query}");
        }
        for what in ["metrics", "reconnect", "disconnect"] {
            let path = format!("{}/{what}{query}", own.path());
            assert_eq!(press(&house, &grace, &path, &[]).status, 404, "{path}");
        }
        let list = read(&grace.open(&house.at(&format!("/{query}"))));
        assert!(list.contains("nova") && !list.contains("Mira"), "{list}");
    }
    assert_eq!(grace.open(&house.at("/settings")).status, 404);
    let unchanged = read(&ada.open(&own));
    has(&unchanged, &["Mira Okafor", "Update metrics"]);
    let list = read(&ada.open(&house.at("/?tenant=acme")));
    assert!(list.contains("nova") && !list.contains("Mira"), "an admin looks at every tenant: {list}");
    assert_eq!(ada.open(&house.at(theirs.path())).status, 404, "of the tenant that is named alone");
    assert_eq!(ada.open(&house.at(&format!("{}?tenant=acme", theirs.path()))).status, 200);
}

#[test]
fn what_cannot_begin_is_said_and_a_list_is_narrowed() {
    let house = House::new();
    let ada = house.signed_in("ada");
    let own = walk(&house, &ada, CONNECT, &[("reference", "user-7")], &person(MIRA));
    let unknown = press(&house, &ada, "/platforms/tiktok/nowhere/connect", &[]);
    assert_eq!(unknown.status, 409);
    has(&text(&unknown), &["Nothing was begun", "nowhere"]);
    let id = own.path().trim_start_matches("/connections/").to_owned();
    for (query, is_there) in [
        ("state=active", true),
        ("state=reauth_required", false),
        ("state=&reference=user-7", true),
        ("reference=user-8", false),
    ] {
        let page = read(&ada.open(&house.at(&format!("/?{query}"))));
        assert_eq!(page.contains(&format!("connection-{id}")), is_there, "{query}");
        assert_eq!(page.contains("No connection is like that"), !is_there, "{query}");
    }
    for query in ["state=none", "after=here", "state=active&after=x"] {
        assert_eq!(ada.open(&house.at(&format!("/?{query}"))).status, 404, "{query}");
    }
    has(&read(&ada.open(&house.at("/?said=%3Cscript%3E"))), &["Connections"]);
}

/// Addresses are kept, sent on and mistyped.
#[test]
fn an_address_that_cannot_be_read_leads_to_a_page() {
    let house = House::new();
    let ada = house.signed_in("ada");
    let addresses = ["/?state=gone", "/?after=x", "/?said=a&said=b", "/connections/%ff", "/users?said=a&said=b"];
    for path in addresses {
        for browser in [&ada, &house.browser()] {
            let answer = browser.open(&house.at(path));
            let is_on = matches!(answer.status, 303 | 404);
            assert!(is_on && !text(&answer).contains("deserialize"), "{path}: {} {}", answer.status, text(&answer));
        }
        has(&text(&ada.open(&house.at(path))), &["<!doctype html>", "There is no such page"]);
    }

    let mistyped = ada.request(Method::GET, &house.at("/conections"), "none");
    let answer = ada.send(mistyped.clone().header(ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8")));
    assert_eq!(answer.status, 404);
    has(&text(&answer), &["<!doctype html>", "There is no such page"]);
    assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("style-src 'self'"));
    let answer = ada.send(mistyped);
    assert_eq!(answer.status, 404);
    assert_eq!(answer.headers["content-type"], "application/problem+json", "no browser asks so");
}

#[test]
fn no_page_may_be_framed_kept_or_filled_from_elsewhere() {
    let house = House::new();
    let (ada, nobody) = (house.signed_in("ada"), house.browser());
    let own = walk(&house, &ada, CONNECT, &[], &person(MIRA));
    let ask = format!("{}/disconnect", own.path());
    for path in
        ["/", "/settings", "/users", "/account", "/sign-in", "/set-up", "/connected", "/nowhere", own.path(), &ask]
    {
        for browser in [&ada, &nobody] {
            let answer = browser.open(&house.at(path));
            let policy = answer.headers["content-security-policy"].to_str().unwrap().to_owned();
            for part in ["default-src 'none'", "frame-ancestors 'none'"] {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
            assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
            let page = text(&answer);
            for inline in ["<script>", " style=", " onclick=", "javascript:", "<style"] {
                assert!(!page.contains(inline), "{path}: {inline}");
            }
        }
    }
}

#[test]
fn looking_at_pages_changes_nothing() {
    let house = House::new();
    let ada = house.signed_in("ada");
    let own = walk(&house, &ada, CONNECT, &[], &person(MIRA));
    let file = connector_host::testing::DatabaseFile::in_dir(&house.stage.realm());
    // In `meta` the host itself keeps, meanwhile, when it was last alive.
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'meta'";
    let tables = file.texts(tables).unwrap();
    let counts = || -> Vec<i64> {
        tables.iter().map(|table| file.number(&format!("SELECT count(*) FROM {table}")).unwrap()).collect()
    };
    let before = counts();
    assert!(tables.len() > 10, "{tables:?}");
    let ask = format!("{}/disconnect", own.path());
    for path in ["/", "/settings", "/users", "/account", "/sign-in", own.path(), &ask, "/?state=active", "/connected"] {
        ada.open(&house.at(path));
    }
    assert_eq!(counts(), before, "{tables:?}");
}
