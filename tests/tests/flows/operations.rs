//! Every operation that the API says it has, for whoever may not have what it gives. What there is comes from the description that is served,
//! so that an operation that is added is among them.

use std::collections::{BTreeMap, BTreeSet};

use connector_core::http::RawAnswer;
use connector_host::Right;
use http::Method;
use serde_json::{Map, Value, json};

use crate::support::api::{Api, REDIRECT, fine, key, refused};
use crate::support::{MIRA, person};

/// Those that any key may ask, for they tell of no tenant.
const FOR_ANY_KEY: &str = "platforms";

/// An operation of the description, with what stands in its path and its body filled in.
struct Operation {
    name: String,
    method: Method,
    path: String,
    body: Option<Value>,
    /// What of one tenant its path names.
    names: BTreeSet<String>,
    is_for_any_key: bool,
}

/// A host with a tenant that has one of everything, and its description.
struct World {
    api: Api,
    document: Value,
    /// What may stand in a path or a body, by the name it has there.
    things: BTreeMap<&'static str, String>,
}

impl World {
    fn new() -> Self {
        let api = Api::new("all");
        let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
        // Somebody who answers that there is no such thing.
        let url = api.stage.tiktok.base.join("hooks").unwrap().to_string();
        let receiver = id(&fine(&api.post("event-receivers", &json!({ "url": url }))));
        let connection = id(&api.connect(MIRA));
        fine(&api.get(&format!("connections/{connection}/metrics")));
        let link = id(&fine(&api.post("connect-links", &json!({ "platform": "tiktok" }))));
        let event = id(&fine(&api.get("events"))["events"][0]);
        let start = json!({ "platform": "tiktok", "redirect_uri": REDIRECT });
        let (flow, query) = api.flow(&start, |url| api.stage.consent_at(url, &person(MIRA)));
        let document = fine(&api.send(Method::GET, "openapi.json", "", None, None));
        let things = BTreeMap::from([
            ("connection", connection),
            ("event", event),
            ("flow", flow),
            ("link", link),
            ("receiver", receiver),
            ("metric", "followers".to_owned()),
            ("platform", "tiktok".to_owned()),
            ("query", query),
            ("redirect_uri", REDIRECT.to_owned()),
            ("url", url),
            ("file", String::new()),
        ]);
        Self { api, document, things }
    }

    fn thing(&self, name: &str, operation: &str) -> &str {
        let known = self.things.get(name);
        known.unwrap_or_else(|| {
            panic!("`{operation}` takes a `{name}`: have the tenant make one, and say it in `World::new`")
        })
    }

    /// What a name in the description leads to.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let Some(name) = schema["$ref"].as_str() else { return schema };
        self.document.pointer(name.trim_start_matches('#')).unwrap()
    }

    /// A body with what an operation cannot do without.
    fn body(&self, operation: &Value, name: &str) -> Option<Value> {
        let schema = operation.pointer("/requestBody/content/application~1json/schema")?;
        let required = self.resolved(schema)["required"].as_array().cloned().unwrap_or_default();
        let fields = required.iter().map(|field| field.as_str().unwrap());
        Some(fields.map(|field| (field.to_owned(), json!(self.thing(field, name)))).collect::<Map<_, _>>().into())
    }

    fn operation(&self, path: &str, method: &str, described: &Value) -> Operation {
        let name = described["operationId"].as_str().unwrap().to_owned();
        let mut names: BTreeSet<String> = BTreeSet::new();
        let parts = path.trim_start_matches('/').split('/').map(|part| {
            let Some(thing) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else { return part };
            names.insert(thing.to_owned());
            self.thing(thing, &name)
        });
        let path = parts.collect::<Vec<_>>().join("/");
        // Of these there is nothing that is one tenant's.
        names.retain(|name| name != "platform" && name != "metric");
        Operation {
            method: method.to_uppercase().parse().unwrap(),
            body: self.body(described, &name),
            is_for_any_key: described["tags"] == json!([FOR_ANY_KEY]),
            name,
            path,
            names,
        }
    }

    fn operations(&self) -> Vec<Operation> {
        let paths = self.document["paths"].as_object().unwrap().iter();
        let all = paths.flat_map(|(path, methods)| {
            methods.as_object().unwrap().iter().map(move |(method, described)| (path, method, described))
        });
        // What stands beside the methods is said of all of them.
        let all = all.filter(|(_, _, described)| described.get("operationId").is_some());
        all.map(|(path, method, described)| self.operation(path, method, described)).collect()
    }

    fn send(&self, operation: &Operation, key: &str) -> RawAnswer {
        self.api.send(operation.method.clone(), &operation.path, key, None, operation.body.as_ref())
    }

    /// A key of the other tenant.
    fn other(&self, name: &str, rights: &str) -> String {
        key(&self.api.stage, name, &format!("--tenant other --rights {rights}"))
    }
}

