//! One line of the file: a JSON object. What is wrong with one is told by its column or key, never by what it holds.

use std::fmt;

use connector_core::scope::{GrantScopes, Granted, GrantedSource, split_scopes};
use connector_core::{ScopeSet, Secret};
use jiff::Timestamp;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::lines::{BYTE_ORDER_MARK, Line};

const KEYS: [&str; 8] = [
    "tenant",
    "reference",
    "account_id",
    "access_token",
    "refresh_token",
    "expires_at",
    "refresh_expires_at",
    "granted_scopes",
];

/// A key that nobody knows is shown if it is a word of at most so many letters: anything else could be a token.
const LONGEST_WORD: usize = 32;

/// Longer than any id, and short enough for several of them to be one key of a database's index.
const LONGEST_ID: usize = 512;

/// Longer than any token, and shorter than what a database should be asked for.
const LONGEST_TOKEN: usize = 16 * 1024;

/// What a line says.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) tenant: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) account_id: String,
    pub(super) access: Option<Secret>,
    pub(super) refresh: Option<Secret>,
    pub(super) access_expires_at: Option<Timestamp>,
    pub(super) refresh_expires_at: Option<Timestamp>,
    pub(super) granted: Option<ScopeSet>,
}

/// What is wrong with a line. It holds nothing of the line but the name of a key.
type Wrong = String;

impl Entry {
    /// Reads a line.
    pub(super) fn read(line: &Line) -> Result<Self, Wrong> {
        let text = line.text.as_ref().map_err(|why| (*why).to_owned())?;
        let mut fields = object(text, line.complete)?;
        if let Some(unknown) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let shown = if is_word(unknown) { format!("the key `{unknown}`") } else { "a key".to_owned() };
            return Err(format!("it has {shown} that means nothing here; there are: {}", KEYS.join(", ")));
        }
        let entry = Self {
            tenant: text_of(&mut fields, "tenant", LONGEST_ID)?,
            reference: text_of(&mut fields, "reference", LONGEST_ID)?,
            account_id: text_of(&mut fields, "account_id", LONGEST_ID)?.ok_or("`account_id` is missing")?,
            access: text_of(&mut fields, "access_token", LONGEST_TOKEN)?.map(Secret::from),
            refresh: text_of(&mut fields, "refresh_token", LONGEST_TOKEN)?.map(Secret::from),
            access_expires_at: time(&fields, "expires_at")?,
            refresh_expires_at: time(&fields, "refresh_expires_at")?,
            granted: scopes(&fields)?,
        };
        if entry.access.is_none() && entry.refresh.is_none() {
            return Err("it has neither `access_token` nor `refresh_token`".to_owned());
        }
        Ok(entry)
    }

    /// The scopes as a grant has them. What the old owner asked for is not known.
    pub(super) fn scopes(&self) -> GrantScopes {
        let granted = match &self.granted {
            None => Granted::Unknown,
            Some(scopes) => Granted::Known { scopes: scopes.clone(), source: GrantedSource::Token },
        };
        GrantScopes::of_flow(self.granted.clone().unwrap_or_default(), granted)
    }
}

fn is_word(key: &str) -> bool {
    let letters = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    letters && (1..=LONGEST_WORD).contains(&key.len())
}

/// An object, of which nobody knows what it says when it says something twice.
struct Object {
    fields: Map<String, Value>,
    twice: bool,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Object { fields: Map::new(), twice: false })
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Self, A::Error> {
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            self.twice |= self.fields.insert(key, value).is_some();
        }
        Ok(self)
    }
}

fn object(text: &[u8], complete: bool) -> Result<Map<String, Value>, Wrong> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let read: Result<Object, _> = serde_json::from_slice(text);
    let Object { fields, twice } = read.map_err(|error| match error.classify() {
        serde_json::error::Category::Eof if !complete => "it is cut off: it was not written to its end".to_owned(),
        serde_json::error::Category::Data => "it is not a JSON object".to_owned(),
        _ => format!("it is not JSON, at column {}", error.column()),
    })?;
    if twice { Err("it has a key twice".to_owned()) } else { Ok(fields) }
}

