//! The admin routes: what there is, what was handed out, the clock and the switches.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answers::{self, Answer};
use super::call::Call;
use super::fields::{self, FIELDS, Subject};
use super::people::{PEOPLE, Sheet};
use super::world::Scene;

const TEN_YEARS: i64 = 10 * 366 * 86_400;

/// Apps, people, grants and switches. No token, not even its digest.
pub(super) fn state(scene: &mut Scene<'_>, _: &Call) -> Answer {
    let state = scene.state();
    let switches = to_json(&state.switches);
    let apps: Vec<_> = scene
        .apps
        .iter()
        .map(|app| {
            json!({
                "name": app.name,
                "about": app.about,
                "kind": app.kind.as_str(),
                "client_key": app.client_key,
                "scopes": app.scopes(&state.switches),
            })
        })
        .collect();
    let body = json!({
        "now": scene.now,
        "founded_at": state.founded_at,
        "clock_offset_seconds": state.clock_offset_seconds,
        "port": state.port,
        "apps": apps,
        "people": PEOPLE.iter().map(|sheet| person(scene, sheet)).collect::<Vec<_>>(),
        "grants": grants(scene),
        "switches": switches,
    });
    answers::plain(StatusCode::OK, &body)
}

/// Somebody, with everything the API could say about them.
pub(super) fn person(scene: &Scene<'_>, sheet: &'static Sheet) -> Value {
    let open_ids: Map<_, _> =
        scene.apps.iter().map(|app| (app.name.to_owned(), json!(sheet.open_id(app.name)))).collect();
    let subject = Subject { app: "", sheet, now: scene.now };
    let shown =
        FIELDS.iter().map(|(field, _)| *field).filter(|field| !matches!(*field, "open_id" | "profile_deep_link"));
    let fields: Map<_, _> =
        shown.map(|field| (field.to_owned(), fields::value(field, subject, scene.state()))).collect();
    json!({"name": sheet.name, "about": sheet.about, "open_ids": open_ids, "fields": fields})
}

fn grants(scene: &Scene<'_>) -> Vec<Value> {
    let state = scene.state();
    let all = state.grants.iter().map(|(id, grant)| {
        let mut value = to_json(grant);
        value["id"] = json!(id);
        value["open_id"] =
            json!(PEOPLE.iter().find(|sheet| sheet.name == grant.person).map(|sheet| sheet.open_id(&grant.app)));
        let access = state.access_tokens.values().filter(|token| token.grant == *id).map(|token| token.expires_at);
        let refresh = state.refresh_tokens.values().filter(|token| token.grant == *id && token.replaced_at.is_none());
        value["access_expires_at"] = json!(access.max());
        value["refresh_expires_at"] = json!(refresh.map(|token| token.expires_at).max());
        value
    });
    all.collect()
}

/// Every code and token of this run, in the clear.
pub(super) fn issued(scene: &mut Scene<'_>, _: &Call) -> Answer {
    let row = |issued: &super::record::Issued| {
        json!({
            "kind": issued.kind,
            "app": issued.app,
            "person": issued.person,
            "at": issued.at,
            "value": issued.value.expose(),
        })
    };
    let body = json!({"issued": scene.issued().iter().map(row).collect::<Vec<_>>()});
    answers::plain(StatusCode::OK, &body)
}

/// The requests seen.
pub(super) fn record(scene: &mut Scene<'_>, _: &Call) -> Answer {
    answers::plain(StatusCode::OK, &to_json(scene.record()))
}

/// The refreshes of each grant: as strict as a platform can be about them.
pub(super) fn refreshes(scene: &mut Scene<'_>, _: &Call) -> Answer {
    let record = scene.record();
    let body = json!({"refreshes": record.refreshes, "reuses": record.reuses, "grants": record.grants()});
    answers::plain(StatusCode::OK, &body)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    advance_seconds: i64,
}

/// Moves the clock.
pub(super) fn clock(scene: &mut Scene<'_>, call: &Call) -> Answer {
    let Clock { advance_seconds } = match call.json() {
        Ok(clock) => clock,
        Err(wrong) => return answers::sentence(StatusCode::BAD_REQUEST, &wrong),
    };
    let offset = scene.state().clock_offset_seconds.saturating_add(advance_seconds);
    if !(-TEN_YEARS..=TEN_YEARS).contains(&offset) {
        return answers::sentence(StatusCode::BAD_REQUEST, "the clock stays within ten years of the machine's");
    }
    scene.now += offset - scene.state().clock_offset_seconds;
    scene.change().clock_offset_seconds = offset;
    answers::plain(StatusCode::OK, &json!({"now": scene.now, "clock_offset_seconds": offset}))
}

/// Merges JSON into the switches.
pub(super) fn switches(scene: &mut Scene<'_>, call: &Call) -> Answer {
    let merged = call.json::<Value>().and_then(|patch| scene.state().switches.merged(&patch));
    let switches = match merged {
        Ok(switches) => switches,
        Err(wrong) => return answers::sentence(StatusCode::BAD_REQUEST, &wrong),
    };
    let body = to_json(&switches);
    scene.change().switches = switches;
    answers::plain(StatusCode::OK, &body)
}

/// Plain data has a JSON form; were it to fail, null would show it.
fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