/// The ids in an answer.
fn ids(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| ids(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| ids(field, found)),
        Value::String(text) if text.starts_with("evt_") || (text.len() == 36 && text.matches('-').count() == 4) => {
            found.insert(text.clone());
        }
        _ => {}
    }
}

#[test]
fn each_operation_is_described_once_and_by_names_of_its_own() {
    let world = World::new();
    let operations = world.operations();
    let names: BTreeSet<_> = operations.iter().map(|operation| &operation.name).collect();
    assert_eq!(names.len(), operations.len(), "each operation has a name of its own");
    assert!(operations.len() >= 24, "{}", operations.len());
    let schemas = &world.document["components"]["schemas"];
    for (page, list) in [("ConnectionPage", "connections"), ("AuditPage", "records"), ("ConnectLinkPage", "links")] {
        assert!(schemas[page]["properties"].get(list).is_some(), "each type has a name of its own: {page}");
    }
    let api = world.api;
    refused(&api.get("nowhere"), 404, "not_found");
    refused(&api.send(Method::GET, "nowhere", "", None, None), 401, "no_key");
    refused(&api.send(Method::DELETE, "connections", &api.key, None, None), 405, "method_not_allowed");
    api.end();
}

#[test]
fn nothing_is_told_without_a_key_and_nothing_done_without_its_right() {
    let world = World::new();
    let nothing = world.other("nothing", "audit:read");
    world.api.stage.by_others("UPDATE api_keys SET rights = '[]' WHERE name = 'nothing'");
    let single: Vec<_> = Right::ALL.map(|right| (right, world.other(right.as_str(), right.as_str()))).into();
    let mut asked_for = BTreeSet::new();
    for operation in world.operations() {
        for key in ["", "chk_nobody", "chk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            refused(&world.send(&operation, key), 401, "no_key");
        }
        let answer = world.send(&operation, &nothing);
        if operation.is_for_any_key {
            fine(&answer);
            continue;
        }
        refused(&answer, 403, "no_right");
        let enough: Vec<_> = single.iter().filter(|(_, key)| world.send(&operation, key).status != 403).collect();
        let [(right, _)] = enough[..] else { panic!("{} asks for one right, not {}", operation.name, enough.len()) };
        let gives = operation.method == Method::GET || !right.as_str().ends_with(":read");
        assert!(gives || ["tokens:read", "config:read"].contains(&right.as_str()), "{}: {right}", operation.name);
        asked_for.insert(*right);
    }
    assert_eq!(asked_for, Right::ALL.into(), "each right is good for something");
    world.api.end();
}

#[test]
fn nothing_of_another_tenant_is_there_for_any_operation() {
    let world = World::new();
    let (other, owner) = (world.other("other", "all"), &world.api.key);
    let exchanges = world.api.stage.tiktok.requests("token").len();
    let (looks, acts): (Vec<_>, Vec<_>) =
        world.operations().into_iter().partition(|operation| operation.method == Method::GET);
    let mut theirs = BTreeSet::new();
    let told: Vec<_> = looks.iter().map(|look| fine(&world.send(look, owner))).collect();
    for told in &told {
        ids(told, &mut theirs);
    }
    assert!(theirs.len() > 5, "{theirs:?}");
    for operation in looks.iter().chain(&acts) {
        let answer = world.send(operation, &other);
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!theirs.iter().any(|id| text.contains(id)), "{}: {text}", operation.name);
        if operation.names.contains("flow") {
            // Whoever names a flow shows that it is theirs by the name alone, so there is nothing to be found by it.
            refused(&answer, 422, "invalid_callback");
        } else if !operation.names.is_empty() {
            refused(&answer, 404, "not_found");
        }
    }
    assert_eq!(world.api.stage.tiktok.requests("token").len(), exchanges, "nobody's code was exchanged");
    for (look, told) in looks.iter().zip(&told) {
        let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
        ids(told, &mut before);
        ids(&fine(&world.send(look, owner)), &mut after);
        assert!(before.is_subset(&after), "{}: what is the tenant's is still there", look.name);
    }
    let complete = acts.iter().find(|act| act.names.contains("flow")).unwrap();
    fine(&world.send(complete, owner));
    world.api.end();
}
