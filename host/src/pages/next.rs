//! Where somebody goes who has signed in.

use crate::links::Site;

/// The longest path that is followed.
const LONGEST: usize = 2048;

/// The path, if it is one of this host and nothing that a browser could take for another one's address.
pub(super) fn local<'p>(site: &Site, path: &'p str) -> Option<&'p str> {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_path = path.starts_with('/') && !path.starts_with("//") && path.len() <= LONGEST;
    let home = site.public_url().at("/");
    let stays = || home.join(path).is_ok_and(|url| url.origin() == home.origin() && !url.path().starts_with("//"));
    (is_plain && is_path && stays()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::ReturnUrls;

    #[test]
    fn only_a_path_of_this_host_is_followed() {
        let site = Site::new("https://connect.example".parse().unwrap(), ReturnUrls::default());
        for path in ["/", "/settings", "/connections/1?tenant=acme&a=%2F%2Fevil.example", "/a/../b", "/?next=//x"] {
            assert_eq!(local(&site, path), Some(path));
        }
        let long = format!("/{}", "a".repeat(LONGEST));
        for path in [
            "",
            "settings",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/ /evil.example",
            "/\u{0}",
            "/\u{7f}",
            "/ä",
            "/.//evil.example",
            "/a/..//evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "?next=/",
            "#",
            "@evil.example",
            ".evil.example",
            &long,
        ] {
            assert_eq!(local(&site, path), None, "{path:?}");
        }
    }
}
