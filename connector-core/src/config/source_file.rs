//! Where an id or a secret is, as a file says it.
//!
//! What stands at these keys may be a secret in the wrong place. So no sentence here repeats any of it, whatever its type.

use std::borrow::Cow;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::ValueSource;

/// Where an app's id is: `"the id"`, `{ env = "NAME" }` or `{ file = "/path" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdSource(pub ValueSource);

/// Where an app's secret is: `{ env = "NAME" }` or `{ file = "/path" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource(pub ValueSource);

const ID: &str = r#"write the id in quotes, or { env = "NAME" } or { file = "/path" }"#;
const SECRET: &str = r#"a secret is never written in this file: put it into an environment variable and write { env = "NAME" }, or into a file and write { file = "/path" }"#;
const ENV: &str = r"`env` takes the name of an environment variable: letters, digits and underscores, no digit first";
const FILE: &str = r"`file` takes the whole path of a file, beginning with `/`";

/// Takes any value at all before judging it, so that no reader of a narrower type can put the value into its error.
impl<'de> Deserialize<'de> for IdSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer).map_err(|_| D::Error::custom(ID))?;
        read_id(&value).map(Self).map_err(D::Error::custom)
    }
}

/// As for [`IdSource`].
impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer).map_err(|_| D::Error::custom(SECRET))?;
        read_secret(&value).map(Self).map_err(D::Error::custom)
    }
}

fn read_id(value: &Value) -> Result<ValueSource, &'static str> {
    match value {
        Value::String(text) if text.trim().is_empty() => Err("the id is empty"),
        Value::String(text) => Ok(ValueSource::Literal(text.trim().to_owned())),
        Value::Number(_) => Err(r#"put the id in quotes: client_id = "…""#),
        Value::Object(table) => read_table(table, ID),
        _ => Err(ID),
    }
}

fn read_secret(value: &Value) -> Result<ValueSource, &'static str> {
    match value {
        Value::Object(table) => read_table(table, SECRET),
        _ => Err(SECRET),
    }
}

fn read_table(table: &Map<String, Value>, otherwise: &'static str) -> Result<ValueSource, &'static str> {
    let mut entries = table.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    match (entries.next(), entries.next()) {
        (Some(("env", name)), None) => {
            name.filter(|name| is_variable(name)).map(|name| ValueSource::Env(name.to_owned())).ok_or(ENV)
        }
        (Some(("file", path)), None) => {
            path.map(PathBuf::from).filter(|path| path.has_root()).map(ValueSource::File).ok_or(FILE)
        }
        (Some(("env", _)), Some(("file", _))) | (Some(("file", _)), Some(("env", _))) => {
            Err("either `env` or `file`, not both")
        }
        _ => Err(otherwise),
    }
}

/// What every shell can set. It also turns away most secrets that were written where the name belongs.
fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl JsonSchema for IdSource {
    fn schema_name() -> Cow<'static, str> {
        "IdSource".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "type": "string", "minLength": 1, "description": "The id itself." }, env_schema(), file_schema()] })
    }
}

impl JsonSchema for SecretSource {
    fn schema_name() -> Cow<'static, str> {
        "SecretSource".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [env_schema(), file_schema()] })
    }
}

fn env_schema() -> Schema {
    one_key("env", "The name of an environment variable.", "^[A-Za-z_][A-Za-z0-9_]*$")
}

fn file_schema() -> Schema {
    one_key("file", "The whole path of a file, of which the first line is read.", "^/")
}

fn one_key(key: &str, description: &str, pattern: &str) -> Schema {
    let value = json_schema!({ "type": "string", "description": description, "pattern": pattern });
    json_schema!({ "type": "object", "properties": { key: value }, "required": [key], "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_source_is_a_variable_or_a_file_and_an_id_may_stand_by_itself() {
        let env = Ok(ValueSource::Env("APP_ID".to_owned()));
        let file = Ok(ValueSource::File("/run/secrets/app".into()));
        for read in [read_id, read_secret] {
            assert_eq!(read(&json!({ "env": "APP_ID" })), env);
            assert_eq!(read(&json!({ "file": "/run/secrets/app" })), file);
        }
        assert_eq!(read_id(&json!(" 0012345 ")), Ok(ValueSource::Literal("0012345".to_owned())));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for (value, sentence) in [
            (json!(12345), r#"put the id in quotes: client_id = "…""#),
            (json!(" "), "the id is empty"),
            (json!(["12345"]), ID),
            (json!(true), ID),
            (json!({}), ID),
            (json!({ "evn": "X" }), ID),
        ] {
            assert_eq!(read_id(&value), Err(sentence), "{value}");
        }
    }

    #[test]
    fn what_is_no_place_of_a_secret_is_refused() {
        for (value, sentence) in [
            (json!("s3cr3t"), SECRET),
            (json!(1234), SECRET),
            (json!(1.5), SECRET),
            (json!(false), SECRET),
            (json!(["s3cr3t"]), SECRET),
            (json!({ "s3cr3t": 1 }), SECRET),
            (json!({ "env": "s3cr3t with-spaces" }), ENV),
            (json!({ "env": 1234 }), ENV),
            (json!({ "file": "s3cr3t" }), FILE),
            (json!({ "file": "~/s3cr3t" }), FILE),
            (json!({ "env": "A", "file": "/b" }), "either `env` or `file`, not both"),
            (json!({ "env": "A", "value": "s3cr3t" }), SECRET),
        ] {
            assert_eq!(read_secret(&value), Err(sentence), "{value}");
        }
    }
}
