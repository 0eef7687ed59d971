//! What is asked before any page answers, and what every answer says to the browser.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::words::Words;
use super::{Pages, Refused};
use crate::api::harden;
use crate::client::FromHere;
use crate::links::Site;

/// Scripts, styles and pictures of this host alone, nothing inline, no frame. Where forms lead is not limited: browsers would hold that
/// against the platform's own redirects.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Lets nothing be changed by a page of somebody else's, and keeps answers out of caches, frames and referrers.
pub(super) async fn guard(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let for_a_part = is_part(request.headers());
    let mut answer = if reads || is_own_form(&pages.site, &request) {
        next.run(request).await
    } else {
        Refused(StatusCode::FORBIDDEN, Words::foreign_form()).into_response()
    };
    if for_a_part {
        whole_page(&mut answer);
    }
    harden_page(answer.headers_mut());
    answer
}

pub(super) fn harden_page(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Of another origin nobody learns where the browser was; with less, the browser would not say whose form it sends.
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    harden(headers);
}

/// Whether only a part of a page is asked for, which a script puts in place.
pub(super) fn is_part(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

/// What is no part is not put in place of one: the script goes where the answer leads, or loads the page anew.
fn whole_page(answer: &mut Response) {
    if let Some(place) = answer.headers_mut().remove(header::LOCATION) {
        *answer.status_mut() = StatusCode::OK;
        answer.headers_mut().insert("hx-redirect", place);
    } else if !answer.status().is_success() {
        answer.headers_mut().insert("hx-refresh", HeaderValue::from_static("true"));
    }
}

/// Whether a form is of a page of this host: every browser of the last years says so.
fn is_own_form(site: &Site, request: &Request) -> bool {
    is_form_of(&site.public_url().to_string(), request.headers()) || is_form_from_here(request)
}

/// Whether a form is of the page that sets the host up, as this machine calls it: nobody else sees that page.
fn is_form_from_here(request: &Request) -> bool {
    let is_here = matches!(request.extensions().get(), Some(FromHere(true))) && request.uri().path() == "/set-up";
    let name = request.headers().get(header::HOST).and_then(|name| name.to_str().ok()).filter(|_| is_here);
    let is_of = |scheme| name.is_some_and(|name| is_form_of(&format!("{scheme}://{name}"), request.headers()));
    is_of("http") || is_of("https")
}

fn is_form_of(own: &str, headers: &HeaderMap) -> bool {
    let said = |name| headers.get(name).map(HeaderValue::as_bytes);
    let fetch = said(header::HeaderName::from_static("sec-fetch-site"));
    let origin = said(header::ORIGIN);
    let own_origin = origin.map(|origin| origin == own.as_bytes());
    match (fetch, own_origin) {
        (_, Some(false)) | (None, None) => false,
        (fetch, _) => fetch.is_none_or(|site| site == b"same-origin"),
    }
}

/// Whether a person's window came here, and not an image, a frame or a script of some page. Browsers that are old do not say.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    let says = |name: &str, word: &str| headers.get(name).is_none_or(|value| value == word);
    says("sec-fetch-dest", "document") && says("sec-fetch-mode", "navigate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_forms_of_this_hosts_pages_change_anything() {
        let site = "https://connect.example";
        let headers = |origin: Option<&'static str>, fetch: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            origin.map(|origin| headers.insert(header::ORIGIN, HeaderValue::from_static(origin)));
            fetch.map(|fetch| headers.insert("sec-fetch-site", HeaderValue::from_static(fetch)));
            headers
        };
        let own = Some("https://connect.example");
        for (origin, fetch) in [(own, None), (own, Some("same-origin")), (None, Some("same-origin"))] {
            assert!(is_form_of(site, &headers(origin, fetch)), "{origin:?} {fetch:?}");
        }
        for (origin, fetch) in [
            (None, None),
            (Some("null"), None),
            (Some("null"), Some("same-origin")),
            (Some("https://evil.example"), None),
            (Some("http://connect.example"), None),
            (Some("https://connect.example:444"), None),
            (own, Some("cross-site")),
            (own, Some("same-site")),
            (None, Some("cross-site")),
            (None, Some("none")),
        ] {
            assert!(!is_form_of(site, &headers(origin, fetch)), "{origin:?} {fetch:?}");
        }
    }
}
