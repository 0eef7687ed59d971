use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::Check;
use crate::Error;
use crate::app::{AppKind, is_identifier};
use crate::config::file::AppFile;
use crate::config::key::key_text;
use crate::config::near::did_you_mean;
use crate::config::{AppSettings, Key};
use crate::scope::{Scope, ScopeSet, Wanted};

impl Check<'_> {
    /// One app. `known` are the scopes the catalogue defines.
    pub(super) fn app(
        &mut self,
        platform: &Key,
        name: &str,
        file: &AppFile,
        known: &BTreeSet<&str>,
    ) -> Option<AppSettings> {
        let key = platform.child("apps").child(name);
        if !is_identifier(name) {
            let name = name.escape_debug();
            self.problem(
                &key,
                format!(
                    "`{name}` is not the name of an app: lower-case letters, digits and underscores, a letter first"
                ),
            );
        }
        if file.kind.is_none() {
            self.problem(
                &key.child("kind"),
                r#"missing: write kind = "desktop" or kind = "web", as the app is registered"#,
            );
        }
        self.redirect_uri(&key.child("redirect_uri"), file);
        let wanted = self.wanted(&key, file);
        self.known(&key.child("scopes"), platform, &wanted, known);
        let tenants = self.tenants(&key.child("tenants"), file);
        Some(AppSettings {
            kind: file.kind?,
            client_id: file.client_id.clone().map(|source| source.0),
            client_secret: file.client_secret.clone().map(|source| source.0),
            redirect_uri: file.redirect_uri.clone(),
            pkce: file.pkce,
            wanted,
            keep_fresh: file.keep_fresh.unwrap_or_default(),
            tenants,
        })
    }

    /// What holds for every platform. What one platform allows beyond that is its own to say.
    fn redirect_uri(&mut self, key: &Key, file: &AppFile) {
        let Some(uri) = &file.redirect_uri else { return };
        if !matches!(uri.scheme(), "http" | "https") {
            self.problem(key, format!("a redirect URI begins with https:// or http://, not {}:", uri.scheme()));
        } else if file.kind == Some(AppKind::Web) && uri.scheme() == "http" {
            self.problem(key, "the redirect URI of a web app begins with https://");
        }
        if uri.fragment().is_some() {
            self.problem(key, "a redirect URI has no fragment: leave out the `#` and what follows");
        }
        if has_credentials(uri) {
            self.problem(key, "a redirect URI carries no user name or password");
        }
    }

    fn tenants(&mut self, key: &Key, file: &AppFile) -> Option<BTreeSet<String>> {
        let texts = file.tenants.as_ref()?;
        if texts.is_empty() {
            self.problem(key, "nobody could use the app: name a tenant, or leave `tenants` out for everybody");
        }
        let named = |text: &str| match text {
            "" => Err(Error::config("no tenant is named by the empty text")),
            name => Ok(name.to_owned()),
        };
        Some(self.list(key, texts, named).into_iter().collect())
    }

    /// A registration has one owner: where two apps are the same one at the platform, the people of one could be taken for the other's.
    pub(super) fn owners(&mut self, platform: &Key, apps: &BTreeMap<String, AppSettings>) {
        let mut seen: Vec<(&String, &AppSettings)> = Vec::new();
        for (name, app) in apps {
            let same =
                |(_, other): &&(&String, &AppSettings)| other.client_id.is_some() && other.client_id == app.client_id;
            if let Some((other, _)) = seen.iter().find(same).filter(|(_, other)| other.tenants != app.tenants) {
                let problem = format!(
                    "the app has the `client_id` of the app `{other}`, which is for other tenants: name the same ones in both, or register an app for each"
                );
                self.problem(&platform.child("apps").child(name).child("tenants"), problem);
            }
            seen.push((name, app));
        }
    }

    fn wanted(&mut self, key: &Key, file: &AppFile) -> Wanted {
        let texts = file.scopes.as_deref().unwrap_or_default();
        if texts.is_empty() {
            self.problem(&key.child("scopes"), "an app asks for one scope at least: scopes = [\"…\"]");
        }
        let scopes = self.scopes(&key.child("scopes"), texts);
        let pending = self.part(key, "pending", file.pending.as_deref(), &scopes);
        let required = self.part(key, "required", file.required.as_deref(), &scopes);
        for scope in required.intersection(&pending) {
            let problem = format!("`{scope}` is pending, so it is never asked for and cannot be required");
            self.problem(&key.child("required"), problem);
        }
        let key = key.child("pending");
        if !scopes.is_empty() && scopes.iter().all(|scope| pending.contains(scope)) {
            self.problem(
                &key,
                "every scope of the app is pending, so there is nothing to ask for: leave one out of `pending`",
            );
        }
        Wanted { scopes, pending, required, ..Wanted::default() }
    }

    /// A list that names a part of the app's scopes.
    fn part(&mut self, app: &Key, name: &str, texts: Option<&[String]>, scopes: &[Scope]) -> ScopeSet {
        let key = app.child(name);
        let part = self.scopes(&key, texts.unwrap_or_default());
        for scope in part.iter().filter(|scope| !scopes.contains(scope)) {
            let near = did_you_mean(scope.as_str(), scopes.iter().map(Scope::as_str));
            self.problem(&key, format!("`{scope}` is not in `scopes`, of which `{name}` names a part{near}"));
        }
        part.into_iter().collect()
    }

    fn known(&mut self, key: &Key, platform: &Key, wanted: &Wanted, known: &BTreeSet<&str>) {
        for scope in wanted.scopes.iter().filter(|scope| !known.contains(scope.as_str())) {
            let near = did_you_mean(scope.as_str(), known.iter().copied());
            let table = format!("[{platform}.scopes.{}]", key_text(scope.as_str()));
            self.problem(key, format!("`{scope}` is not in the catalogue: define it in {table}{near}"));
        }
    }
}

fn has_credentials(uri: &Url) -> bool {
    !uri.username().is_empty() || uri.password().is_some()
}
