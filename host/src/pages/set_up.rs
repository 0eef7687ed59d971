//! Making the first admin, from this machine alone and with the token that `serve` has told.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use connector_core::Secret;
use serde::Deserialize;

use super::forms::Sent;
use super::words::{Words, sentence};
use super::{Pages, Refused, Shown, page};
use crate::client::FromHere;
use crate::error::Error;
use crate::users::SetUp;

#[derive(Default, Template)]
#[template(path = "set_up.html")]
struct SetUpPage {
    file: String,
    token: String,
    name: String,
    error: Option<String>,
}

type Here = Option<Extension<FromHere>>;

/// Shows the form.
pub(super) async fn show(State(pages): State<Pages>, here: Here) -> Shown {
    let set_up = open(&pages, here).await?;
    Ok(page(StatusCode::OK, &SetUpPage { file: set_up.file().display().to_string(), ..SetUpPage::default() }))
}

/// What the form says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    token: String,
    name: String,
    password: String,
}

/// Makes the admin.
pub(super) async fn make(State(pages): State<Pages>, here: Here, request: Request) -> Shown {
    let set_up = open(&pages, here).await?;
    let Said { token, name, password } = Sent::read(request).await?.without_token().await?;
    if !set_up.admits(pages.host.context(), &Secret::from(token.trim())) {
        return Err(Refused(StatusCode::FORBIDDEN, Words::no_set_up_token()));
    }
    match pages.host.create_first_admin(name.trim().to_owned(), Secret::from(password)).await {
        Ok(Some(_)) => {
            set_up.end();
            Ok(Redirect::to(pages.site.public_url().at("/sign-in").as_str()).into_response())
        }
        Ok(None) if pages.host.has_admin().await? => Err(Refused::nothing_here()),
        Ok(None) => {
            let error = Some("There is a user of this name already: choose another name.".to_owned());
            Ok(again(&set_up, token, name, error))
        }
        Err(Error::Request(why)) => Ok(again(&set_up, token, name, Some(sentence(&why)))),
        Err(error) => Err(Refused::from(error)),
    }
}

fn again(set_up: &SetUp, token: String, name: String, error: Option<String>) -> axum::response::Response {
    let file = set_up.file().display().to_string();
    page(StatusCode::UNPROCESSABLE_ENTITY, &SetUpPage { file, token, name, error })
}

/// The token, as long as there is something to set up. For others than this machine there is nothing.
async fn open(pages: &Pages, here: Here) -> Result<Arc<SetUp>, Refused> {
    let Some(Extension(FromHere(true))) = here else { return Err(Refused::nothing_here()) };
    let has_admin = pages.host.has_admin().await?;
    let set_up = pages.set_up.as_ref().filter(|_| !has_admin);
    set_up.map(Arc::clone).ok_or_else(Refused::nothing_here)
}
