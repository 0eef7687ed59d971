//! An admin's browser.

use std::sync::Arc;

use connector_core::Context;
use connector_core::http::{Policy, RawAnswer, Request, ReqwestTransport, Retries};
use connector_host::testing::Outcome;
use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use http::{HeaderValue, Method};
use url::Url;

/// Somebody who has signed in.
pub(crate) struct Browser {
    cx: Context,
    base: Url,
    cookie: String,
}

impl Browser {
    pub(crate) async fn sign_in(base: Url, name: &str, password: &str) -> Outcome<Self> {
        let cx = Context::system(Arc::new(ReqwestTransport::new()));
        let mut browser = Self { cx, base, cookie: String::new() };
        let shown = browser.get("/sign-in").await?;
        browser.cookie = cookie(&shown)?;
        let page = String::from_utf8_lossy(&shown.body).into_owned();
        let token = between(&page, "name=\"form_token\" value=\"", "\"").ok_or("no token")?;
        let origin = HeaderValue::from_str(&browser.base.origin().ascii_serialization())?;
        let request = browser.request(Method::POST, "/sign-in")?.header(ORIGIN, origin);
        let entered =
            browser.cx.send(request.form([("form_token", token), ("name", name), ("password", password)])).await?;
        browser.cookie = cookie(&entered)?;
        Ok(browser)
    }

    /// The places of so many pages of a list, from this one on.
    pub(crate) async fn walk(&self, first: &str, pages: usize) -> Outcome<Vec<String>> {
        let mut places = vec![first.to_owned()];
        while places.len() < pages {
            let page = self.text(&places[places.len() - 1]).await?;
            let more = between(&page, "id=\"more-link\" href=\"", "\"").ok_or("too few pages")?;
            places.push(more.replace("&#38;", "&").replace("&amp;", "&"));
        }
        Ok(places)
    }

    /// The place of the first connection of a list.
    pub(crate) async fn first_connection(&self, list: &str) -> Outcome<String> {
        let page = self.text(list).await?;
        let own = between(&page, "<a href=\"/connections/", "\"").ok_or("no connection")?;
        Ok(format!("/connections/{own}"))
    }

    pub(crate) async fn open_all(&self, places: &[String]) -> Outcome {
        for place in places {
            self.get(place).await?;
        }
        Ok(())
    }

    async fn text(&self, place: &str) -> Outcome<String> {
        Ok(String::from_utf8(self.get(place).await?.body)?)
    }

    async fn get(&self, place: &str) -> Outcome<RawAnswer> {
        let answer = self.cx.send(self.request(Method::GET, place)?).await?;
        if answer.is_success() { Ok(answer) } else { Err(format!("{place}: {}", answer.status).into()) }
    }

    fn request(&self, method: Method, place: &str) -> Outcome<Request> {
        let request = Request::new(method, self.base.join(place)?, Policy { retries: Retries::Never, ..Policy::READ });
        Ok(if self.cookie.is_empty() { request } else { request.header(COOKIE, HeaderValue::from_str(&self.cookie)?) })
    }
}

fn cookie(answer: &RawAnswer) -> Outcome<String> {
    let set = answer.headers.get(SET_COOKIE).ok_or("no cookie")?.to_str()?;
    Ok(set.split(';').next().unwrap_or_default().to_owned())
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}
