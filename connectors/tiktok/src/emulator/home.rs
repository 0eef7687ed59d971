//! `/`: who is here and what they allowed; and `/settings/remove`, where somebody takes it back as in the platform's own settings.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use connector_core::{Result, Secret};

use super::answers::{self, Answer};
use super::authorize;
use super::call::Call;
use super::page::{self, Allowed, AppRow, Home};
use super::people;
use super::world::Scene;

/// Shows it.
pub(super) fn show(scene: &mut Scene<'_>, _: &Call) -> Result<Answer> {
    let form_token = form_token(scene)?;
    let people = authorize::people(scene, None).into_iter().map(|person| {
        let allowed = allowed(scene, person.name);
        (person, allowed)
    });
    let apps = scene.apps.iter().map(|app| AppRow { name: app.name, about: app.about, client_key: &app.client_key });
    let (people, apps) = (people.collect(), apps.collect());
    let page = page::render(&Home { apps, people, form_token: form_token.expose() })?;
    Ok(answers::html(StatusCode::OK, page, "shown"))
}

/// Takes back what somebody allowed an app. Nobody but the page above knows the token of its forms.
pub(super) fn remove(scene: &mut Scene<'_>, call: &Call) -> Result<Answer> {
    let own = form_token(scene)?;
    let Some(form) = call.form().filter(|form| form.get("form_token").is_some_and(|sent| own.matches(sent))) else {
        let why = "this form is not of a page of this run: open the page again";
        return Ok(answers::sentence(StatusCode::FORBIDDEN, why));
    };
    let app = form.get("app").filter(|name| scene.apps.iter().any(|app| app.name == *name));
    let (Some(person), Some(app)) = (form.get("person").and_then(people::named), app) else {
        return Ok(answers::sentence(StatusCode::NOT_FOUND, "there is no such person or app here"));
    };
    let now = scene.now;
    scene.change().end_grants(Some(app), person.name, now);
    answers::found("/", "removed")
}

/// Each app that a person lets in, with what it may do.
fn allowed(scene: &Scene<'_>, person: &str) -> Vec<Allowed> {
    let mut apps = BTreeMap::<&str, BTreeSet<&str>>::new();
    for grant in scene.state().grants.values().filter(|grant| grant.ended_at.is_none() && grant.person == person) {
        apps.entry(&grant.app).or_default().extend(grant.scopes.iter().map(String::as_str));
    }
    let row = |(app, scopes): (&str, BTreeSet<&str>)| Allowed {
        app: app.to_owned(),
        scopes: scopes.into_iter().collect::<Vec<_>>().join(", "),
    };
    apps.into_iter().map(row).collect()
}

/// What the forms of the page carry, the same for the whole run.
fn form_token(scene: &mut Scene<'_>) -> Result<Secret> {
    if scene.run().form_token.is_none() {
        scene.run().form_token = Some(scene.random_text()?);
    }
    Ok(scene.run().form_token.clone().unwrap_or_else(|| Secret::from(String::new())))
}
