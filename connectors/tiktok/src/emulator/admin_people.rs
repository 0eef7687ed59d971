//! The admin routes that change people: their fields, and what they allowed.

use axum::http::StatusCode;
use connector_core::Result;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::admin;
use super::answers::{self, Answer};
use super::call::Call;
use super::people::{self, CountEdit, Edits, PEOPLE};
use super::world::Scene;

const COUNTS: [&str; 4] = ["follower_count", "following_count", "likes_count", "video_count"];
const TEXTS: [&str; 3] = ["display_name", "username", "bio_description"];

/// More than anybody has of anything, and within what every reader of JSON reads as it is.
const LARGEST: i64 = 100_000_000_000_000;

/// `POST /admin/people/{name}`: `{"follower_count": 5, "video_count": {"add": 3}, "bio_description": ""}`. `null` puts a field back.
pub(super) fn edit(scene: &mut Scene<'_>, call: &Call) -> Answer {
    let Some(sheet) = people::named(call.tail()) else { return nobody(call.tail()) };
    let edits = scene.state().edits(sheet.name).cloned().unwrap_or_default();
    let edited = call.json::<Map<String, Value>>().and_then(|changes| changes.iter().try_fold(edits, change));
    match edited {
        Err(wrong) => answers::sentence(StatusCode::BAD_REQUEST, &wrong),
        Ok(edits) => {
            *scene.change().edits_mut(sheet.name) = edits;
            answers::plain(StatusCode::OK, &admin::person(scene, sheet))
        }
    }
}

fn change(mut edits: Edits, (field, value): (&String, &Value)) -> Result<Edits, String> {
    let (count, text) = (COUNTS.contains(&field.as_str()), TEXTS.contains(&field.as_str()));
    match value {
        _ if !count && !text && field != "is_verified" => {
            return Err(format!(
                "`{field}` cannot be changed; {}, {} and is_verified can",
                COUNTS.join(", "),
                TEXTS.join(", ")
            ));
        }
        Value::Null => {
            edits.counts.remove(field);
            edits.fields.remove(field);
        }
        Value::String(_) if text => drop(edits.fields.insert(field.clone(), value.clone())),
        Value::Bool(_) if !count && !text => drop(edits.fields.insert(field.clone(), value.clone())),
        _ if count => change_count(&mut edits, field, value)?,
        _ => return Err(format!("`{field}` takes {}", if text { "a text" } else { "true or false" })),
    }
    Ok(edits)
}

fn change_count(edits: &mut Edits, field: &str, value: &Value) -> Result<(), String> {
    match (value.as_i64(), moved(value)) {
        (Some(set), _) if (0..=LARGEST).contains(&set) => {
            edits.counts.insert(field.to_owned(), CountEdit::Set(set));
        }
        (None, Some(by)) if (-LARGEST..=LARGEST).contains(&by) => edits.add(field, by),
        _ => return Err(format!("`{field}` takes a number from 0 to {LARGEST}, or {{\"add\": number}}")),
    }
    Ok(())
}

/// What `{"add": number}` adds; `None` for anything else.
fn moved(value: &Value) -> Option<i64> {
    value.as_object().filter(|object| object.len() == 1)?.get("add")?.as_i64()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Withdrawal {
    person: String,
    /// One app's name; every app's without it.
    app: Option<String>,
    /// What they no longer allow; everything without it.
    scopes: Option<Vec<String>>,
}

/// `POST /admin/withdraw`: somebody takes back what they allowed, in the platform's own settings.
pub(super) fn withdraw(scene: &mut Scene<'_>, call: &Call) -> Answer {
    let Withdrawal { person, app, scopes } = match call.json() {
        Ok(withdrawal) => withdrawal,
        Err(wrong) => return answers::sentence(StatusCode::BAD_REQUEST, &wrong),
    };
    if people::named(&person).is_none() {
        return nobody(&person);
    }
    if let Some(app) = app.as_deref().filter(|name| scene.apps.iter().all(|app| app.name != *name)) {
        return no_app(scene, app);
    }
    let now = scene.now;
    let changed = match scopes {
        Some(scopes) => scene.change().withdraw(app.as_deref(), &person, &scopes),
        None => scene.change().end_grants(app.as_deref(), &person, now),
    };
    answers::plain(StatusCode::OK, &json!({"changed": changed}))
}

fn no_app(scene: &Scene<'_>, name: &str) -> Answer {
    let names: Vec<_> = scene.apps.iter().map(|app| app.name).collect();
    let sentence = format!("no app here is called `{}`; there are {}", name.escape_debug(), names.join(", "));
    answers::sentence(StatusCode::NOT_FOUND, &sentence)
}

fn nobody(name: &str) -> Answer {
    let names: Vec<_> = PEOPLE.iter().map(|sheet| sheet.name).collect();
    let sentence = format!("nobody here is called `{}`; there are {}", name.escape_debug(), names.join(", "));
    answers::sentence(StatusCode::NOT_FOUND, &sentence)
}