/// A text that is not empty. Null and a missing key are the same.
fn text_of(fields: &mut Map<String, Value>, key: &str, longest: usize) -> Result<Option<String>, Wrong> {
    match fields.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Err(format!("`{key}` is empty")),
        Some(Value::String(text)) if text.chars().any(char::is_control) => {
            Err(format!("`{key}` has control characters in it"))
        }
        Some(Value::String(text)) if text.len() > longest => Err(format!("`{key}` is longer than {longest} bytes")),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{key}` is not a text")),
    }
}

fn time(fields: &Map<String, Value>, key: &str) -> Result<Option<Timestamp>, Wrong> {
    let time = match fields.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Number(number)) => number.as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok()),
        Some(_) => None,
    };
    let wrong = || format!("`{key}` is no time: write it as 2026-11-22T12:00:00Z, or as whole seconds since 1970");
    time.map(Some).ok_or_else(wrong)
}

fn scopes(fields: &Map<String, Value>) -> Result<Option<ScopeSet>, Wrong> {
    let wrong = || "`granted_scopes` is neither null nor a list of scopes".to_owned();
    match fields.get("granted_scopes") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(split_scopes(text))),
        Some(Value::Array(all)) => {
            let scope = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).ok_or_else(wrong);
            all.iter().map(scope).collect::<Result<ScopeSet, Wrong>>().map(Some)
        }
        Some(_) => Err(wrong()),
    }
}

/// A line as it is written. It holds tokens, so it has no `Debug`.
#[derive(Serialize)]
pub(super) struct Written<'a> {
    pub(super) tenant: &'a str,
    pub(super) reference: Option<&'a str>,
    pub(super) account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<&'a str>,
    pub(super) expires_at: Option<String>,
    pub(super) refresh_expires_at: Option<String>,
    pub(super) granted_scopes: Option<Vec<&'a str>>,
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn read(text: &str) -> Result<Entry, Wrong> {
        Entry::read(&Line { number: 1, text: Ok(Zeroizing::new(text.as_bytes().to_vec())), complete: true })
    }

    #[test]
    fn a_line_says_what_there_is() {
        let entry = read(
            r#"{"tenant":"t","reference":"r","account_id":"-7","access_token":"a","refresh_token":"b",
                "expires_at":"2026-11-22T12:00:00Z","refresh_expires_at":1795521600,"granted_scopes":["x","y"]}"#,
        )
        .unwrap();
        assert_eq!((entry.tenant.as_deref(), entry.account_id.as_str()), (Some("t"), "-7"));
        assert!(entry.access.as_ref().unwrap().matches("a") && entry.refresh.as_ref().unwrap().matches("b"));
        assert_eq!(entry.access_expires_at.unwrap().as_second(), 1_795_348_800);
        assert_eq!(entry.refresh_expires_at.unwrap().as_second(), 1_795_521_600);
        assert_eq!(entry.scopes().granted.scopes(), Some(&split_scopes("x y")));
        let least = read(r#"{"account_id":"-7","refresh_token":"b","granted_scopes":null}"#).unwrap();
        assert!(least.access.is_none() && least.scopes() == GrantScopes::default());
    }

    #[test]
    fn what_is_wrong_is_told_without_what_the_line_holds() {
        let cases = [
            (r#"{"account_id":"c4n4ry","refresh_token":"c4n4ry""#, "it is not JSON, at column"),
            (r#""c4n4ry""#, "it is not a JSON object"),
            (r#"{"account_id":"c4n4ry"} c4n4ry"#, "it is not JSON, at column"),
            (r#"{"account_id":"c4n4ry","refresh_tokn":"c4n4ry"}"#, "the key `refresh_tokn`"),
            (r#"{"account_id":"-1","refresh_token":"x","Rft.c4n4ry":""}"#, "a key that means nothing here"),
            (r#"{"account_id":"-1","refresh_token":"x","account_id":"c4n4ry"}"#, "a key twice"),
            (r#"{"refresh_token":"c4n4ry"}"#, "`account_id` is missing"),
            (r#"{"account_id":"c4n4ry"}"#, "neither `access_token` nor `refresh_token`"),
            (r#"{"account_id":{"c4n4ry":1},"refresh_token":"c4n4ry"}"#, "`account_id` is not a text"),
            (r#"{"account_id":"c4n4ry","refresh_token":["c4n4ry"]}"#, "`refresh_token` is not a text"),
            (r#"{"account_id":" ","refresh_token":"c4n4ry"}"#, "`account_id` is empty"),
            (r#"{"account_id":"c4n4ry","refresh_token":"c4n4ry\n"}"#, "control characters"),
            (r#"{"account_id":"c4n4ry","refresh_token":"c4n4ry","expires_at":"c4n4ry"}"#, "`expires_at` is no time"),
            (
                r#"{"account_id":"c4n4ry","refresh_token":"c4n4ry","expires_at":1795521600000}"#,
                "`expires_at` is no time",
            ),
            (r#"{"account_id":"c4n4ry","refresh_token":"c4n4ry","granted_scopes":["c4n4ry x"]}"#, "`granted_scopes`"),
        ];
        for (text, expected) in cases {
            let wrong = read(text).unwrap_err();
            assert!(wrong.contains(expected) && !wrong.contains("c4n4ry"), "{text}: {wrong}");
        }
    }

    #[test]
    fn an_id_is_short_enough_for_the_index_of_a_database() {
        for key in ["tenant", "reference", "account_id"] {
            let line = |length: usize| {
                let mut line = serde_json::json!({ "account_id": "-1", "refresh_token": "b" });
                line[key] = "x".repeat(length).into();
                read(&line.to_string())
            };
            assert!(line(512).is_ok());
            assert_eq!(line(513).unwrap_err(), format!("`{key}` is longer than 512 bytes"));
        }
    }

    #[test]
    fn a_line_that_was_not_written_to_its_end_says_so() {
        let text = Ok(Zeroizing::new(br#"{"account_id":"c4n4ry","refr"#.to_vec()));
        let wrong = Entry::read(&Line { number: 3, text, complete: false }).unwrap_err();
        assert!(wrong.contains("cut off") && !wrong.contains("c4n4ry"), "{wrong}");
    }
}
