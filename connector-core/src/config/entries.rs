use std::collections::BTreeMap;

use super::key::{key_text, quoted};
use super::{Ability, AppSettings, Config, Key, LayerName, PlatformSettings, ScopeEntry, ValueSource};
use crate::scope::Scope;

/// One value of the configuration, for people. It shows where a secret is, never the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The place of the value.
    pub key: Key,
    /// The value, much as TOML writes it.
    pub value: String,
    /// The layer it came from.
    pub origin: LayerName,
}

impl Config {
    /// Every value that is set: by platform, the apps before the scopes.
    pub fn entries(&self) -> Vec<Entry> {
        let all = self
            .settings
            .platforms
            .iter()
            .flat_map(|(id, platform)| platform_values(&Key::of(["platforms", id.as_str()]), platform));
        let entry = |(key, value): (Key, String)| Some(Entry { origin: self.origins.get(&key)?.clone(), key, value });
        all.filter_map(entry).collect()
    }
}

fn platform_values(key: &Key, platform: &PlatformSettings) -> Vec<(Key, String)> {
    let apps = platform.apps.iter().flat_map(|(name, app)| app_values(&key.child("apps").child(name), app));
    let scopes = platform
        .catalogue
        .scopes
        .iter()
        .map(|(scope, entry)| (key.child("scopes").child(scope.as_str()), scope_text(entry)));
    apps.chain(scopes).collect()
}

/// Values that no layer sets have no origin, and so are left out later.
fn app_values(key: &Key, app: &AppSettings) -> Vec<(Key, String)> {
    let values = [
        ("kind", Some(quoted(app.kind.as_str()))),
        ("client_id", app.client_id.as_ref().map(source_text)),
        ("client_secret", app.client_secret.as_ref().map(source_text)),
        ("redirect_uri", app.redirect_uri.as_ref().map(|uri| quoted(uri.as_str()))),
        ("pkce", app.pkce.map(|pkce| quoted(pkce.as_str()))),
        ("scopes", Some(list_text(app.wanted.scopes.iter().map(Scope::as_str)))),
        ("pending", Some(list_text(app.wanted.pending.iter().map(Scope::as_str)))),
        ("required", Some(list_text(app.wanted.required.iter().map(Scope::as_str)))),
        ("keep_fresh", Some(app.keep_fresh.to_string())),
        ("tenants", app.tenants.as_ref().map(|tenants| list_text(tenants.iter().map(String::as_str)))),
    ];
    values.into_iter().filter_map(|(name, value)| Some((key.child(name), value?))).collect()
}

fn source_text(source: &ValueSource) -> String {
    match source {
        ValueSource::Env(name) => format!("{{ env = {} }}", quoted(name)),
        ValueSource::File(path) => format!("{{ file = {} }}", quoted(&path.display().to_string())),
        ValueSource::Literal(text) => quoted(text),
    }
}

fn scope_text(entry: &ScopeEntry) -> String {
    let mut parts =
        vec![format!("product = {}", quoted(&entry.product)), format!("description = {}", quoted(&entry.description))];
    parts.extend(
        entry
            .fields
            .iter()
            .map(|(endpoint, targets)| format!("fields.{} = {}", key_text(endpoint), table_text(targets))),
    );
    for (name, scopes) in [("aliases", &entry.aliases), ("implied_by", &entry.implied_by)] {
        if !scopes.is_empty() {
            parts.push(format!("{name} = {}", list_text(scopes.iter().map(Scope::as_str))));
        }
    }
    if !entry.abilities.is_empty() {
        parts.push(format!("abilities = {}", list_text(entry.abilities.iter().map(Ability::as_str))));
    }
    format!("{{ {} }}", parts.join(", "))
}

fn table_text<T: ToString>(table: &BTreeMap<String, T>) -> String {
    let pairs: Vec<_> =
        table.iter().map(|(key, value)| format!("{} = {}", key_text(key), quoted(&value.to_string()))).collect();
    format!("{{ {} }}", pairs.join(", "))
}

fn list_text<'a>(items: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", items.map(quoted).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    const BASE: &str = r#"
        [platforms.lantern.scopes."stats.read"]
        product = "Login"
        description = "The \"counts\""
        fields.me = { stars = "metric.followers", "/a/b" = "custom.lantern.b" }
        abilities = ["content.list"]
        [platforms.lantern.apps.default]
        kind = "desktop"
        client_id = "12345"
        client_secret = { file = "/run/secrets/lantern" }
        redirect_uri = "http://127.0.0.1:7000/callback"
        pkce = "hex"
        scopes = ["stats.read"]
    "#;

    const OVER: &str = r#"
        [platforms.lantern.apps.default]
        client_id = { env = "LANTERN_ID" }
        pending = []
        required = ["stats.read"]
        keep_fresh = true
    "#;

    #[test]
    fn every_value_is_shown_with_its_layer() {
        let layers =
            [("base.toml", BASE), ("over.toml", OVER)].map(|(name, text)| Layer::embedded(name, text).unwrap());
        let config = Config::of(layers.to_vec()).unwrap();
        let shown: Vec<_> = config
            .entries()
            .into_iter()
            .map(|Entry { key, value, origin }| format!("{key} = {value}  # {origin}"))
            .collect();
        assert_eq!(
            shown,
            [
                r#"platforms.lantern.apps.default.kind = "desktop"  # base.toml"#,
                r#"platforms.lantern.apps.default.client_id = { env = "LANTERN_ID" }  # over.toml"#,
                r#"platforms.lantern.apps.default.client_secret = { file = "/run/secrets/lantern" }  # base.toml"#,
                r#"platforms.lantern.apps.default.redirect_uri = "http://127.0.0.1:7000/callback"  # base.toml"#,
                r#"platforms.lantern.apps.default.pkce = "hex"  # base.toml"#,
                r#"platforms.lantern.apps.default.scopes = ["stats.read"]  # base.toml"#,
                "platforms.lantern.apps.default.pending = []  # over.toml",
                r#"platforms.lantern.apps.default.required = ["stats.read"]  # over.toml"#,
                "platforms.lantern.apps.default.keep_fresh = true  # over.toml",
                r#"platforms.lantern.scopes."stats.read" = { product = "Login", description = "The \"counts\"", fields.me = { "/a/b" = "custom.lantern.b", stars = "metric.followers" }, abilities = ["content.list"] }  # base.toml"#,
            ]
        );
    }

    #[test]
    fn everything_that_has_an_origin_is_shown() {
        let config = Config::of(vec![Layer::embedded("base", BASE).unwrap()]).unwrap();
        assert_eq!(config.entries().len(), config.origins.iter().count());
    }
}
