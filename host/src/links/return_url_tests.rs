use std::collections::BTreeSet;

use super::*;

fn allowed() -> ReturnUrls {
    ["https://shop.example/app", "https://other.example"].map(|text| text.parse().unwrap()).into_iter().collect()
}

/// Where an attacker would have the browser go.
const ELSEWHERE: [&str; 12] = [
    "evil.example",
    "shop.example.evil.example",
    "evil.example%2eshop.example",
    "shop.example@evil.example",
    "shop.example:443@evil.example",
    "evil.example:80",
    "127.0.0.1:9",
    "[::1]:9",
    "0x7f000001",
    "2130706433",
    "xn--shp-vna.example",
    "shop.example.",
];

/// What has been read as the beginning of an address by some browser, server or library.
const BEGINNINGS: [&str; 24] = [
    "https://",
    "http://",
    "//",
    "///",
    "////",
    "\\\\",
    "/\\",
    "\\/",
    "https:",
    "https:/",
    "https:///",
    "https:\\\\",
    "HTTPS://",
    " https://",
    "\thttps://",
    "https://\t",
    "ht\ntps://",
    "https%3a//",
    "/%2f",
    "/.//",
    "/..//",
    ";//",
    "javascript://",
    "data://",
];

/// What may come behind it.
const ENDINGS: [&str; 5] = ["", "/app", "/app/..//", "?https://shop.example/app", "#https://shop.example/app"];

/// Addresses of the right server that are not under the path, or that readers disagree about.
const NEAR: [&str; 26] = [
    "https://shop.example",
    "https://shop.example/",
    "https://shop.example/application",
    "https://shop.example/app%2f..",
    "https://shop.example/app\\..",
    "https://shop.example/app/../admin",
    "https://shop.example/app/%2e%2e/admin",
    "https://shop.example/app/.%2E/admin",
    "https://shop.example/app/./x",
    "https://shop.example/ap%70/../x",
    "https://shop.example/%61pp",
    "https://shop.example//app",
    "https://shop.example/APP",
    "http://shop.example/app",
    "https://shop.example:444/app",
    "https://shop.example:443/app",
    "https://user@shop.example/app",
    "https://:@shop.example/app",
    "https://shop.example/app#fragment",
    "https://shop.example/app#",
    "https://SHOP.example/app",
    "https://shop\u{3002}example/app",
    "https://shop.example/app\r\nLocation: https://evil.example",
    "https://shop.example/app\u{0}",
    "https://shop.example/app ",
    "https://shop.example/app?a=\u{e4}",
];

#[test]
fn only_addresses_that_were_named_are_sent_to() {
    for text in [
        "https://shop.example/app",
        "https://shop.example/app/",
        "https://shop.example/app/done",
        "https://shop.example/app/done?user=7&next=%2Fhome",
        "https://shop.example/app?x=https://evil.example",
        "https://other.example",
        "https://other.example/",
        "https://other.example/anything",
    ] {
        assert!(allowed().check(text).is_ok(), "{text}");
        assert!(ReturnUrls::default().check(text).is_err(), "nothing is allowed unless it is named");
    }
}

#[test]
fn nothing_else_is_sent_to() {
    let made = BEGINNINGS.iter().flat_map(|beginning| {
        ELSEWHERE.iter().flat_map(move |place| ENDINGS.iter().map(move |ending| format!("{beginning}{place}{ending}")))
    });
    let corpus: BTreeSet<String> = made.chain(NEAR.map(str::to_owned)).chain([String::new()]).collect();
    assert!(corpus.len() >= 1_000, "{}", corpus.len());
    for text in corpus {
        assert!(allowed().check(&text).is_err(), "{text:?}");
    }
}

#[test]
fn what_is_named_is_an_address_that_can_be_compared() {
    for text in [
        "https://shop.example/app?x",
        "shop.example",
        "https://shop.example/#a",
        "http://shop.example",
        "HTTPS://shop.example/",
    ] {
        assert!(text.parse::<ReturnUrl>().is_err(), "{text}");
    }
    for text in
        ["https://shop.example", "https://shop.example/app", "http://127.0.0.1:3000", "http://localhost:3000/cb"]
    {
        assert!(text.parse::<ReturnUrl>().is_ok(), "{text}");
    }
}
