//! `/v2/auth/authorize/`: checks what an app asks for and shows the consent page.

use axum::http::StatusCode;
use connector_core::{AppKind, Result};

use super::answers::{self, Answer};
use super::apps::{BASIC, RegisteredApp, describe};
use super::call::{Call, Params};
use super::consent;
use super::page::{self, Consent, PersonRow, Refused, ScopeRow};
use super::people::PEOPLE;
use super::redirect;
use super::switches::{PreConsentErrors, Switches, WebPkce};
use super::world::Scene;

/// The cookie that says who is logged in.
pub(super) const SESSION: &str = "emulator_person";
pub(super) const ERROR_PATH: &str = "/v2/auth/error";
const PENDING_SECONDS: i64 = 600;

/// A request that was found good and waits for its person.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Names it on the consent page.
    pub(super) id: String,
    pub(super) app: &'static str,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) challenge: Option<String>,
    pub(super) expires_at: i64,
}

/// What is wrong with a request, as TikTok spells it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wrong {
    pub(super) error: &'static str,
    pub(super) error_type: &'static str,
}

const fn wrong(error: &'static str, error_type: &'static str) -> Wrong {
    Wrong { error, error_type }
}

impl Wrong {
    const CLIENT_KEY: Self = wrong("unauthorized_client", "client_key");
    const RESPONSE_TYPE: Self = wrong("unsupported_response_type", "response_type");
    const REDIRECT_URI: Self = wrong("invalid_request", "redirect_uri");
    const SCOPE: Self = wrong("invalid_scope", "scope");
    const CHALLENGE: Self = wrong("invalid_request", "code_challenge");
    pub(super) const NOT_A_TARGET: Self = wrong("access_denied", "non_sandbox_target");
    pub(super) const REQUEST: Self = wrong("invalid_request", "request");
}

/// What the error page says about an item.
pub(super) fn explain(error_type: &str) -> &'static str {
    match error_type {
        "client_key" => "The client key is unknown, or its app has not been reviewed yet.",
        "response_type" => "The response type is not `code`.",
        "redirect_uri" => "The redirect URI is missing, or the app may not use it.",
        "scope" => "The scope is missing, or names something that was not added to the app.",
        "code_challenge" => {
            "The code challenge is missing, or is not the lower-case hex SHA-256 of a verifier with method S256."
        }
        "non_sandbox_target" => "This person is not a target user of the app in sandbox mode.",
        "request" => "This page is no longer valid. Go back to the app and start again.",
        _ => "The request was refused.",
    }
}

/// Shows the consent page, or passes it over for somebody who allowed all this before.
pub(super) fn show(scene: &mut Scene<'_>, call: &Call) -> Result<Answer> {
    let query = call.query();
    let Some(app) = query.get("client_key").and_then(|key| scene.app(key)) else {
        return refuse(scene, Wrong::CLIENT_KEY, AppKind::Desktop, &query);
    };
    let (name, kind) = (app.name, app.kind);
    let mut asked = match check(app, &query, &scene.state().switches) {
        Ok(asked) => asked,
        Err(wrong) => return Ok(refuse(scene, wrong, kind, &query)?.about(name, None)),
    };
    let session = call.cookie(SESSION).filter(|person| PEOPLE.iter().any(|sheet| sheet.name == *person));
    if let Some(person) = session
        && query.get("disable_auto_auth").is_none_or(|value| value == "0")
        && scene.state().covers(name, person, &asked.scopes, scene.now)
    {
        let scopes = asked.scopes.clone();
        return consent::grant(scene, &asked, person, scopes);
    }
    scene.random_text()?.expose().clone_into(&mut asked.id);
    asked.expires_at = scene.now + PENDING_SECONDS;
    let answer = ask(scene, &asked, session)?.about(name, None);
    scene.put_aside(asked);
    Ok(answer)
}

/// The page at [`ERROR_PATH`].
pub(super) fn error_page(_: &mut Scene<'_>, call: &Call) -> Result<Answer> {
    let query = call.query();
    let (error, error_type) = (query.get("error").unwrap_or_default(), query.get("error_type").unwrap_or_default());
    let page = page::render(&Refused { error, error_type, explanation: explain(error_type) })?;
    Ok(answers::html(StatusCode::BAD_REQUEST, page, "shown"))
}

