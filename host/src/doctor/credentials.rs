//! Whether the credentials of apps are there, and look like credentials.

use std::path::Path;

use connector_core::Secret;
use connector_core::config::{Config, ValueSource};
use connector_core::platform::CredentialDoubt;

use super::installation::KnownApp;
use super::{Finding, Installation, Kind};
use crate::apps::{Credential, credentials_of};
use crate::private_files;
use crate::shell;

pub(super) fn look(installation: &Installation, config: &Config) -> Vec<Finding> {
    installation.apps(config).flat_map(|app| of_app(config, &app)).collect()
}

fn of_app(config: &Config, app: &KnownApp<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut values = Vec::new();
    for credential in credentials_of(app.settings) {
        let case = Case { config, app, credential };
        match case.read() {
            Ok(value) => {
                findings.extend(case.written(&value));
                values.push(value);
            }
            Err(finding) => findings.push(*finding),
        }
        findings.extend(case.exposed());
    }
    if let [id, secret] = values.as_slice() {
        findings.extend(together(config, app, id.expose().trim(), secret.expose().trim()));
    }
    findings
}

/// One credential of an app.
struct Case<'a> {
    config: &'a Config,
    app: &'a KnownApp<'a>,
    credential: Credential<'a>,
}

impl Case<'_> {
    fn finding(&self, kind: Kind, what: &str, fix: impl Into<String>) -> Finding {
        let what = format!("the {} of {} {what}", self.credential.what, self.app.title());
        let finding = Finding::new(kind, what, fix);
        let finding = match self.credential.source {
            Some(ValueSource::File(path)) => finding.at_path(path),
            _ => finding,
        };
        let (file, key) = (self.app.file(self.config, self.credential.key), self.app.key(self.credential.key));
        finding.at_key(file, key).of_app(self.app.linked.id(), self.app.name)
    }

    /// The text as it is written, blanks and all.
    fn read(&self) -> Result<Secret, Box<Finding>> {
        let finding = |kind, what: &str, fix| Box::new(self.finding(kind, what, fix));
        let Some(source) = self.credential.source else {
            return Err(finding(Kind::CredentialMissing, "is not in the configuration", self.add()));
        };
        let written = source.as_written().map_err(|error| {
            finding(Kind::CredentialMissing, &format!("is missing: {}", error.message()), self.put(source))
        })?;
        if written.expose().trim().is_empty() {
            return Err(finding(Kind::CredentialEmpty, &format!("is empty: the {source}"), self.put(source)));
        }
        Ok(written)
    }

    /// What to write into the configuration.
    fn add(&self) -> String {
        let Credential { key, .. } = self.credential;
        let variable = format!("{}_{}", self.app.linked.id(), key).to_uppercase();
        let (platform, app) = (self.app.linked.id(), self.app.name);
        format!(
            "write `{key} = {{ env = \"{variable}\" }}` under [platforms.{platform}.apps.{app}] in {}, and set {variable} to the {} from {}",
            self.app.file(self.config, key),
            self.credential.what,
            self.app.portal()
        )
    }

    /// Where to put the value.
    fn put(&self, source: &ValueSource) -> String {
        let (what, portal) = (self.credential.what, self.app.portal());
        match source {
            ValueSource::Env(name) => format!("set {name} to the {what} from {portal}: `export {name}=…`"),
            ValueSource::File(path) => format!(
                "write the {what} from {portal} into the first line of `{}`, readable for you alone (`chmod 600`)",
                path.display()
            ),
            ValueSource::Literal(_) => {
                format!("write the {what} from {portal} at `{}`", self.app.key(self.credential.key))
            }
        }
    }

    /// What is wrong with how the text is written.
    fn written(&self, written: &Secret) -> Option<Finding> {
        let (text, source) = (written.expose(), self.credential.source?);
        if is_quoted(text.trim()) {
            let what = format!("has quotes around it in the {source}, which are taken for a part of it");
            return Some(self.finding(Kind::CredentialQuoted, &what, format!("take the quotes away in the {source}")));
        }
        (text != text.trim()).then(|| {
            let what = format!("has blanks around it in the {source}; they are left out");
            self.finding(Kind::CredentialBlanks, &what, format!("take the blanks away in the {source}"))
        })
    }

    /// Whether others may read the file it is in. An id is public.
    fn exposed(&self) -> Option<Finding> {
        let Some(ValueSource::File(path)) = self.credential.source.filter(|_| self.credential.is_secret) else {
            return None;
        };
        let is_open = private_files::open_to(path) & 0o077 != 0;
        is_open.then(|| self.finding(Kind::CredentialExposed, "is in a file that others may read", chmod(path)))
    }
}

fn chmod(path: &Path) -> String {
    format!("chmod 600 {}", shell::path(path))
}

/// Whether the same quote stands at both ends.
fn is_quoted(text: &str) -> bool {
    ['"', '\'', '`'].iter().any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote))
}

/// What the two say about each other. Quotes were told of already.
fn together(config: &Config, app: &KnownApp<'_>, id: &str, secret: &str) -> Vec<Finding> {
    let facts = &app.linked.protocol().credentials;
    if is_quoted(id) || is_quoted(secret) {
        return Vec::new();
    }
    let mut findings: Vec<_> = facts.doubts(id, secret).into_iter().map(|doubt| doubtful(config, app, doubt)).collect();
    if findings.is_empty() && facts.is_test(id) {
        let what =
            format!("{} is one for tests alone: only accounts that its portal lists can be connected", app.title());
        let fix = format!("nothing while you test; later take the id and secret of the live app from {}", app.portal());
        findings.push(Finding::new(Kind::CredentialsTest, what, fix).of_app(app.linked.id(), app.name));
    }
    findings
}

fn doubtful(config: &Config, app: &KnownApp<'_>, doubt: CredentialDoubt) -> Finding {
    let [id, secret] = credentials_of(app.settings).map(|credential| place(credential.source));
    let both = format!("put the client id into the {id}, and the client secret into the {secret}");
    let again = |place: &str, what: &str| format!("compare the {place} with the {what} in {}", app.portal());
    let title = app.title();
    let (kind, name, what, fix) = match doubt {
        CredentialDoubt::Same => (
            Kind::CredentialsSame,
            "client_secret",
            format!("the client id and the client secret of {title} are the same"),
            both,
        ),
        CredentialDoubt::Swapped => (
            Kind::CredentialsSwapped,
            "client_id",
            format!("the client id and the client secret of {title} look swapped"),
            both,
        ),
        CredentialDoubt::StrangeId => (
            Kind::CredentialStrange,
            "client_id",
            format!("the client id of {title} does not look like one"),
            again(&id, "client id"),
        ),
        CredentialDoubt::StrangeSecret => (
            Kind::CredentialStrange,
            "client_secret",
            format!("the client secret of {title} does not look like one"),
            again(&secret, "client secret"),
        ),
    };
    Finding::new(kind, what, fix).at_key(app.file(config, name), app.key(name)).of_app(app.linked.id(), app.name)
}

/// Where a value is, without the value.
fn place(source: Option<&ValueSource>) -> String {
    match source {
        Some(ValueSource::Literal(_)) | None => "configuration".to_owned(),
        Some(source) => source.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_stand_at_both_ends() {
        for (text, quoted) in
            [("\"a\"", true), ("'a'", true), ("\"a'", false), ("\"", false), ("a", false), ("", false)]
        {
            assert_eq!(is_quoted(text), quoted, "{text}");
        }
    }
}
