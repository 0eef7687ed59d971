//! Signing in and out.

use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum_extra::extract::CookieJar;
use connector_core::Secret;
use serde::Deserialize;

use super::extract::Asked;
use super::forms::Button;
use super::forms::Sent;
use super::next::local;
use super::viewer::{COOKIE, Posted, signed};
use super::{Pages, Refused, Shown, browser, page};
use crate::client::Client;
use crate::users::{Answer, Browser, Knock, form_token};

/// The label of the form's token.
const LABEL: &str = "sign-in";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    form_token: Secret,
    /// Where to go afterwards.
    next: Option<String>,
    name: String,
    failed: bool,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub(super) struct Next {
    next: Option<String>,
}

/// Shows the form.
pub(super) async fn show(State(pages): State<Pages>, Asked(Next { next }): Asked<Next>, jar: CookieJar) -> Shown {
    let (jar, browser) = browser::kept(pages.host.context(), &pages.site, jar)?;
    let next = next.filter(|next| local(&pages.site, next).is_some());
    let shown = SignInPage { form_token: form_token(LABEL, &browser), next, name: String::new(), failed: false };
    Ok((jar, page(StatusCode::OK, &shown)).into_response())
}

/// What the form says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    name: String,
    password: String,
    next: Option<String>,
}

/// Looks at a name and a password. Whatever is wrong, the browser is told the same.
pub(super) async fn enter(
    State(pages): State<Pages>,
    client: Option<Extension<Client>>,
    jar: CookieJar,
    request: Request,
) -> Shown {
    // A browser without one gets none here, so no token is right for it.
    let browser = browser::shown(&pages.site, &jar).unwrap_or_else(|| Secret::from(""));
    let token = form_token(LABEL, &browser);
    let sent = Sent::read(request).await?;
    if browser.is_empty() {
        return Err(Refused::old_form());
    }
    let Said { name, password, next } = sent.with(&token).await?;
    let next = next.filter(|next| local(&pages.site, next).is_some());
    let knock = Knock {
        name: name.trim().to_owned(),
        password: Secret::from(password),
        browser: Browser(browser.digest()),
        client: client.map(|Extension(client)| client),
    };
    let status = match pages.door.answer(&pages.host, knock).await? {
        Answer::In(session) => {
            // Whoever was signed in here is no more.
            if let Some((_, before)) = signed(&pages, &jar).await? {
                pages.host.sign_out(&before).await?;
            }
            let jar = COOKIE.set(&pages.site, jar, &session.0);
            return Ok((jar, Redirect::to(next.as_deref().unwrap_or("/"))).into_response());
        }
        Answer::Wrong => StatusCode::UNPROCESSABLE_ENTITY,
        Answer::TooMany => StatusCode::TOO_MANY_REQUESTS,
    };
    Ok(page(status, &SignInPage { form_token: token, next, name, failed: true }))
}

/// Ends the session.
pub(super) async fn leave(
    State(pages): State<Pages>,
    jar: CookieJar,
    Posted(viewer, Button {}): Posted<Button>,
) -> Shown {
    pages.host.sign_out(&viewer.signed).await?;
    Ok((COOKIE.unset(&pages.site, jar), Redirect::to("/sign-in")).into_response())
}
