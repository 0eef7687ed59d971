//! A browser as a person has it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use connector_core::http::{Policy, RawAnswer, Request, Retries};
use http::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderName, HeaderValue, Method};
use url::Url;

use super::web::Web;

/// Keeps cookies, and says where its requests come from. It follows no redirect by itself.
pub(crate) struct Browser<'s> {
    web: &'s Web,
    pub(crate) cookies: RefCell<BTreeMap<String, String>>,
}

impl<'s> Browser<'s> {
    pub(crate) fn new(web: &'s Web) -> Self {
        Self { web, cookies: RefCell::default() }
    }

    /// Goes to an address, as by a click in a mail or a redirect of another site.
    pub(crate) fn open(&self, url: &Url) -> RawAnswer {
        self.send(self.request(Method::GET, url, "cross-site"))
    }

    /// Sends a form of a page of the same site.
    pub(crate) fn submit(&self, url: &Url, fields: &[(&str, &str)]) -> RawAnswer {
        let origin = HeaderValue::from_str(&url.origin().ascii_serialization()).unwrap();
        self.send(self.request(Method::POST, url, "same-origin").header(ORIGIN, origin).form(fields.iter().copied()))
    }

    /// A request of this browser.
    pub(crate) fn request(&self, method: Method, url: &Url, site: &'static str) -> Request {
        let mut request = Request::new(method, url.clone(), Policy { retries: Retries::Never, ..Policy::TOKEN });
        for (name, value) in [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]
        {
            request = request.header(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let cookies: Vec<_> = self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() {
            request
        } else {
            request.header(COOKIE, HeaderValue::from_str(&cookies.join("; ")).unwrap())
        }
    }

    /// Sends it, and keeps the cookies of the answer.
    pub(crate) fn send(&self, request: Request) -> RawAnswer {
        let answer = self.web.wait(self.web.cx.send(request)).unwrap();
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// Where an answer sends the browser.
pub(crate) fn sent_on(from: &Url, answer: &RawAnswer) -> Url {
    assert_eq!((answer.status, answer.body.len()), (303, 0), "{}", String::from_utf8_lossy(&answer.body));
    from.join(answer.headers[LOCATION].to_str().unwrap()).unwrap()
}
