//! `/v2/user/info/`: the asked fields of whoever a token stands for, or nothing at all.

use axum::http::header::RETRY_AFTER;
use connector_core::{Result, Secret};
use serde_json::{Map, Value, json};

use super::answers::{self, Answer, Rejection};
use super::call::Call;
use super::derive::{self, MIXED};
use super::fields::{self, Subject};
use super::grants::Grant;
use super::people;
use super::state::State;
use super::switches::{MissingScope, UnknownFields};
use super::world::Scene;

/// Answers who somebody is.
pub(super) fn answer(scene: &mut Scene<'_>, call: &Call) -> Result<Answer> {
    let now = scene.now;
    let token = call.bearer().unwrap_or_default();
    let Some((_, grant)) = scene.state().grant_of(token, now) else {
        return answers::reject(scene, Rejection::TOKEN);
    };
    let grant = grant.clone();
    let query = call.query();
    let asked = query.get("fields").unwrap_or_default();
    let answer = if admitted(scene, token) {
        match choose(asked, &grant, scene.state()) {
            Ok(fields) => answers::envelope(scene, &json!({"user": user(scene, &grant, &fields)?})),
            Err(rejection) => answers::reject(scene, rejection),
        }
    } else {
        limited(scene)
    };
    Ok(answer?.about(&grant.app, Some(&grant.person)).detail(asked))
}

fn admitted(scene: &mut Scene<'_>, token: &str) -> bool {
    let (limit, now) = (scene.state().switches.user_info_per_minute, scene.now);
    let key = Secret::from(token).digest();
    scene.run().limiter.admit(&key, limit, now)
}

fn limited(scene: &Scene<'_>) -> Result<Answer> {
    let answer = answers::reject(scene, Rejection::RATE)?;
    match scene.state().switches.retry_after_seconds {
        Some(seconds) => answer.header(RETRY_AFTER, &seconds.to_string()),
        None => Ok(answer),
    }
}

/// The fields to answer. One field that does not exist, or whose scope was not granted, refuses the whole call.
fn choose<'a>(asked: &'a str, grant: &Grant, state: &State) -> Result<Vec<&'a str>, Rejection> {
    let mut chosen = Vec::new();
    let mut uncovered = false;
    for field in asked.split(',') {
        match fields::scope_of(field, state) {
            Some(scope) => uncovered |= !grant.scopes.iter().any(|held| held == scope),
            None if state.switches.unknown_fields == UnknownFields::Ignore && !asked.is_empty() => continue,
            None => return Err(Rejection::PARAMS),
        }
        chosen.push(field);
    }
    match (uncovered, state.switches.missing_scope) {
        (false, _) => Ok(chosen),
        (true, MissingScope::ScopeNotAuthorized) => Err(Rejection::SCOPE),
        (true, MissingScope::ScopePermissionMissed) => Err(Rejection::SCOPE_MISSED),
    }
}

fn user(scene: &Scene<'_>, grant: &Grant, chosen: &[&str]) -> Result<Map<String, Value>> {
    let Some(sheet) = people::named(&grant.person) else { return Ok(Map::new()) };
    let subject = Subject { app: &grant.app, sheet, now: scene.now };
    let mut user = Map::new();
    for field in chosen {
        let value = match *field {
            "profile_deep_link" => deep_link(scene)?,
            field => fields::value(field, subject, scene.state()),
        };
        user.insert((*field).to_owned(), value);
    }
    Ok(user)
}

/// Another link with every call, as TikTok does.
fn deep_link(scene: &Scene<'_>) -> Result<Value> {
    let seed = hex::encode(scene.random_bytes::<8>()?);
    Ok(json!(format!("https://vm.tiktok.com/ZS{}/", derive::text(MIXED, &["deep_link", &seed], 7))))
}
