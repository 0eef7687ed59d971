//! What somebody who has signed in can do about it: the password, and where else they are signed in.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use connector_core::Secret;
use serde::Deserialize;

use super::counts::When;
use super::extract::Asked;
use super::forms::Button;
use super::frame::{Frame, address};
use super::said::{Done, Said};
use super::viewer::{COOKIE, Posted, Viewer};
use super::words::sentence;
use super::{Pages, Refused, Shown, browser, page};
use crate::client::Client;
use crate::error::Error;
use crate::users::{Answer, Browser, Knock};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    said: Option<Said>,
    sessions: Vec<Session>,
    error: Option<String>,
}

struct Session {
    /// When it began, when it was used last, and when it ends at the latest.
    times: [When; 3],
    is_this: bool,
}

/// Shows it.
pub(super) async fn show(State(pages): State<Pages>, Asked(done): Asked<Done>, viewer: Viewer) -> Shown {
    account(&pages, viewer, done.said(), None).await
}

async fn account(pages: &Pages, viewer: Viewer, said: Option<Said>, error: Option<String>) -> Shown {
    let (status, now) =
        (if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, pages.host.context().now());
    let own = viewer.signed.session.digest.clone();
    let all = pages.host.sessions_of(&viewer.signed.user).await?;
    let sessions = all.into_iter().map(|session| Session {
        times: [
            When::of(session.created_at, now),
            When::of(session.last_seen_at, now),
            When::ahead(session.expires_at, now),
        ],
        is_this: session.digest == own,
    });
    let sessions = sessions.collect();
    Ok(page(status, &AccountPage { frame: Frame::new(pages, viewer, "/account"), said, sessions, error }))
}

/// What the form says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    current: String,
    password: String,
}

/// Changes the viewer's own password. Every session of theirs ends, and a new one begins in this browser.
pub(super) async fn password(
    State(pages): State<Pages>,
    client: Option<Extension<Client>>,
    jar: CookieJar,
    Posted(viewer, form): Posted<NewPassword>,
) -> Shown {
    let (cx, user) = (pages.host.context(), viewer.signed.user.clone());
    let (jar, browser) = browser::kept(cx, &pages.site, jar)?;
    let knock = |password: &str| Knock {
        name: user.name.clone(),
        password: Secret::from(password),
        browser: Browser(browser.digest()),
        client: client.as_ref().map(|Extension(client)| *client),
    };
    let is_right = pages.door.confirm(&pages.host, user.clone(), knock(&form.current)).await;
    if !is_right? {
        let why = "The current password is not right, or there were too many tries: wait a minute and try again.";
        return account(&pages, viewer, None, Some(why.to_owned())).await;
    }
    match viewer.host(&pages.host).set_password(&user, Secret::from(form.password.as_str())).await {
        Ok(()) => {}
        Err(Error::Request(why)) => {
            return account(&pages, viewer, None, Some(sentence(&why))).await;
        }
        Err(error) => return Err(Refused::from(error)),
    }
    let entered = pages.door.answer(&pages.host, knock(&form.password)).await?;
    let jar = match entered {
        Answer::In(session) => COOKIE.set(&pages.site, jar, &session.0),
        Answer::Wrong | Answer::TooMany => COOKIE.unset(&pages.site, jar),
    };
    Ok((jar, back_to("/account", "password_changed")).into_response())
}

/// Ends the viewer's other sessions.
pub(super) async fn end_others(State(pages): State<Pages>, Posted(viewer, Button {}): Posted<Button>) -> Shown {
    let own = viewer.signed.session.digest.as_str();
    viewer.host(&pages.host).end_sessions(&viewer.signed.user, Some(own)).await?;
    Ok(back_to("/account", "signed_out_elsewhere"))
}

/// To a page, after something was done there, with the word for it.
pub(super) fn back_to(path: &str, word: &str) -> Response {
    Redirect::to(&address(path, None, &[("said", word)])).into_response()
}
