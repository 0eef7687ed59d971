//! `/v2/auth/consent`: takes what a person decided and sends the browser back to the app.

use axum::http::header::SET_COOKIE;
use connector_core::{Result, Secret};

use super::answers::{self, Answer};
use super::apps::BASIC;
use super::authorize::{self, Asked, SESSION, Wrong};
use super::call::Call;
use super::grants::Code;
use super::people;
use super::record::Issued;
use super::redirect;
use super::world::Scene;

/// Takes the form of the consent page, once.
pub(super) fn decide(scene: &mut Scene<'_>, call: &Call) -> Result<Answer> {
    let now = scene.now;
    let pending = &mut scene.run().pending;
    pending.retain(|asked| asked.expires_at > now);
    let form = call.form();
    let id = form.as_ref().and_then(|form| form.get("request")).unwrap_or_default();
    let place = pending.iter().position(|asked| asked.id == id);
    let (Some(asked), Some(form)) = (place.and_then(|place| pending.remove(place)), form) else {
        return authorize::refuse_to(scene, Wrong::REQUEST, None, None);
    };
    if form.get("decision") != Some("authorize") {
        return deny(&asked);
    }
    let Some(person) = form.get("person").and_then(people::named) else {
        return authorize::refuse_to(scene, Wrong::REQUEST, None, None);
    };
    if scene.apps.iter().any(|app| app.name == asked.app && !app.admits(person.name)) {
        let refused =
            authorize::refuse_to(scene, Wrong::NOT_A_TARGET, Some(&asked.redirect_uri), asked.state.as_deref())?;
        return Ok(refused.about(asked.app, Some(person.name)));
    }
    let ticked = |scope: &String| scope == BASIC || form.all("scope").any(|ticked| ticked == scope);
    let scopes: Vec<String> = asked.scopes.iter().filter(|scope| ticked(scope)).cloned().collect();
    if scopes.is_empty() {
        return deny(&asked);
    }
    let cookie = format!("{SESSION}={}; Path=/; HttpOnly; SameSite=Lax", person.name);
    grant(scene, &asked, person.name, scopes)?.header(SET_COOKIE, &cookie)
}

/// Sends the browser back with a code for these scopes.
pub(super) fn grant(scene: &mut Scene<'_>, asked: &Asked, person: &str, scopes: Vec<String>) -> Result<Answer> {
    let now = scene.now;
    let value = Secret::new(format!("{}*1!5012.va", scene.random_text()?.expose()));
    let mut params = vec![("code", value.expose().to_owned()), ("scopes", scopes.join(","))];
    params.extend(asked.state.clone().map(|state| ("state", state)));
    let answer = back(asked, &params, "granted")?.about(asked.app, Some(person));
    let app = asked.app.to_owned();
    let state = scene.change();
    let expires_at = now + i64::from(state.switches.code_lifetime_seconds);
    let code = Code {
        app: app.clone(),
        person: person.to_owned(),
        scopes,
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.challenge.clone(),
        expires_at,
    };
    state.codes.insert(value.digest(), code);
    scene.run().issued.push(Issued { kind: "code", app, person: Some(person.to_owned()), at: now, value });
    Ok(answer)
}

fn deny(asked: &Asked) -> Result<Answer> {
    let mut params = vec![("error", "access_denied".to_owned()), ("error_description", "User denied".to_owned())];
    params.extend(asked.state.clone().map(|state| ("state", state)));
    Ok(back(asked, &params, "denied")?.about(asked.app, None))
}

fn back(asked: &Asked, params: &[(&str, String)], outcome: &str) -> Result<Answer> {
    let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // It was parsed when the request was checked.
    let location = redirect::with_params(&asked.redirect_uri, &params).unwrap_or_default();
    answers::found(&location, outcome)
}