/// Sends the browser where the switches say that an error before consent is told.
pub(super) fn refuse(scene: &Scene<'_>, wrong: Wrong, kind: AppKind, query: &Params) -> Result<Answer> {
    let uri = query.get("redirect_uri").filter(|uri| redirect::allowed(kind, uri, &scene.state().switches));
    refuse_to(scene, wrong, uri, query.get("state"))
}

/// The same, with the redirect URI found good before.
pub(super) fn refuse_to(
    scene: &Scene<'_>,
    wrong: Wrong,
    redirect_uri: Option<&str>,
    state: Option<&str>,
) -> Result<Answer> {
    let mut params = vec![("error", wrong.error), ("error_type", wrong.error_type)];
    let back = redirect_uri.filter(|_| scene.state().switches.pre_consent_errors == PreConsentErrors::Redirect);
    let location = match back {
        Some(uri) => {
            params.extend(state.map(|state| ("state", state)));
            redirect::with_params(uri, &params)
        }
        None => Some(format!("{ERROR_PATH}?error={}&error_type={}", wrong.error, wrong.error_type)),
    };
    answers::found(&location.unwrap_or_else(|| ERROR_PATH.to_owned()), wrong.error_type)
}

fn check(app: &RegisteredApp, query: &Params, switches: &Switches) -> Result<Asked, Wrong> {
    if !app.reviewed {
        return Err(Wrong::CLIENT_KEY);
    }
    if query.get("response_type") != Some("code") {
        return Err(Wrong::RESPONSE_TYPE);
    }
    let redirect_uri = query.get("redirect_uri").filter(|uri| redirect::allowed(app.kind, uri, switches));
    let redirect_uri = redirect_uri.ok_or(Wrong::REDIRECT_URI)?.to_owned();
    Ok(Asked {
        id: String::new(),
        app: app.name,
        redirect_uri,
        state: query.get("state").map(str::to_owned),
        scopes: scopes(app, query, switches)?,
        challenge: challenge(app.kind, query, switches)?,
        expires_at: 0,
    })
}

/// Every scope asked for, once; one that the app does not hold refuses them all.
fn scopes(app: &RegisteredApp, query: &Params, switches: &Switches) -> Result<Vec<String>, Wrong> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in query.get("scope").unwrap_or_default().split(',').map(str::trim) {
        if !app.holds(scope, switches) {
            return Err(Wrong::SCOPE);
        }
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

fn challenge(kind: AppKind, query: &Params, switches: &Switches) -> Result<Option<String>, Wrong> {
    if kind == AppKind::Web && switches.web_pkce == WebPkce::Ignored {
        return Ok(None);
    }
    let hex = |text: &&str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let challenge = query.get("code_challenge").filter(hex);
    match (challenge, query.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) => Ok(Some(challenge.to_owned())),
        _ => Err(Wrong::CHALLENGE),
    }
}

fn ask(scene: &Scene<'_>, asked: &Asked, session: Option<&str>) -> Result<Answer> {
    let chosen = session.unwrap_or(PEOPLE[0].name);
    let row = |name| ScopeRow { name, description: describe(name), mandatory: name == BASIC };
    let page = page::render(&Consent {
        request: &asked.id,
        app: asked.app,
        returns_to: &asked.redirect_uri,
        people: people(scene, Some(chosen)),
        scopes: asked.scopes.iter().map(|scope| row(scope.as_str())).collect(),
    })?;
    Ok(answers::html(StatusCode::OK, page, "shown"))
}

/// Everybody, as a page lists them.
pub(super) fn people(scene: &Scene<'_>, chosen: Option<&str>) -> Vec<PersonRow> {
    let display_name = |name: &str| {
        let edits = scene.state().edits(name)?;
        edits.fields.get("display_name")?.as_str().map(str::to_owned)
    };
    PEOPLE
        .iter()
        .map(|sheet| PersonRow {
            name: sheet.name,
            display_name: display_name(sheet.name).unwrap_or_else(|| sheet.display_name.to_owned()),
            about: sheet.about,
            chosen: chosen == Some(sheet.name),
        })
        .collect()
}
