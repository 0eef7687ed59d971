//! The JSON Schema of the file, for editors.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::ABILITIES;
use super::file::ConfigFile;
use crate::account::PROFILE_FIELDS;
use crate::metrics::METRICS;

/// The JSON Schema (2020-12) of a layer's file.
pub fn config_schema() -> Value {
    file_schema::<ConfigFile>()
}

/// The JSON Schema (2020-12) of a TOML file of this type.
pub(crate) fn file_schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(without_null))
        .with_transform(RecursiveTransform(unwrapped));
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    // Another crate of the same build may make the JSON library keep the order of insertion; the file is the same in any build.
    schema.sort_all_objects();
    schema
}

/// What is optional may be left out in TOML, which has no null.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|word| word != "null");
        if let [word] = types.as_slice() {
            let word = word.clone();
            schema.insert("type".to_owned(), word);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|word| word != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            schema.ensure_object().extend(only);
        }
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
}

/// A comment is wrapped where the code ends its lines; an editor wraps where its window ends.
fn unwrapped(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

/// Printable ASCII without quotes, commas and backslashes, as scopes are.
pub(super) const SCOPE: &str = r"^[\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+$";

/// `[a-z][a-z0-9_]*`, as platform ids and app names are.
pub(super) fn identifier() -> Value {
    json!({ "pattern": "^[a-z][a-z0-9_]*$" })
}

/// A scope.
pub(super) fn scope() -> Value {
    json!({ "pattern": SCOPE })
}

/// A URL of a web page, without a fragment.
pub(super) fn redirect_uri(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "uri", "pattern": "^https?://[^#]+$" })
}

/// Fields by endpoint, with every target there is.
pub(super) fn fields(_: &mut SchemaGenerator) -> Schema {
    let metrics = METRICS.iter().map(|(name, meaning)| target("metric", name, meaning));
    let profile = PROFILE_FIELDS.iter().map(|(name, meaning)| target("profile", name, meaning));
    let mut targets: Vec<Value> = metrics.chain(profile).collect();
    targets.push(json!({
        "type": "string",
        "pattern": r"^(metric\.)?custom\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$",
        "description": "`custom.<platform>.<field>`: a whole number becomes a metric of this name, anything else stands with the profile.",
    }));
    let endpoint =
        json!({ "type": "object", "propertyNames": { "minLength": 1 }, "additionalProperties": { "anyOf": targets } });
    json_schema!({ "type": "object", "additionalProperties": endpoint })
}

/// Every ability there is.
pub(super) fn abilities(_: &mut SchemaGenerator) -> Schema {
    let names = ABILITIES.map(|(name, meaning)| json!({ "const": name, "description": meaning }));
    json_schema!({ "type": "array", "items": { "anyOf": names }, "uniqueItems": true })
}

fn target(kind: &str, name: &str, meaning: &str) -> Value {
    json!({ "const": format!("{kind}.{name}"), "description": meaning })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/social-platforms.schema.json");

    #[test]
    fn the_committed_schema_is_fresh() {
        let fresh = format!("{:#}\n", config_schema());
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            std::fs::write(FILE, &fresh).unwrap();
        }
        let committed = std::fs::read_to_string(FILE).unwrap_or_default();
        assert!(committed == fresh, "config/social-platforms.schema.json is stale: run the tests once with UPDATE=1");
    }

    #[test]
    fn the_schema_closes_every_table_and_knows_no_null() {
        let schema = config_schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        for table in
            [&schema, &schema["$defs"]["PlatformFile"], &schema["$defs"]["AppFile"], &schema["$defs"]["ScopeFile"]]
        {
            assert_eq!(table["additionalProperties"], false);
            for (name, property) in table["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{name} has no hint");
            }
        }
        assert!(!schema.to_string().contains("null"));
        assert!(!schema.to_string().contains("\\n"), "a hint is one paragraph");
    }
}
