//! Redirect URIs: which an app may name, and how the browser is sent back to one.

use connector_core::AppKind;
use connector_core::http::is_loopback;
use url::Url;

use super::switches::{RedirectRules, Switches};

const LONGEST: usize = 511;

/// Whether the app may name this redirect URI.
pub(super) fn allowed(kind: AppKind, uri: &str, switches: &Switches) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    let plain =
        uri.len() <= LONGEST && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let https = url.scheme() == "https";
    let web = https || url.scheme() == "http";
    plain
        && match (kind, switches.redirect_rules) {
            (AppKind::Desktop, RedirectRules::Lenient) => web && is_loopback(&url),
            (AppKind::Web, RedirectRules::Lenient) => https || (web && is_loopback(&url)),
            (AppKind::Desktop, RedirectRules::Strict) => {
                web && is_loopback(&url) && url.query().is_none() && listed(&switches.desktop_redirect_uris, uri)
            }
            (AppKind::Web, RedirectRules::Strict) => {
                https && !is_loopback(&url) && url.query().is_none() && listed(&switches.web_redirect_uris, uri)
            }
        }
}

/// The redirect URI with these parameters added, encoded as TikTok does it: `*` and `!` too.
pub(super) fn with_params(uri: &str, params: &[(&str, &str)]) -> Option<String> {
    let mut url = Url::parse(uri).ok()?;
    let ours = params.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&");
    let query = match url.query() {
        Some(theirs) if !theirs.is_empty() => format!("{theirs}&{ours}"),
        _ => ours,
    };
    url.set_query(Some(&query));
    Some(url.into())
}

/// Form encoding that leaves letters, digits and `-._~` alone.
pub(super) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn listed(registered: &[String], uri: &str) -> bool {
    registered.is_empty() || registered.iter().any(|pattern| matches(pattern, uri))
}

/// Letter by letter, but for a port of `*`.
fn matches(pattern: &str, uri: &str) -> bool {
    match pattern.split_once(":*") {
        None => pattern == uri,
        Some((before, after)) => uri.strip_prefix(before).and_then(|rest| rest.strip_prefix(':')).is_some_and(|rest| {
            let port = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            port > 0 && &rest[port..] == after
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: AppKind, rules: RedirectRules, uri: &str, expected: bool) {
        let switches = Switches { redirect_rules: rules, ..Switches::default() };
        assert_eq!(allowed(kind, uri, &switches), expected, "{kind} {rules:?} {uri}");
    }

    #[test]
    fn rules_follow_the_kind_of_app() {
        use AppKind::{Desktop, Web};
        use RedirectRules::{Lenient, Strict};
        check(Desktop, Lenient, "http://127.0.0.1:4000/callback", true);
        check(Desktop, Lenient, "http://localhost/callback", true);
        check(Desktop, Lenient, "https://app.example/callback", false);
        check(Desktop, Lenient, "http://127.0.0.1.evil.example/", false);
        check(Desktop, Lenient, "javascript:alert(1)", false);
        check(Desktop, Strict, "http://127.0.0.1:4000/oauth/callback/tiktok/default", true);
        check(Desktop, Strict, "http://127.0.0.1/oauth/callback/tiktok/default", false);
        check(Desktop, Strict, "http://127.0.0.1:4000/oauth/callback/tiktok/default/", false);
        check(Web, Lenient, "http://localhost:3000/callback", true);
        check(Web, Lenient, "http://app.example/callback", false);
        check(Web, Strict, "https://app.example/callback", true);
        check(Web, Strict, "https://app.example/callback?a=1", false);
        check(Web, Strict, "https://localhost/callback", false);
        check(Web, Lenient, "https://app.example/callback#there", false);
    }

    #[test]
    fn codes_are_encoded_as_tiktok_does() {
        let back = with_params("http://127.0.0.1:1/cb?x=1", &[("code", "a*1!5012.va"), ("scopes", "a,b")]);
        assert_eq!(back.as_deref(), Some("http://127.0.0.1:1/cb?x=1&code=a%2A1%215012.va&scopes=a%2Cb"));
        assert_eq!(encode("User denied"), "User+denied");
    }
}
