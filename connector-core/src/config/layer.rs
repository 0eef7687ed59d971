//! One file of the configuration, read and checked by itself. The configuration library is named here alone, and none of its sentences
//! are shown: they repeat values.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use figment::Figment;
use figment::error::{Actual, Kind};
use figment::providers::{Format, Toml};

use super::file::ConfigFile;
use super::near::did_you_mean;
use super::{Key, LayerName, Problem};

/// No configuration is larger; something else was named by mistake.
const CAP: u64 = 1024 * 1024;

/// One file of the configuration, in which everything is optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    name: LayerName,
    file: ConfigFile,
}

impl Layer {
    /// A layer whose text is at hand.
    ///
    /// # Errors
    /// When the text is not TOML, or holds a key or a value that no layer may hold: with its place and what is allowed.
    pub fn embedded(name: impl Into<String>, text: &str) -> Result<Self, Problem> {
        let name = LayerName::new(name);
        match Figment::from(Toml::string(text)).extract() {
            Ok(file) => Ok(Self { name, file }),
            Err(error) => Err(explain(name, error)),
        }
    }

    /// A layer in a file.
    ///
    /// # Errors
    /// When there is no such file or it cannot be read, and as [`Layer::embedded`]. The caller adds who named the file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Problem> {
        let path = path.as_ref();
        let name = path.display().to_string();
        match read_text(path) {
            Ok(text) => Self::embedded(name, &text),
            Err(message) => Err(Problem { layer: LayerName::new(name), key: Key::default(), message }),
        }
    }

    /// The name of the layer.
    pub fn name(&self) -> &LayerName {
        &self.name
    }

    pub(super) fn into_parts(self) -> (LayerName, ConfigFile) {
        (self.name, self.file)
    }
}

/// The text of a file that may be a layer.
///
/// # Errors
/// What is wrong with it, without its path.
pub fn read_text(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    };
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("this is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(CAP + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > CAP {
        return Err("the file is larger than 1 MiB, which no configuration is".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        format!("line {line} is not text in UTF-8")
    })
}

/// What is wrong with a file, in this crate's words.
fn explain(layer: LayerName, error: figment::Error) -> Problem {
    let key = Key::of(error.path);
    match error.kind {
        Kind::UnknownField(name, allowed) => {
            let place = key.parent().unwrap_or_default();
            let message = unknown_key(&place, &name, allowed);
            Problem { layer, key: place, message }
        }
        Kind::Message(text) if key.names().is_empty() => Problem { layer, key, message: not_toml(&text) },
        Kind::Message(message) => Problem { layer, key, message },
        Kind::UnknownVariant(word, allowed) => Problem { layer, key, message: unknown_word(&word, allowed) },
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => Problem {
            layer,
            key,
            message: format!("{} belongs here, not {}", expected_text(&expected), actual_text(&actual)),
        },
        _ => Problem { layer, key, message: "this value does not belong here".to_owned() },
    }
}

fn unknown_key(place: &Key, name: &str, allowed: &[&str]) -> String {
    let near = did_you_mean(name, allowed.iter().copied());
    let in_scope = matches!(place.names(), [platforms, _, scopes, _] if platforms == "platforms" && scopes == "scopes");
    let dots = if in_scope && near.is_empty() { ". The name of a scope with dots is written in quotes" } else { "" };
    format!("there is no key `{}` here; the keys are {}{near}{dots}", name.escape_debug(), allowed.join(", "))
}

fn unknown_word(word: &str, allowed: &[&str]) -> String {
    let near = did_you_mean(word, allowed.iter().copied());
    format!("`{}` is not a word for this; use one of {}{near}", word.escape_debug(), allowed.join(", "))
}

/// A syntax error is a position, three lines that show the text there, and the reason. The text may hold a secret, so it is left out.
fn not_toml(text: &str) -> String {
    let mut lines = text.lines();
    let Some(position) = lines.next().and_then(|line| line.strip_prefix("TOML parse error at ")) else {
        return "this is not TOML".to_owned();
    };
    let reason = lines.skip(3).collect::<Vec<_>>().join(", ");
    format!("{position}: this is not TOML: {reason}")
}

fn expected_text(expected: &str) -> &str {
    match expected {
        "a map" => "a table",
        "a sequence" => "a list",
        "a string" => "a text in quotes",
        table if table.starts_with("struct ") => "a table",
        other => other,
    }
}

/// The type alone, never the value.
fn actual_text(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "this",
    }
}

#[cfg(test)]
#[path = "layer_tests.rs"]
mod tests;
