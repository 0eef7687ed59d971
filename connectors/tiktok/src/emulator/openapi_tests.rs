//! The document says what the emulator is.

use std::collections::BTreeSet;

use axum::routing::MethodFilter;
use serde_json::{Value, json};

use super::DOCUMENT;
use crate::emulator::apps;
use crate::emulator::fields::FIELDS;
use crate::emulator::people::PEOPLE;
use crate::emulator::routes::{ROUTES, Way};
use crate::emulator::switches::Switches;

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// What stands at a place of it.
#[track_caller]
fn at(place: &str) -> Value {
    document().pointer(place).cloned().unwrap_or_else(|| panic!("the document has no {place}"))
}

/// The schema of the body of an admin route.
#[track_caller]
fn body(path: &str) -> Value {
    at(&format!("/paths/{}/post/requestBody/content/application~1json/schema", path.replace('/', "~1")))
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let method = |method| if method == MethodFilter::GET { "get" } else { "post" };
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), method(route.method).to_owned(), matches!(route.way, Way::Guarded(_))))
        .collect();
    let mut described = BTreeSet::new();
    for (path, operations) in at("/paths").as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let guarded = operation["security"] == json!([{"adminToken": []}]);
            described.insert((path.clone(), method.clone(), guarded));
        }
    }
    assert_eq!(described, routes);
    assert_eq!(routes.len(), ROUTES.len());
}

#[test]
fn apps_people_and_fields_are_those_there_are() {
    let apps: Vec<_> = apps::registered().iter().map(|app| app.name).collect();
    let people: Vec<_> = PEOPLE.iter().map(|sheet| sheet.name).collect();
    let fields: Vec<_> = FIELDS.iter().map(|(field, _)| *field).collect();
    assert_eq!(at("/components/schemas/App/properties/name/enum"), json!(apps));
    assert_eq!(at("/components/schemas/Person/properties/name/enum"), json!(people));
    assert_eq!(at("/paths/~1v2~1user~1info~1/get/parameters/0/schema/items/enum"), json!(fields));

    let withdrawal = body("/admin/withdraw");
    assert_eq!(withdrawal["properties"]["person"]["enum"], json!(people));
    assert_eq!(withdrawal["properties"]["app"]["enum"].as_array().unwrap()[..apps.len()], apps);
    assert_eq!(at("/paths/~1admin~1people~1{name}/post/parameters/0/schema/enum"), json!(people));
}

#[test]
fn switches_are_those_there_are_with_their_values() {
    let now = serde_json::to_value(Switches::default()).unwrap();
    let (whole, patch) = (at("/components/schemas/Switches/properties"), at("/components/schemas/SwitchesPatch"));
    assert_eq!(names(&whole), names(&now));
    assert_eq!(names(&patch["properties"]), names(&now));
    let set = |name: &str, value: &Value| Switches::default().merged(&json!({ name: value }));
    for (name, schema) in patch["properties"].as_object().unwrap() {
        for value in schema["enum"].as_array().into_iter().flatten() {
            set(name, value).unwrap();
        }
        if let Some(highest) = schema["maximum"].as_u64() {
            set(name, &json!(highest)).unwrap();
            set(name, &json!(highest + 1)).unwrap_err();
        }
    }
}
