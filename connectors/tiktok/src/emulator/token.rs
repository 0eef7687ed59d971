//! `/v2/oauth/token/`: exchanges codes and refresh tokens, once each.

use connector_core::{Error, Result, Secret};
use serde_json::{Value, json};

use super::answers::{self, Answer, Refusal};
use super::apps::RegisteredApp;
use super::call::{Call, Params};
use super::derive::sha256_hex;
use super::grants::{Code, Pair, Refreshable};
use super::people;
use super::record::Issued;
use super::world::Scene;

/// Why there is no token.
#[derive(Debug)]
pub(super) enum Stop {
    /// The platform says no.
    Refused(Refusal),
    /// The emulator itself is in trouble.
    Trouble(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Trouble(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What is to be answered, and for whom.
struct Tokens {
    app: String,
    person: Option<String>,
    body: Value,
}

/// Answers a token request. Only forms are read.
pub(super) fn answer(scene: &mut Scene<'_>, call: &Call) -> Result<Answer> {
    let Some(form) = call.form().filter(|form| !form.repeats()) else {
        return answers::refuse(scene, Refusal::MALFORMED);
    };
    let grant_type = form.get("grant_type").unwrap_or_default().to_owned();
    let tokens = match grant_type.as_str() {
        "authorization_code" => exchange(scene, &form),
        "refresh_token" => refresh(scene, &form),
        "client_credentials" => client(scene, &form),
        "" => Err(Refusal::MALFORMED.into()),
        _ => Err(Refusal::GRANT_TYPE.into()),
    };
    match tokens {
        Ok(tokens) => {
            Ok(answers::flat(scene, &tokens.body)?.about(tokens.app, tokens.person.as_deref()).detail(grant_type))
        }
        Err(Stop::Trouble(error)) => Err(error),
        Err(Stop::Refused(refusal)) => {
            let app = form.get("client_key").and_then(|key| scene.app(key)).map(|app| app.name);
            let refused = answers::refuse(scene, refusal)?.detail(grant_type);
            Ok(match app {
                Some(app) => refused.about(app, None),
                None => refused,
            })
        }
    }
}

/// The app that the request proves to come from.
pub(super) fn authenticate<'a>(scene: &Scene<'a>, form: &Params) -> Result<&'a RegisteredApp, Refusal> {
    let key = form.get("client_key").ok_or(Refusal::MALFORMED)?;
    let secret = form.get("client_secret").ok_or(Refusal::SECRET_MISSING)?;
    let app = scene.apps.iter().find(|app| app.client_key == key).ok_or(Refusal::CLIENT)?;
    if app.client_secret.matches(secret) { Ok(app) } else { Err(Refusal::CLIENT) }
}

/// The code is looked at before the credentials, as TikTok does: they cannot be tried out without a consent.
fn exchange(scene: &mut Scene<'_>, form: &Params) -> Result<Tokens, Stop> {
    let needed = |name| form.get(name).ok_or(Refusal::MALFORMED);
    let (presented, redirect_uri) = (Secret::from(needed("code")?), needed("redirect_uri")?);
    let code = scene.state().codes.get(&presented.digest()).filter(|code| code.expires_at > scene.now);
    let code = code.cloned().ok_or(Refusal::CODE)?;
    if authenticate(scene, form)?.name != code.app {
        return Err(Refusal::CODE.into());
    }
    if code.redirect_uri != redirect_uri {
        return Err(Refusal::REDIRECT_URI.into());
    }
    if !proven(&code, form.get("code_verifier")) {
        return Err(Refusal::PKCE.into());
    }
    let (pair, now) = (pair(scene)?, scene.now);
    let state = scene.change();
    state.codes.remove(&presented.digest());
    let grant = state.open_grant(code, now);
    state.store_pair(grant, &pair, now);
    Ok(hand_out(scene, grant, &pair))
}

/// Whether the verifier fits the challenge: its SHA-256 in lower-case hex, whatever the standard says.
fn proven(code: &Code, verifier: Option<&str>) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    code.challenge.as_ref().is_none_or(|challenge| {
        verifier.is_some_and(|verifier| {
            (43..=128).contains(&verifier.len()) && verifier.chars().all(legal) && sha256_hex(verifier) == *challenge
        })
    })
}

fn refresh(scene: &mut Scene<'_>, form: &Params) -> Result<Tokens, Stop> {
    let sent = Secret::from(form.get("refresh_token").ok_or(Refusal::MALFORMED)?);
    let now = scene.now;
    let grant = match scene.state().refreshable(&sent, now) {
        Refreshable::Yes(grant) => grant,
        Refreshable::Unknown => return Err(Refusal::REFRESH_TOKEN.into()),
        Refreshable::Reused(grant) => {
            scene.run().record.reuses += 1;
            scene.change().grants.entry(grant).and_modify(|grant| grant.reuses += 1);
            return Err(Refusal::REFRESH_TOKEN.into());
        }
    };
    let app = authenticate(scene, form)?;
    if scene.state().grants.get(&grant).is_none_or(|grant| grant.app != app.name) {
        return Err(Refusal::REFRESH_TOKEN.into());
    }
    let fresh = pair(scene)?;
    let state = scene.change();
    let pair = state.rotate(&sent, grant, fresh, now);
    state.grants.entry(grant).and_modify(|grant| grant.refreshes += 1);
    scene.run().record.refreshes += 1;
    Ok(hand_out(scene, grant, &pair))
}

/// A token for the app itself. It reaches nothing here.
fn client(scene: &mut Scene<'_>, form: &Params) -> Result<Tokens, Stop> {
    let app = authenticate(scene, form)?.name.to_owned();
    let value = Secret::new(format!("clt.{}", scene.random_text()?.expose()));
    let body = json!({"access_token": value.expose(), "expires_in": 7200, "token_type": "Bearer"});
    let at = scene.now;
    scene.run().issued.push(Issued { kind: "client_token", app: app.clone(), person: None, at, value });
    Ok(Tokens { app, person: None, body })
}

fn pair(scene: &Scene<'_>) -> Result<Pair> {
    let (access, refresh) = (scene.random_text()?, scene.random_text()?);
    Ok(Pair {
        access: Secret::new(format!("act.{}!5012.va", access.expose())),
        refresh: Secret::new(format!("rft.{}!5020.va", refresh.expose())),
    })
}

/// Notes the pair and writes the answer. Lifetimes are what is left of them.
fn hand_out(scene: &mut Scene<'_>, grant: u64, pair: &Pair) -> Tokens {
    let (state, at) = (scene.state(), scene.now);
    let left = |until: Option<i64>| until.unwrap_or(at) - at;
    let (app, person, scope) = state
        .grants
        .get(&grant)
        .map(|grant| (grant.app.clone(), grant.person.clone(), grant.scopes.join(",")))
        .unwrap_or_default();
    let body = json!({
        "access_token": pair.access.expose(),
        "expires_in": left(state.access_tokens.get(&pair.access.digest()).map(|token| token.expires_at)),
        "open_id": people::named(&person).map(|sheet| sheet.open_id(&app)),
        "refresh_token": pair.refresh.expose(),
        "refresh_expires_in": left(state.refresh_tokens.get(&pair.refresh.digest()).map(|token| token.expires_at)),
        "scope": scope,
        "token_type": "Bearer",
    });
    scene.run().record.handed_out(grant, &pair.refresh);
    for (kind, value) in [("access_token", &pair.access), ("refresh_token", &pair.refresh)] {
        let issued = Issued { kind, app: app.clone(), person: Some(person.clone()), at, value: value.clone() };
        scene.run().issued.push(issued);
    }
    Tokens { app, person: Some(person), body }
}
