use std::error::Error as _;
use std::fmt::Display;

use owo_colors::OwoColorize as _;
use serde::Serialize;
use serde_json::Value;

use super::args::{Global, LogFormat};
use super::streams;
use crate::error::Error;

/// Where results, notes and errors go: results to standard output, the rest to standard error. Colour only where it shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    form: Form,
    quiet: bool,
    verbose: bool,
    /// Whether standard error is a log of JSON objects, which everything there is a part of.
    logged: bool,
}

/// What form the result has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    /// Text that notes and warnings are a part of.
    Story,
}

impl Output {
    pub(super) fn new(global: &Global) -> Self {
        let form = if global.json { Form::Json } else { Form::Text };
        Self { form, quiet: global.quiet, verbose: global.verbose > 0, logged: global.log_format == LogFormat::Json }
    }

    /// For a command that tells a story: what is noted on the way belongs to it, so it goes to standard output too, in its place.
    pub(super) fn telling(self) -> Self {
        Self { form: Form::Story, ..self }
    }

    /// Whether data is printed as JSON.
    pub(super) fn is_json(self) -> bool {
        self.form == Form::Json
    }

    /// One line or block of the result, for people.
    #[expect(clippy::unused_self, reason = "what is printed, and how, is this type's to decide")]
    pub(super) fn say(self, text: impl Display) {
        streams::out(text);
    }

    /// The result as JSON.
    #[expect(clippy::unused_self, reason = "what is printed, and how, is this type's to decide")]
    pub(super) fn data(self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => streams::out(text),
            Err(error) => streams::err(format!("{} {error}", "error:".red().bold())),
        }
    }

    /// The result: as JSON if that was asked for, else for people.
    pub(super) fn either(self, value: &impl Serialize, text: impl FnOnce() -> String) {
        if self.is_json() {
            self.data(value);
        } else {
            self.say(text().trim_end());
        }
    }

    /// One line of a result of any length: as JSON in one line if that was asked for, else for people.
    pub(super) fn line(self, value: &Value, text: impl FnOnce() -> String) {
        if self.is_json() {
            streams::out(value);
        } else {
            streams::out(text());
        }
    }

    /// What happens meanwhile.
    pub(super) fn note(self, text: impl Display) {
        if self.form == Form::Story {
            streams::out(text);
        } else if self.logged {
            tracing::info!("{text}");
        } else if !self.quiet {
            streams::err(text);
        }
    }

    /// What only `-v` shows.
    pub(super) fn detail(self, text: impl Display) {
        if self.logged {
            tracing::debug!("{text}");
        } else if self.verbose {
            streams::err(text.dimmed());
        }
    }

    /// What a person should know although it went well.
    pub(super) fn warn(self, text: impl Display) {
        if self.logged {
            tracing::warn!("{text}");
            return;
        }
        let text = format!("{} {text}", "warning:".yellow().bold());
        if self.form == Form::Story {
            streams::out(text);
        } else {
            streams::err(text);
        }
    }

    /// What went wrong, and with `-v` why.
    pub(super) fn error(self, error: &Error) {
        if self.logged {
            tracing::error!("{error}");
            return;
        }
        let text = error.to_string().replace('\n', "\n       ");
        streams::err(format!("{} {text}", "error:".red().bold()));
        let mut cause = error.source().filter(|_| self.verbose);
        while let Some(inner) = cause {
            streams::err(format!("  {} {inner}", "because:".dimmed()));
            cause = inner.source();
        }
    }
}
