//! `/oauth/authorize`: a plain page with a form, which posts back to the address it was shown at.

use std::fmt::Write as _;

use axum::Form;
use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use connector_core::{AppKind, Result};
use serde::Deserialize;
use url::Url;

use super::people::{APPS, MEMBERS, RegisteredApp, SCOPES, member};
use super::state::Grant;
use super::world::{Code, Shared, World};

const CODE_SECONDS: i64 = 60;

/// What an app asks for.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    client_id: String,
    redirect_uri: Url,
    #[serde(default)]
    response_type: String,
    #[serde(default)]
    scope: String,
    state: Option<String>,
    #[serde(default)]
    code_challenge: String,
    #[serde(default)]
    code_challenge_method: String,
}

/// Where an answer goes: the page itself, or back to the app.
enum Wrong {
    Page(&'static str),
    Callback(&'static str),
}

/// Shows the consent page.
pub(super) async fn show(Query(asked): Query<Asked>) -> Response {
    match asked.check() {
        Ok(app) => Html(page(app, &asked)).into_response(),
        Err(wrong) => refuse(&asked, &wrong),
    }
}

/// Takes what the person decided.
pub(super) async fn decide(
    Extract(world): Extract<Shared>,
    Query(asked): Query<Asked>,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    match asked.check() {
        Ok(_) => decided(&world, &asked, &form)
            .unwrap_or_else(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()),
        Err(wrong) => refuse(&asked, &wrong),
    }
}

fn decided(world: &World, asked: &Asked, form: &[(String, String)]) -> Result<Response> {
    let all = |name: &'static str| form.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str());
    let ticked: Vec<String> =
        asked.scope.split(' ').filter(|scope| all("scope").any(|ticked| ticked == *scope)).map(str::to_owned).collect();
    let Some(person) = all("person").find_map(member) else {
        return Ok(refuse(asked, &Wrong::Page("Choose who you are.")));
    };
    if all("decision").next() != Some("allow") || ticked.is_empty() {
        return Ok(refuse(asked, &Wrong::Callback("access_denied")));
    }
    let grant = Grant { client_id: asked.client_id.clone(), person: person.name.to_owned(), scopes: ticked };
    let code = world.issue_code(Code {
        grant,
        redirect_uri: asked.redirect_uri.to_string(),
        challenge: asked.code_challenge.clone(),
        expires_at: world.now() + CODE_SECONDS,
    })?;
    Ok(asked.back(&[("code", code.expose())]))
}

impl Asked {
    fn check(&self) -> Result<&'static RegisteredApp, Wrong> {
        let app = APPS.iter().find(|app| app.client_id == self.client_id).ok_or(Wrong::Page("No app has this id."))?;
        if !allowed(app.kind, &self.redirect_uri) {
            return Err(Wrong::Page("The app may not send you back there."));
        }
        if self.response_type != "code" {
            return Err(Wrong::Callback("unsupported_response_type"));
        }
        if self.code_challenge_method != "S256" || self.code_challenge.len() != 43 {
            return Err(Wrong::Callback("invalid_request"));
        }
        if !self.scope.split(' ').all(|scope| SCOPES.contains(&scope)) {
            return Err(Wrong::Callback("invalid_scope"));
        }
        Ok(app)
    }

    /// Sends the browser back to the app.
    fn back(&self, params: &[(&str, &str)]) -> Response {
        let mut url = self.redirect_uri.clone();
        url.query_pairs_mut().extend_pairs(params).extend_pairs(self.state.iter().map(|state| ("state", state)));
        Redirect::to(url.as_str()).into_response()
    }
}

fn allowed(kind: AppKind, uri: &Url) -> bool {
    match kind {
        AppKind::Desktop => uri.scheme() == "http" && matches!(uri.host_str(), Some("127.0.0.1" | "[::1]")),
        AppKind::Web => uri.scheme() == "https",
    }
}

fn refuse(asked: &Asked, wrong: &Wrong) -> Response {
    match wrong {
        Wrong::Page(words) => {
            (StatusCode::BAD_REQUEST, Html(format!("<!doctype html><title>Lantern</title><p>{words}</p>")))
                .into_response()
        }
        Wrong::Callback(error) => asked.back(&[("error", error)]),
    }
}

/// The page holds nothing that came with the request but names known here, so there is nothing to escape.
fn page(app: &RegisteredApp, asked: &Asked) -> String {
    let mut page = format!(
        "<!doctype html><title>Lantern</title><h1>Let {} in?</h1><form method=\"post\"><p>You are <select name=\"person\">",
        app.name
    );
    for member in &MEMBERS {
        let _ = write!(page, "<option value=\"{0}\">{0}: {1}</option>", member.name, member.about);
    }
    page.push_str("</select></p>");
    for scope in SCOPES.iter().filter(|known| asked.scope.split(' ').any(|scope| scope == **known)) {
        let _ = write!(
            page,
            "<p><label><input type=\"checkbox\" name=\"scope\" value=\"{scope}\" checked> {scope}</label></p>"
        );
    }
    page.push_str("<button name=\"decision\" value=\"allow\">Allow</button> <button name=\"decision\" value=\"deny\">Cancel</button></form>");
    page
}
